//! What storage says is done, what failed, and what was decided.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::TryStreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::decision::{DecisionError, Decisions};
use shared::failure::{FailedAttempt, FailureClass};
use shared::ids::{RunId, ShardId};
use shared::manifest::{self, ManifestError, ManifestRow};
use shared::storage::{Storage, StorageError};

/// Why the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A decision cannot be read.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// A manifest is damaged.
    #[error("{path} is damaged: remove it and run again to make it anew")]
    Manifest {
        /// The shard's manifest.
        path: String,
        /// Why.
        #[source]
        source: ManifestError,
    },
}

/// Which shards are committed, how often the others failed, and what was decided about the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The committed shards.
    pub committed: BTreeSet<ShardId>,
    /// Numbers of the failed attempts at each shard.
    pub failed_attempts: BTreeMap<ShardId, Vec<u32>>,
    /// What was decided.
    pub decisions: Decisions,
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
}

impl Ledger {
    /// Reads what storage says about a run.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if storage cannot be listed or a decision cannot be read.
    pub async fn read(storage: &dyn Storage, run: &RunId) -> Result<Self, LedgerError> {
        let mut ledger = Self {
            decisions: Decisions::read(storage, run).await?,
            ..Self::default()
        };
        let mut pages = storage.list(&ArtifactPrefix::Shards(run.clone()));
        while let Some(page) = pages.try_next().await? {
            let shards = page
                .iter()
                .filter_map(|object| stem(&object.path)?.parse::<ShardId>().ok());
            ledger.committed.extend(shards);
        }
        let mut pages = storage.list(&ArtifactPrefix::FailedAttempts(run.clone()));
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let shard = object
                    .path
                    .rsplit('/')
                    .nth(1)
                    .and_then(|part| part.parse().ok());
                let attempt = stem(&object.path).and_then(|stem| stem.parse().ok());
                if let (Some(shard), Some(attempt)) = (shard, attempt) {
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
        if self.committed.contains(&shard) {
            return ShardState::Committed;
        }
        let first = self.first_attempt(shard);
        let attempts = self
            .failed_attempts
            .get(&shard)
            .map_or(&[][..], Vec::as_slice);
        let counting = attempts.iter().filter(|&&attempt| attempt >= first);
        match counting.clone().max() {
            Some(&last) if counting.count() >= max_attempts as usize => ShardState::Failed { last },
            Some(_) | None => ShardState::Open,
        }
    }

    /// Returns the number of the first attempt that counts.
    #[must_use]
    pub fn first_attempt(&self, shard: ShardId) -> u32 {
        self.decisions
            .reopened
            .get(&shard)
            .map_or(1, |last| last.saturating_add(1))
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

/// Returns the rows of a committed shard, without features.
///
/// # Errors
///
/// [`LedgerError`] if it cannot be read.
pub async fn shard_rows(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
) -> Result<Vec<ManifestRow>, LedgerError> {
    read_shard(storage, run, shard, manifest::read).await
}

/// Returns the rows of a committed shard with the features of their outputs.
///
/// # Errors
///
/// [`LedgerError`] if it cannot be read.
pub async fn shard_rows_with_features(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
) -> Result<Vec<ManifestRow>, LedgerError> {
    read_shard(storage, run, shard, manifest::read_with_features).await
}

async fn read_shard(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    read: fn(Bytes) -> Result<Vec<ManifestRow>, ManifestError>,
) -> Result<Vec<ManifestRow>, LedgerError> {
    let key = ArtifactKey::Shard(run.clone(), shard);
    let bytes = storage.read(&key).await?;
    let rows = shared::blocking::run(move || read(bytes)).await;
    rows.map_err(|source| LedgerError::Manifest {
        path: storage.locate(&key),
        source,
    })
}

/// Returns a failed attempt. One whose record cannot be read says so instead of its reason: it failed all the same.
///
/// # Errors
///
/// If storage fails.
pub async fn failed_attempt(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    attempt: u32,
) -> Result<FailedAttempt, LedgerError> {
    let key = ArtifactKey::FailedAttempt(run.clone(), shard, attempt);
    let bytes = storage.read(&key).await?;
    let unreadable = |error: serde_json::Error| FailedAttempt {
        attempt,
        error_class: FailureClass::Transient,
        error: format!(
            "its record {} cannot be read: {error}",
            storage.locate(&key)
        ),
        worker: String::new(),
        failed_at: jiff::Timestamp::UNIX_EPOCH,
    };
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(unreadable))
}

fn stem(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.split('.').next()
}

#[cfg(test)]
mod tests {
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
}
