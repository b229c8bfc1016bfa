//! Where a shard stands: whether its rows are stored, and whether something of it is to be made.

use shared::ids::ShardId;

use super::Ledger;
use crate::run::freeze::FrozenRun;
use crate::run::plan::Shard;

/// Where a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardState {
    /// Its rows are stored.
    Committed,
    /// It failed too often; this was the last attempt.
    Failed {
        /// Number of the last failed attempt.
        last: u32,
    },
    /// It is still to be made.
    Open,
    /// Its rows are stored, and quarantined items of it are to be tried again.
    Revising {
        /// Number of the revision that is to be made.
        revision: u32,
    },
    /// Its rows are stored and hold: trying quarantined items of it again failed too often.
    RevisionFailed {
        /// Number of the revision that was to be made.
        revision: u32,
        /// Number of the last failed attempt.
        last: u32,
    },
}

impl ShardState {
    /// Returns whether its rows are stored.
    #[must_use]
    pub fn has_rows(self) -> bool {
        match self {
            Self::Committed | Self::Revising { .. } | Self::RevisionFailed { .. } => true,
            Self::Failed { .. } | Self::Open => false,
        }
    }

    /// Returns whether there is something to be made that has not failed too often.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Open | Self::Revising { .. } => true,
            Self::Committed | Self::Failed { .. } | Self::RevisionFailed { .. } => false,
        }
    }
}

impl Ledger {
    /// Returns where a shard stands.
    #[must_use]
    pub fn state(&self, shard: ShardId, max_attempts: u32) -> ShardState {
        let revision = match (self.committed.contains(&shard), self.outstanding(shard)) {
            (true, None) => return ShardState::Committed,
            (true, Some(revision)) => Some(revision),
            (false, _) => None,
        };
        let first = self.first_attempt(shard);
        let attempts = self
            .failed_attempts
            .get(&shard)
            .map_or(&[][..], Vec::as_slice);
        let counting = attempts.iter().filter(|&&attempt| attempt >= first);
        let last = counting.clone().max().copied();
        let last = last.filter(|_| counting.count() >= max_attempts as usize);
        match (revision, last) {
            (None, None) => ShardState::Open,
            (None, Some(last)) => ShardState::Failed { last },
            (Some(revision), None) => ShardState::Revising { revision },
            (Some(revision), Some(last)) => ShardState::RevisionFailed { revision, last },
        }
    }

    /// Returns the shards of which something is still to be made, in the order of the plan.
    pub fn open_shards<'a>(&'a self, run: &'a FrozenRun) -> impl Iterator<Item = &'a Shard> {
        let max_attempts = run.record.limits.max_attempts;
        let is_open = move |shard: &&Shard| self.state(shard.id, max_attempts).is_open();
        run.plan.shards.iter().filter(is_open)
    }

    /// Returns the number of the first attempt that counts.
    #[must_use]
    pub fn first_attempt(&self, shard: ShardId) -> u32 {
        self.decisions.first_attempt(shard)
    }

    /// Returns the number of the last failed attempt that counts; none if none does.
    #[must_use]
    pub fn last_failed_attempt(&self, shard: ShardId) -> Option<u32> {
        let first = self.first_attempt(shard);
        let attempts = self.failed_attempts.get(&shard)?.iter().copied();
        attempts.filter(|&attempt| attempt >= first).max()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shared::clock::SystemClock;
    use shared::decision::{Decision, DecisionKind, Items, Reopened, Retry};
    use shared::storage::MemoryStorage;

    use super::*;

    #[test]
    fn attempts_before_a_shard_was_reopened_do_not_count() {
        let shard = ShardId(7);
        let mut ledger = Ledger::default();
        assert_eq!(ledger.state(shard, 3), ShardState::Open);
        ledger.failed_attempts.insert(shard, vec![1, 2, 3]);
        assert_eq!(ledger.state(shard, 3), ShardState::Failed { last: 3 });
        ledger.decisions.reopened.insert(shard, 3);
        assert_eq!(ledger.state(shard, 3), ShardState::Open);
        ledger.failed_attempts.insert(shard, vec![1, 2, 3, 4, 5, 6]);
        assert_eq!(ledger.state(shard, 3), ShardState::Failed { last: 6 });
        ledger.committed.insert(shard);
        assert_eq!(ledger.state(shard, 3), ShardState::Committed);
    }

    #[tokio::test]
    async fn a_revision_that_was_decided_and_is_not_stored_opens_a_committed_shard_again() {
        let mut ledger = Ledger::default();
        let shard = ShardId(0);
        ledger.committed.insert(shard);
        let retry = |revision| DecisionKind::Resume {
            reopened: vec![Reopened {
                shard,
                last_attempt: 3,
            }],
            acknowledged_failures: 1,
            retried: vec![Retry {
                shard,
                revision,
                items: Items::default(),
            }],
            changed_inputs: Vec::new(),
        };
        let (storage, run) = (MemoryStorage::new(), "demo".parse().unwrap());
        let decide = async |ledger: &mut Ledger, revision| {
            let decision = Decision::made(retry(revision), &SystemClock);
            let decided = ledger.decisions.decide_next(&storage, &run, decision);
            decided.await.unwrap();
        };
        // One that was not decided, and one beyond a gap, hold nothing.
        ledger.revisions.insert(shard, BTreeSet::from([1, 3]));
        assert_eq!(ledger.state(shard, 3), ShardState::Committed);
        assert_eq!(ledger.num_revisions(shard), 0);
        ledger.revisions.clear();

        decide(&mut ledger, 1).await;
        assert_eq!(ledger.state(shard, 3), ShardState::Revising { revision: 1 });
        ledger.failed_attempts.insert(shard, vec![1, 2, 3, 4, 5]);
        assert_eq!(ledger.state(shard, 3), ShardState::Revising { revision: 1 });
        ledger.failed_attempts.insert(shard, vec![4, 5, 6]);
        let failed = ShardState::RevisionFailed {
            revision: 1,
            last: 6,
        };
        assert_eq!(ledger.state(shard, 3), failed);
        ledger.revisions.insert(shard, BTreeSet::from([1]));
        assert_eq!(ledger.state(shard, 3), ShardState::Committed);
        assert_eq!(ledger.num_revisions(shard), 1);
        decide(&mut ledger, 2).await;
        assert_eq!(ledger.state(shard, 7), ShardState::Revising { revision: 2 });
        // Without its rows it is made from the start.
        ledger.committed.clear();
        assert_eq!(ledger.state(shard, 7), ShardState::Open);
    }
}
