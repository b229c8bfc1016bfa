//! What all shards of a run count together.

use std::collections::BTreeMap;

use shared::storage::Storage;

use super::{Counts, Failures, Tally};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError};

impl Tally {
    /// Returns the sum over the committed shards.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        let shards = self.shards.values();
        shards.for_each(|shard| total.add(&shard.counts));
        total
    }

    /// Returns the sum over the committed shards and those that failed for good.
    #[must_use]
    pub fn total_with(&self, run: &FrozenRun, failures: &Failures) -> Counts {
        let mut total = self.total();
        for (shard, failure) in failures.iter() {
            let Some(planned) = run.plan.shards.get(shard.0 as usize) else {
                continue;
            };
            total.add(&Counts {
                failed: planned.num_items(),
                reasons: BTreeMap::from([(failure.error.clone(), planned.num_items())]),
                ..Counts::default()
            });
        }
        total
    }

    /// Returns the sum over the committed shards and those that failed for good.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the record of a failed attempt cannot be read.
    pub async fn total_with_failed(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<Counts, LedgerError> {
        let mut failures = Failures::default();
        failures.update(storage, run, ledger).await?;
        Ok(self.total_with(run, &failures))
    }
}

/// Returns the counts of a run, reading only shards that were not counted before.
///
/// # Errors
///
/// [`LedgerError`] if a shard cannot be read.
pub async fn count(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Counts, LedgerError> {
    let tally = Tally::whole(storage, run, ledger).await?;
    tally.total_with_failed(storage, run, ledger).await
}
