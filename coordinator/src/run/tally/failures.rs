//! Why the shards that failed for good did.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use shared::failure::FailedAttempt;
use shared::ids::{RunId, ShardId};
use shared::storage::Storage;

use super::READS_AT_ONCE;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{self, Ledger, LedgerError, ShardState};

/// The last failed attempt at each shard that failed for good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    shards: BTreeMap<ShardId, FailedAttempt>,
    /// At each whose rows hold, because only trying quarantined items of it again failed.
    revisions: BTreeMap<ShardId, FailedAttempt>,
}

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
        let (mut shards, mut revisions) = (BTreeMap::new(), BTreeMap::new());
        for &shard in ledger.failed_attempts.keys() {
            match ledger.state(shard, max_attempts) {
                ShardState::Failed { last } => {
                    shards.insert(shard, last);
                }
                ShardState::RevisionFailed { last, .. } => {
                    revisions.insert(shard, last);
                }
                ShardState::Open | ShardState::Committed | ShardState::Revising { .. } => {}
            }
        }
        let id = &run.record.run;
        read_new(storage, id, &mut self.shards, shards).await?;
        read_new(storage, id, &mut self.revisions, revisions).await
    }

    /// Returns the last attempt at a shard; none if it has not failed for good.
    #[must_use]
    pub fn of(&self, shard: ShardId) -> Option<&FailedAttempt> {
        self.shards.get(&shard)
    }

    /// Returns the last attempt at trying quarantined items of a shard again; none if that has not failed for good.
    #[must_use]
    pub fn of_revision(&self, shard: ShardId) -> Option<&FailedAttempt> {
        self.revisions.get(&shard)
    }

    /// Returns the shards, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (ShardId, &FailedAttempt)> {
        self.shards.iter().map(|(&shard, failure)| (shard, failure))
    }

    /// Returns the number of shards.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Returns whether none has failed for good.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }
}

/// Reads the attempts that are not `known` yet, and forgets those that are not among the `failed`.
async fn read_new(
    storage: &dyn Storage,
    run: &RunId,
    known: &mut BTreeMap<ShardId, FailedAttempt>,
    failed: BTreeMap<ShardId, u32>,
) -> Result<(), LedgerError> {
    known.retain(|shard, known| failed.get(shard) == Some(&known.attempt));
    let new: Vec<(ShardId, u32)> = failed
        .into_iter()
        .filter(|(shard, _)| !known.contains_key(shard))
        .collect();
    for part in new.chunks(READS_AT_ONCE) {
        let reads = part.iter().map(|&(shard, last)| async move {
            let failure = ledger::failed_attempt(storage, run, shard, last).await?;
            let failure = FailedAttempt {
                attempt: last,
                ..failure
            };
            Ok::<_, LedgerError>((shard, failure))
        });
        known.extend(try_join_all(reads).await?);
    }
    Ok(())
}
