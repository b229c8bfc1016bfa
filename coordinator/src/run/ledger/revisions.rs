//! Revisions of shards: quarantined items that were tried again, or are to be.

use shared::decision::Items;
use shared::ids::ShardId;

use super::{Ledger, ShardState};

impl Ledger {
    /// Returns how many revisions of a shard hold: those that were decided and are stored, without a gap.
    #[must_use]
    pub fn num_revisions(&self, shard: ShardId) -> u32 {
        let Some(stored) = self.revisions.get(&shard) else {
            return 0;
        };
        let decided = self.decisions.retries.revisions(shard);
        let holds = |(place, revision): (usize, u32)| {
            (place as u32 + 1 == revision && stored.contains(&revision)).then_some(revision)
        };
        decided.enumerate().map_while(holds).last().unwrap_or(0)
    }

    /// Returns the revision of a committed shard that was decided and is not stored.
    #[must_use]
    pub fn outstanding(&self, shard: ShardId) -> Option<u32> {
        let next = self.num_revisions(shard) + 1;
        let decided = self.decisions.retries.of(shard, next).is_some();
        (decided && self.committed.contains(&shard)).then_some(next)
    }

    /// Returns the items of the revision of a committed shard that was decided and is not stored.
    #[must_use]
    pub fn outstanding_items(&self, shard: ShardId) -> Option<&Items> {
        let revision = self.outstanding(shard)?;
        self.decisions.retries.of(shard, revision)
    }

    /// Returns the items of the revisions of a shard that were decided, from one on.
    pub fn items_from(&self, shard: ShardId, revision: u32) -> impl Iterator<Item = &Items> {
        let retries = &self.decisions.retries;
        let decided = retries.revisions(shard);
        let decided = decided.filter(move |&number| number >= revision);
        decided.filter_map(move |number| retries.of(shard, number))
    }

    /// Returns the number of the revision as which other quarantined items of a shard are tried again: after the one that
    /// workers may have in hand, or as the one that failed for good.
    #[must_use]
    pub fn next_revision(&self, shard: ShardId, max_attempts: u32) -> u32 {
        match self.state(shard, max_attempts) {
            ShardState::Revising { revision } => {
                let decided = self.decisions.retries.revisions(shard);
                decided.last().unwrap_or(revision) + 1
            }
            ShardState::Committed
            | ShardState::Failed { .. }
            | ShardState::Open
            | ShardState::RevisionFailed { .. } => self.num_revisions(shard) + 1,
        }
    }

    /// Returns the quarantined items of a run that are to be tried again and have not ended, as counts of their shards.
    pub fn retried(&self, max_attempts: u32) -> impl Iterator<Item = (ShardId, usize)> + '_ {
        let shards = self.decisions.retries.shards();
        shards.map(move |shard| (shard, self.num_retried(shard, max_attempts)))
    }

    /// Returns how many quarantined items of a shard are to be tried again and have not ended: by the revision that comes
    /// next, and by those that were decided to come after it.
    #[must_use]
    pub fn num_retried(&self, shard: ShardId, max_attempts: u32) -> usize {
        match self.state(shard, max_attempts) {
            ShardState::Revising { revision } => {
                self.items_from(shard, revision).map(Items::len).sum()
            }
            ShardState::Committed
            | ShardState::Failed { .. }
            | ShardState::Open
            | ShardState::RevisionFailed { .. } => 0,
        }
    }
}
