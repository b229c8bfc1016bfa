//! What storage says is done, what failed, and what was decided.

mod rows;

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
pub use rows::{Parts, failed_attempt};
use serde::{Deserialize, Serialize};
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::decision::{DecisionError, Decisions, Items};
use shared::ids::ShardId;
use shared::manifest::ManifestError;
use shared::storage::{Storage, StorageError};
use shared::wording::first_of;

use crate::run::freeze::FrozenRun;
use crate::run::gone::{RUN_AGAIN, Vanished};
use crate::run::unreadable::Unreadable;

/// Why the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A decision cannot be read.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// Something of a shard was listed and is not there any more.
    #[error("{}; {}", .0, RUN_AGAIN)]
    Gone(Vanished),
    /// Something of a shard cannot be read, and the rest of storage can.
    #[error("{0}: put a copy of it in its place, or remove it and run again to make it anew")]
    Unreadable(#[source] Unreadable),
    /// A manifest is damaged.
    #[error("{path} is damaged: remove it and run again to make it anew")]
    Manifest {
        /// The shard's manifest.
        path: String,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A manifest has other rows than those of its shard or revision.
    #[error(
        "{path} holds other rows than it must: {}: remove it and run again to make it anew",
        first_of(.differences, "; ")
    )]
    OtherRows {
        /// The shard's manifest.
        path: String,
        /// What differs.
        differences: Vec<String>,
    },
}

impl LedgerError {
    /// Returns whether it is about a file of a shard that is damaged or cannot be read, and not about storage: nothing but
    /// removing the file helps, and other shards are not concerned.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Manifest { .. } | Self::OtherRows { .. } => true,
            Self::Storage(_) | Self::Decision(_) | Self::Gone(_) => false,
        }
    }

    /// Returns what storage said, if it is about storage.
    #[must_use]
    pub fn of_storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) | Self::Decision(DecisionError::Storage(error)) => Some(error),
            Self::Decision(
                DecisionError::Malformed { .. }
                | DecisionError::TooLarge { .. }
                | DecisionError::Meanwhile { .. },
            )
            | Self::Gone(_)
            | Self::Unreadable(_)
            | Self::Manifest { .. }
            | Self::OtherRows { .. } => None,
        }
    }
}

/// Which shards are committed, how often the others failed, and what was decided about the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The committed shards.
    pub committed: BTreeSet<ShardId>,
    /// Numbers of the revisions of each shard that are stored.
    pub revisions: BTreeMap<ShardId, BTreeSet<u32>>,
    /// Sizes of the stored commits, as revision 0 of their shards, and of revisions, in bytes.
    pub size_bytes: BTreeMap<(ShardId, u32), u64>,
    /// What lies among the shards and belongs to none that was planned, below the run's folder.
    pub orphans: BTreeSet<String>,
    /// Numbers of the failed attempts at each shard.
    pub failed_attempts: BTreeMap<ShardId, Vec<u32>>,
    /// What was decided.
    pub decisions: Decisions,
}

/// What is stored of a run's shards, in a few numbers: of another mark, rows have come, gone or changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Commits, those of revisions included.
    pub commits: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Failed attempts.
    pub failed_attempts: usize,
}

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
    /// Reads what storage says about the planned shards of a run.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if storage cannot be listed or a decision cannot be read.
    pub async fn read(storage: &dyn Storage, run: &FrozenRun) -> Result<Self, LedgerError> {
        let num_shards = run.plan.shards.len();
        let is_planned = |shard: ShardId| (shard.0 as usize) < num_shards;
        let plan = &run.plan;
        let run = &run.record.run;
        let decisions = Decisions::read(storage, run).await?;
        decisions.check(storage, run, plan).await?;
        let mut ledger = Self {
            decisions,
            ..Self::default()
        };
        let prefix = ArtifactPrefix::Shards(run.clone());
        let folder = prefix.path();
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let stored = stored_shard(&object.path);
                let Some((shard, revision)) = stored.filter(|&(shard, _)| is_planned(shard)) else {
                    let name = object.path.strip_prefix(&folder).unwrap_or(&object.path);
                    ledger.orphans.insert(format!("shards/{name}"));
                    continue;
                };
                match revision {
                    None => {
                        ledger.committed.insert(shard);
                    }
                    Some(revision) => {
                        ledger.revisions.entry(shard).or_default().insert(revision);
                    }
                }
                let number = revision.unwrap_or(0);
                ledger.size_bytes.insert((shard, number), object.size_bytes);
            }
        }
        let prefix = ArtifactPrefix::FailedAttempts(run.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let stored = stored_attempt(&object.path);
                if let Some((shard, attempt)) = stored.filter(|&(shard, _)| is_planned(shard)) {
                    let attempts = ledger.failed_attempts.entry(shard).or_default();
                    attempts.push(attempt);
                }
            }
        }
        Ok(ledger)
    }

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

    /// Returns a mark of what is stored of the run's shards.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            commits: self.num_commits(),
            bytes: self.commit_bytes(),
            failed_attempts: self.num_failed_attempts(),
        }
    }

    /// Returns how many commits are stored, those of revisions included.
    #[must_use]
    pub fn num_commits(&self) -> usize {
        let revisions = self.revisions.values().map(BTreeSet::len);
        self.committed.len() + revisions.sum::<usize>()
    }

    /// Returns the size of all that holds of a shard, in bytes. A shard of another size has other rows.
    #[must_use]
    pub fn shard_bytes(&self, shard: ShardId) -> u64 {
        let parts = 0..=self.num_revisions(shard);
        let sizes = parts.filter_map(|part| self.size_bytes.get(&(shard, part)));
        sizes.fold(0_u64, |sum, &size| sum.saturating_add(size))
    }

    /// Returns the size of all commits, in bytes.
    #[must_use]
    pub fn commit_bytes(&self) -> u64 {
        let sizes = self.size_bytes.values();
        sizes.fold(0_u64, |sum, &size| sum.saturating_add(size))
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

    /// Returns the number of failed attempts of the run.
    #[must_use]
    pub fn num_failed_attempts(&self) -> usize {
        self.failed_attempts.values().map(Vec::len).sum()
    }
}

/// Returns which shard an object at this path holds the rows of, and for a revision its number.
fn stored_shard(path: &str) -> Option<(ShardId, Option<u32>)> {
    match ArtifactKey::parse(path)? {
        ArtifactKey::Shard(_, shard) => Some((shard, None)),
        ArtifactKey::ShardRevision(_, shard, revision) => Some((shard, Some(revision))),
        _ => None,
    }
}

/// Returns which attempt at which shard an object at this path is the record of.
fn stored_attempt(path: &str) -> Option<(ShardId, u32)> {
    match ArtifactKey::parse(path)? {
        ArtifactKey::FailedAttempt(_, shard, attempt) => Some((shard, attempt)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use shared::clock::SystemClock;
    use shared::decision::{Decision, DecisionKind, Reopened, Retry};
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
