//! Whether storage answers is told to those who supervise a program, and asked no more often than it changes.

use std::sync::Arc;
use std::time::Duration;

use shared::artifact::ArtifactKey;
use shared::readiness::{Away, Readiness};
use shared::storage::{MemoryStorage, Storage};
use tests::vanishing::Vanishing;

#[tokio::test(start_paused = true)]
async fn an_answer_holds_for_some_seconds_and_storage_that_is_back_is_seen() {
    let storage = Vanishing::of(Arc::new(MemoryStorage::new()));
    let readiness = Readiness::new(storage.clone(), None);
    assert_eq!(readiness.away().await, None);
    let last_straw = ArtifactKey::RunRecord("last".parse().expect("a name"));
    storage.stop_answering_at(&last_straw);
    assert!(storage.read(&last_straw).await.is_err());
    assert_eq!(readiness.away().await, None);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(readiness.away().await, Some(Away::Storage));
    storage.answer_again();
    assert_eq!(readiness.away().await, Some(Away::Storage));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(readiness.away().await, None);
}
