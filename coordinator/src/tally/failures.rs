//! Why the shards that failed for good did.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use shared::failure::FailedAttempt;
use shared::ids::ShardId;
use shared::storage::Storage;

use super::READS_AT_ONCE;
use crate::freeze::FrozenRun;
use crate::ledger::{self, Ledger, LedgerError, ShardState};

/// The last failed attempt at each shard that failed for good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures(BTreeMap<ShardId, FailedAttempt>);

impl Failures {
    /// Reads the attempts that are not known yet, and forgets those at shards that are tried anew.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the record of a failed attempt cannot be read.
    pub async fn update(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<(), LedgerError> {
        let max_attempts = run.record.limits.max_attempts;
        let failed: BTreeMap<ShardId, u32> = ledger
            .failed_attempts
            .keys()
            .filter_map(|&shard| match ledger.state(shard, max_attempts) {
                ShardState::Failed { last } => Some((shard, last)),
                ShardState::Open | ShardState::Committed => None,
            })
            .collect();
        self.0
            .retain(|shard, known| failed.get(shard) == Some(&known.attempt));
        let new: Vec<(ShardId, u32)> = failed
            .into_iter()
            .filter(|(shard, _)| !self.0.contains_key(shard))
            .collect();
        let id = &run.record.run;
        for part in new.chunks(READS_AT_ONCE) {
            let reads = part.iter().map(|&(shard, last)| async move {
                let failure = ledger::failed_attempt(storage, id, shard, last).await?;
                let failure = FailedAttempt {
                    attempt: last,
                    ..failure
                };
                Ok::<_, LedgerError>((shard, failure))
            });
            self.0.extend(try_join_all(reads).await?);
        }
        Ok(())
    }

    /// Returns the last attempt at a shard; none if it has not failed for good.
    #[must_use]
    pub fn of(&self, shard: ShardId) -> Option<&FailedAttempt> {
        self.0.get(&shard)
    }

    /// Returns the shards, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (ShardId, &FailedAttempt)> {
        self.0.iter().map(|(&shard, failure)| (shard, failure))
    }

    /// Returns the number of shards.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether none has failed for good.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
