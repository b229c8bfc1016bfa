//! What the outputs of committed shards are like together, read a few shards at a time.

use std::collections::{BTreeSet, HashSet};

use futures::future::join_all;
use shared::ids::{ItemId, ShardId};
use shared::manifest::{ManifestRow, Status};
use shared::storage::Storage;

use crate::output::quality::fold::RunFold;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError, Parts};
use crate::run::tally::READS_AT_ONCE;

/// Returns what the committed outputs are like together, without storing anything. Shards that are damaged are left out.
///
/// # Errors
///
/// [`LedgerError`] if storage fails.
pub async fn fold(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<RunFold, LedgerError> {
    let mut fold = RunFold::new(run.record.quality.per_class);
    let all: Vec<Fold> = ledger
        .committed
        .iter()
        .map(|&shard| Fold::All(shard))
        .collect();
    for part in all.chunks(READS_AT_ONCE) {
        fold_readable(storage, run, ledger, part, &mut fold).await?;
    }
    Ok(fold)
}

/// What of a committed shard is to be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// All that holds.
    All(ShardId),
    /// What is done since there were so many revisions.
    Since(ShardId, u32),
}

impl Fold {
    fn shard(self) -> ShardId {
        match self {
            Self::All(shard) | Self::Since(shard, _) => shard,
        }
    }
}

/// Adds a few committed shards to a fold, in their order, but for those that are damaged, which it returns: who counts them
/// tells them. After an error none is added, so that all of them can be added again.
///
/// # Errors
///
/// [`LedgerError`] if storage fails.
pub async fn fold_readable(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shards: &[Fold],
    fold: &mut RunFold,
) -> Result<BTreeSet<ShardId>, LedgerError> {
    let reads = shards
        .iter()
        .map(|&what| rows_of(storage, run, ledger, what));
    let (mut rows, mut damaged) = (Vec::new(), BTreeSet::new());
    for (shard, read) in shards.iter().zip(join_all(reads).await) {
        match read {
            Ok(read) => rows.extend(read),
            Err(error) if error.is_damage() => {
                damaged.insert(shard.shard());
            }
            Err(error) => return Err(error),
        }
    }
    fold.take_in(rows).await;
    Ok(damaged)
}

/// Returns the rows of a committed shard that are to be folded.
async fn rows_of(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    what: Fold,
) -> Result<Vec<ManifestRow>, LedgerError> {
    match what {
        Fold::All(shard) => ledger.shard_rows_with_features(storage, run, shard).await,
        Fold::Since(shard, revisions) => {
            let parts = ledger
                .shard_parts_with_features(storage, run, shard)
                .await?;
            Ok(done_since(parts, revisions))
        }
    }
}

/// Returns the rows that are done and were not when there were so many revisions.
fn done_since(parts: Parts, revisions: u32) -> Vec<ManifestRow> {
    let is_done = |row: &ManifestRow| row.status == Status::Done;
    let before = parts.effective_at(revisions as usize);
    let before: HashSet<ItemId> = before
        .into_iter()
        .filter(is_done)
        .map(|row| row.item)
        .collect();
    let mut rows = parts.effective();
    rows.retain(|row| is_done(row) && !before.contains(&row.item));
    rows
}
