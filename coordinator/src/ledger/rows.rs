//! Rows of committed shards and records of failed attempts.

use bytes::Bytes;
use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::failure::{FailedAttempt, FailureClass};
use shared::ids::{RunId, ShardId};
use shared::manifest::{self, ManifestError, ManifestRow};
use shared::storage::Storage;

use super::{Ledger, LedgerError};

type Read = fn(Bytes) -> Result<Vec<ManifestRow>, ManifestError>;

/// What is committed of a shard, each with its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Its commit.
    pub committed: Vec<ManifestRow>,
    /// Its revisions, from the first on.
    pub revisions: Vec<Vec<ManifestRow>>,
}

impl Parts {
    /// Returns the rows that hold.
    #[must_use]
    pub fn effective(self) -> Vec<ManifestRow> {
        manifest::effective(self.committed, self.revisions)
    }

    /// Returns the rows that held when there were so many revisions.
    #[must_use]
    pub fn effective_at(&self, revisions: usize) -> Vec<ManifestRow> {
        let revisions = self.revisions.iter().take(revisions).cloned();
        manifest::effective(self.committed.clone(), revisions)
    }
}

impl Ledger {
    /// Returns the rows that hold of a committed shard, without features.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if they cannot be read.
    pub async fn shard_rows(
        &self,
        storage: &dyn Storage,
        run: &RunId,
        shard: ShardId,
    ) -> Result<Vec<ManifestRow>, LedgerError> {
        let parts = self.read_parts(storage, run, shard, manifest::read).await?;
        Ok(parts.effective())
    }

    /// Returns the rows that hold of a committed shard with the features of their outputs.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if they cannot be read.
    pub async fn shard_rows_with_features(
        &self,
        storage: &dyn Storage,
        run: &RunId,
        shard: ShardId,
    ) -> Result<Vec<ManifestRow>, LedgerError> {
        let parts = self.shard_parts_with_features(storage, run, shard).await?;
        Ok(parts.effective())
    }

    /// Returns what is committed of a shard, without features.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if it cannot be read.
    pub async fn shard_parts(
        &self,
        storage: &dyn Storage,
        run: &RunId,
        shard: ShardId,
    ) -> Result<Parts, LedgerError> {
        self.read_parts(storage, run, shard, manifest::read).await
    }

    /// Returns what is committed of a shard with the features of its outputs.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if it cannot be read.
    pub async fn shard_parts_with_features(
        &self,
        storage: &dyn Storage,
        run: &RunId,
        shard: ShardId,
    ) -> Result<Parts, LedgerError> {
        self.read_parts(storage, run, shard, manifest::read_with_features)
            .await
    }

    async fn read_parts(
        &self,
        storage: &dyn Storage,
        run: &RunId,
        shard: ShardId,
        read: Read,
    ) -> Result<Parts, LedgerError> {
        let key = ArtifactKey::Shard(run.clone(), shard);
        let committed = read_rows(storage, key, read).await?;
        let revisions = (1..=self.num_revisions(shard)).map(|revision| {
            let key = ArtifactKey::ShardRevision(run.clone(), shard, revision);
            read_rows(storage, key, read)
        });
        Ok(Parts {
            committed,
            revisions: try_join_all(revisions).await?,
        })
    }
}

async fn read_rows(
    storage: &dyn Storage,
    key: ArtifactKey,
    read: Read,
) -> Result<Vec<ManifestRow>, LedgerError> {
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
