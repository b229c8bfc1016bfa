//! What storage says is done.

use std::collections::{BTreeMap, BTreeSet};

use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::failure::FailedAttempt;
use shared::ids::{RunId, ShardId};
use shared::manifest::{self, ManifestError, ManifestRow, Status};
use shared::storage::{Storage, StorageError, StorageErrorKind};

/// Why the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A manifest is damaged.
    #[error("{path} is damaged: remove it and run again to make it anew")]
    Manifest {
        /// The shard's or the run's manifest.
        path: String,
        /// Why.
        #[source]
        source: ManifestError,
    },
}

/// Which shards are committed, and how often the others failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The committed shards.
    pub committed: BTreeSet<ShardId>,
    /// Numbers of the failed attempts at each shard.
    pub failed_attempts: BTreeMap<ShardId, Vec<u32>>,
}

impl Ledger {
    /// Reads what storage says about a run.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Storage`] if storage cannot be listed.
    pub async fn read(storage: &dyn Storage, run: &RunId) -> Result<Self, LedgerError> {
        let shards = storage.list(&ArtifactPrefix::Shards(run.clone())).await?;
        let committed = shards
            .iter()
            .filter_map(|object| file_stem(&object.path)?.parse().ok())
            .collect();
        let mut failed_attempts: BTreeMap<ShardId, Vec<u32>> = BTreeMap::new();
        for object in storage
            .list(&ArtifactPrefix::FailedAttempts(run.clone()))
            .await?
        {
            let mut parts = object.path.rsplit('/').skip(1);
            let shard = parts.next().and_then(|part| part.parse().ok());
            let attempt = file_stem(&object.path).and_then(|stem| stem.parse().ok());
            if let (Some(shard), Some(attempt)) = (shard, attempt) {
                failed_attempts.entry(shard).or_default().push(attempt);
            }
        }
        Ok(Self {
            committed,
            failed_attempts,
        })
    }

    /// Returns the number that the next attempt at a shard gets.
    #[must_use]
    pub fn next_attempt(&self, shard: ShardId) -> u32 {
        self.failed_attempts
            .get(&shard)
            .and_then(|attempts| attempts.iter().max())
            .map_or(1, |last| last + 1)
    }
}

/// Returns the rows of a committed shard.
///
/// # Errors
///
/// [`LedgerError`] if it cannot be read.
pub async fn shard_rows(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
) -> Result<Vec<ManifestRow>, LedgerError> {
    let key = ArtifactKey::Shard(run.clone(), shard);
    let bytes = storage.read(&key).await?;
    manifest::read(bytes).map_err(|source| LedgerError::Manifest {
        path: storage.locate(&key),
        source,
    })
}

/// Returns the rows of shards that failed for good: they stand in the run's manifest only.
///
/// # Errors
///
/// [`LedgerError`] if there is a manifest and it cannot be read.
pub async fn failed_rows(
    storage: &dyn Storage,
    run: &RunId,
    ledger: &Ledger,
) -> Result<Vec<ManifestRow>, LedgerError> {
    let key = ArtifactKey::Manifest(run.clone());
    let bytes = match storage.read(&key).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind == StorageErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut rows = manifest::read(bytes).map_err(|source| LedgerError::Manifest {
        path: storage.locate(&key),
        source,
    })?;
    rows.retain(|row| row.status == Status::Failed && !ledger.committed.contains(&row.shard));
    Ok(rows)
}

/// Returns a failed attempt, if its record can be read.
pub async fn failed_attempt(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    attempt: u32,
) -> Option<FailedAttempt> {
    let bytes = storage
        .read(&ArtifactKey::FailedAttempt(run.clone(), shard, attempt))
        .await
        .ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn file_stem(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.split('.').next()
}
