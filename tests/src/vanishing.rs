//! Storage that lists what it does not have any more, as one from which somebody removes things meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::ids::RunId;
use shared::storage::{Created, Pages, Storage, StorageError, StorageErrorKind};
use tempfile::NamedTempFile;

/// Storage whose listings show objects that reading does not find.
#[derive(Debug)]
pub struct Vanishing {
    truth: Arc<dyn Storage>,
    /// Paths that are listed, and not found when they are read.
    vanished: Mutex<BTreeSet<String>>,
    /// What was listed, by its path.
    listings: Mutex<Vec<String>>,
}

impl Vanishing {
    /// Returns storage of which everything is there.
    #[must_use]
    pub fn of(truth: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self {
            truth,
            vanished: Mutex::default(),
            listings: Mutex::default(),
        })
    }

    /// Has an object listed and not found from now on, whether it is there already or not.
    pub fn take(&self, key: &ArtifactKey) {
        locked(&self.vanished).insert(key.path());
    }

    /// Returns how often a prefix was listed.
    #[must_use]
    pub fn num_listings(&self, prefix: &ArtifactPrefix) -> usize {
        let path = prefix.path();
        let listings = locked(&self.listings);
        listings.iter().filter(|listed| **listed == path).count()
    }

    fn has(&self, key: &ArtifactKey) -> bool {
        !locked(&self.vanished).contains(&key.path())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Storage for Vanishing {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        self.truth.create(key, bytes).await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        self.truth.replace(key, bytes).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        self.truth.replace_from_file(key, file).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        if self.has(key) {
            return self.truth.read(key).await;
        }
        Err(StorageError {
            kind: StorageErrorKind::NotFound,
            operation: "read",
            path: self.locate(key),
            source: None,
        })
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        Ok(self.has(key) && self.truth.exists(key).await?)
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        locked(&self.listings).push(prefix.path());
        self.truth.list(prefix)
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        self.truth.runs().await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        self.truth.check_writable().await
    }

    fn temporary_file(&self) -> Result<NamedTempFile, StorageError> {
        self.truth.temporary_file()
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.truth.locate(key)
    }
}
