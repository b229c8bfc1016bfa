//! Storage that lists what it does not have any more, as one from which things are removed meanwhile; or cannot read
//! what it has, as a disk with bad sectors; or does not answer at all.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::ids::RunId;
use shared::storage::{Created, Pages, Storage, StorageError, StorageErrorKind};
use tempfile::NamedTempFile;

/// Storage whose listings show objects that reading does not find or cannot read.
#[derive(Debug)]
pub struct Vanishing {
    truth: Arc<dyn Storage>,
    /// Paths that are listed, and not found when they are read.
    vanished: Mutex<BTreeSet<String>>,
    /// Paths that are there and cannot be read.
    spoilt: Mutex<BTreeSet<String>>,
    /// Paths about which it gives no answer, as a bucket of which too much is asked.
    throttled: Mutex<BTreeSet<String>>,
    /// The path at whose reading it stops answering.
    last_straw: Mutex<Option<String>>,
    is_away: AtomicBool,
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
            spoilt: Mutex::default(),
            throttled: Mutex::default(),
            last_straw: Mutex::default(),
            is_away: AtomicBool::new(false),
            listings: Mutex::default(),
        })
    }

    /// Has an object listed and not found from now on, whether it is there already or not.
    pub fn take(&self, key: &ArtifactKey) {
        locked(&self.vanished).insert(key.path());
    }

    /// Has an object that cannot be read from now on, while others can.
    pub fn spoil(&self, key: &ArtifactKey) {
        locked(&self.spoilt).insert(key.path());
    }

    /// Gives no answer about an object from now on, and about others as before.
    pub fn throttle(&self, key: &ArtifactKey) {
        locked(&self.throttled).insert(key.path());
    }

    /// Has every object read that is there.
    pub fn restore(&self) {
        locked(&self.spoilt).clear();
        locked(&self.throttled).clear();
    }

    /// Answers nothing any more once an object is to be read.
    pub fn stop_answering_at(&self, key: &ArtifactKey) {
        *locked(&self.last_straw) = Some(key.path());
    }

    /// Answers as before.
    pub fn answer_again(&self) {
        *locked(&self.last_straw) = None;
        self.is_away.store(false, Ordering::Relaxed);
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

    fn is_spoilt(&self, key: &ArtifactKey) -> bool {
        locked(&self.spoilt).contains(&key.path())
    }

    fn is_last_straw(&self, key: &ArtifactKey) -> bool {
        locked(&self.last_straw).as_deref() == Some(key.path().as_str())
    }

    /// Fails while it does not answer.
    fn answer(&self, operation: &'static str, path: &str) -> Result<(), StorageError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(failed(operation, path, "nobody answers"));
        }
        Ok(())
    }
}

fn failed(operation: &'static str, path: &str, why: &str) -> StorageError {
    StorageError {
        kind: StorageErrorKind::Unavailable,
        operation,
        path: path.to_owned(),
        source: Some(Box::new(io::Error::other(why))),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Storage for Vanishing {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        self.answer("create", &self.locate(key))?;
        self.truth.create(key, bytes).await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        self.answer("write", &self.locate(key))?;
        self.truth.replace(key, bytes).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        self.answer("write", &self.locate(key))?;
        self.truth.replace_from_file(key, file).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        if self.is_last_straw(key) {
            self.is_away.store(true, Ordering::Relaxed);
        }
        self.answer("read", &self.locate(key))?;
        if self.is_spoilt(key) {
            let why = "Input/output error (os error 5)";
            return Err(failed("read", &self.locate(key), why));
        }
        if locked(&self.throttled).contains(&key.path()) {
            return Err(StorageError {
                source: Some("503 SlowDown".into()),
                ..failed("read", &self.locate(key), "")
            });
        }
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
        self.answer("look for", &self.locate(key))?;
        Ok(self.has(key) && self.truth.exists(key).await?)
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        locked(&self.listings).push(prefix.path());
        match self.answer("list", &prefix.path()) {
            Ok(()) => self.truth.list(prefix),
            Err(error) => futures::stream::once(async move { Err(error) }).boxed(),
        }
    }

    async fn links(&self, prefix: &ArtifactPrefix) -> Result<Vec<String>, StorageError> {
        self.answer("list", &prefix.path())?;
        self.truth.links(prefix).await
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        self.answer("list", "the runs")?;
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
