//! Storage that does not answer while a model is away.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::ids::RunId;
use shared::storage::{Created, Pages, Storage, StorageError, StorageErrorKind};
use tokio::time::Instant;
use worker::attempt::Progress;
use worker::consumer::Consumer;
use worker::run_context::RunContextProvider;

use super::fixture::{Fixture, TakenUp};
use super::models::AWAY;

/// Storage that does not answer for some time.
#[derive(Debug)]
struct Unanswering {
    storage: Arc<dyn Storage>,
    answers_from: Instant,
}

impl Unanswering {
    fn check(&self, operation: &'static str, key: &ArtifactKey) -> Result<(), StorageError> {
        if Instant::now() >= self.answers_from {
            return Ok(());
        }
        Err(StorageError {
            kind: StorageErrorKind::Unavailable,
            operation,
            path: self.locate(key),
            source: None,
        })
    }
}

#[async_trait]
impl Storage for Unanswering {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        self.check("create", key)?;
        self.storage.create(key, bytes).await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        self.check("write", key)?;
        self.storage.replace(key, bytes).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        self.check("write", key)?;
        self.storage.replace_from_file(key, file).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        self.check("read", key)?;
        self.storage.read(key).await
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        self.check("look for", key)?;
        self.storage.exists(key).await
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        self.storage.list(prefix)
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        self.storage.runs().await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        self.storage.check_writable().await
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.storage.locate(key)
    }
}

#[tokio::test(start_paused = true)]
async fn time_in_which_storage_did_not_answer_is_none_in_which_a_model_was_away() {
    let fixture = Fixture::new().await;
    let run_contexts = fixture.without_model(AWAY[0]);
    let taken_up = Arc::<TakenUp>::default();
    let storage = Unanswering {
        storage: Arc::clone(&fixture.storage),
        answers_from: Instant::now() + Duration::from_secs(700),
    };
    let consumer = Consumer {
        storage: Arc::new(storage),
        run_contexts: Arc::clone(&run_contexts) as Arc<dyn RunContextProvider>,
        progress: Arc::clone(&taken_up) as Arc<dyn Progress>,
        ..fixture.consumer()
    };
    let back = fixture.after(800, || run_contexts.is_away.store(false, Ordering::Relaxed));
    tokio::join!(fixture.has_worked_until_drained(consumer), back);
    assert_eq!(fixture.done().await, 2);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(taken_up.0.load(Ordering::Relaxed), 1, "it was given back");
}
