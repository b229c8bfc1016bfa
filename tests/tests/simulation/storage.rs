//! Storage as one worker sees it: slow, failing, and cut off at any moment.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::ids::RunId;
use shared::storage::{Created, MemoryStorage, Pages, Storage, StorageError, StorageErrorKind};

/// What happens to the next write of some worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails and nothing is stored.
    Before,
    /// It fails although the object is stored.
    After,
}

/// Faults that wait for the next writes.
pub(crate) type Faults = Arc<Mutex<VecDeque<Fault>>>;

/// Storage that takes time, so that a worker can be cut off before an operation took effect and after it did.
#[derive(Debug, Clone)]
pub(crate) struct SlowStorage {
    pub(crate) truth: MemoryStorage,
    pub(crate) faults: Faults,
    /// So many of the next reads fail.
    pub(crate) failing_reads: Arc<AtomicUsize>,
}

/// Time before an operation takes effect, and again until its answer is there.
const HALF: Duration = Duration::from_millis(5);

impl SlowStorage {
    async fn before(&self) {
        tokio::time::sleep(HALF).await;
    }

    async fn after<T>(
        &self,
        answer: Result<T, StorageError>,
        fault: Option<Fault>,
    ) -> Result<T, StorageError> {
        tokio::time::sleep(HALF).await;
        match fault {
            Some(Fault::After) => Err(unavailable()),
            Some(Fault::Before) | None => answer,
        }
    }

    fn next_fault(&self) -> Option<Fault> {
        self.faults.lock().unwrap().pop_front()
    }
}

fn unavailable() -> StorageError {
    StorageError {
        kind: StorageErrorKind::Unavailable,
        operation: "reach",
        path: "the simulation".to_owned(),
        source: None,
    }
}

#[async_trait]
impl Storage for SlowStorage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        self.before().await;
        let fault = self.next_fault();
        if fault == Some(Fault::Before) {
            return Err(unavailable());
        }
        let answer = self.truth.create(key, bytes).await;
        self.after(answer, fault).await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        self.before().await;
        let fault = self.next_fault();
        if fault == Some(Fault::Before) {
            return Err(unavailable());
        }
        let answer = self.truth.replace(key, bytes).await;
        self.after(answer, fault).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        self.before().await;
        let fault = self.next_fault();
        if fault == Some(Fault::Before) {
            return Err(unavailable());
        }
        let answer = self.truth.replace_from_file(key, file).await;
        self.after(answer, fault).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        self.before().await;
        let one_less = |left: usize| left.checked_sub(1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        if self
            .failing_reads
            .fetch_update(set, fetch, one_less)
            .is_ok()
        {
            return Err(unavailable());
        }
        let answer = self.truth.read(key).await;
        self.after(answer, None).await
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        self.before().await;
        let answer = self.truth.exists(key).await;
        self.after(answer, None).await
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        self.truth.list(prefix)
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        self.truth.runs().await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.truth.locate(key)
    }
}
