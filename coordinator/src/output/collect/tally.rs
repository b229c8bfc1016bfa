//! The counts of a run's shards, stored.

use shared::storage::Storage;

use super::CollectError;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Ledger;
use crate::run::tally::Tally;

/// Brings the stored counts up to date, and returns them.
///
/// # Errors
///
/// [`CollectError`] if a shard cannot be read or the counts cannot be stored.
pub async fn store_tally(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Tally, CollectError> {
    let id = &run.record.run;
    let mut tally = Tally::stored(storage, id).await?;
    if tally.update_whole(storage, run, ledger).await? > 0 {
        tally.store(storage, id).await?;
    }
    Ok(tally)
}
