//! What is stored of a run's shards, in a few numbers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shared::ids::ShardId;

use super::Ledger;

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

impl Ledger {
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

    /// Returns the number of failed attempts of the run.
    #[must_use]
    pub fn num_failed_attempts(&self) -> usize {
        self.failed_attempts.values().map(Vec::len).sum()
    }
}
