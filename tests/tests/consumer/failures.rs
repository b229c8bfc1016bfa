//! What a failure costs: its item, an attempt, or the worker.

use std::sync::Arc;

use bytes::Bytes;
use coordinator::run::ledger::ShardState;
use shared::artifact::ArtifactKey;
use shared::failure::FailureClass;
use shared::ids::{MAX_NAME_BYTES, ShardId};
use shared::manifest::{self, Status};
use shared::queue::WorkQueue;
use shared::seal::Seal;
use shared::settings::WatchdogConfig;
use shared::storage::LocalStorage;
use worker::consumer::ConsumerError;

use super::fixture::Fixture;

#[tokio::test]
async fn a_content_whose_name_no_file_can_have_is_quarantined_at_its_first_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    // A name of ours may be so long, and with its ending no file's.
    let long = "x".repeat(MAX_NAME_BYTES);
    let fixture = Fixture::on(storage, &["a", &long]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    let key = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(1));
    let rows = manifest::read(fixture.storage.read(&key).await.unwrap()).unwrap();
    assert_eq!(rows[0].status, Status::Quarantined);
    assert_eq!(rows[0].error_class, Some(FailureClass::BadInput));
    let reason = rows[0].error.as_deref().unwrap_or_default();
    assert!(
        reason.contains("longer than the file system takes"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_folder_in_the_place_of_an_image_costs_its_item_and_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let fixture = Fixture::on(storage, &["a", "b"]).await;
    let place = folder.path().join("runs/staged/images/night/a.png");
    std::fs::create_dir_all(&place).unwrap();
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
    let key = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(0));
    let rows = manifest::read(fixture.storage.read(&key).await.unwrap()).unwrap();
    let reason = rows[0].error.as_deref().unwrap_or_default();
    assert!(reason.contains("a folder is in its place"), "{reason}");
    assert!(place.is_dir(), "it is left");
}

#[tokio::test(start_paused = true)]
async fn the_record_of_a_failed_attempt_is_sealed_and_one_changed_byte_is_noticed() {
    let fixture = Fixture::of(&["cursed"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let key = ArtifactKey::FailedAttempt(fixture.run.record.run.clone(), ShardId(0), 1);
    let stored = fixture.storage.read(&key).await.unwrap();
    assert_eq!(shared::seal::open(&stored, &key).seal, Seal::Whole);
    let text = String::from_utf8(stored.to_vec()).unwrap();
    let changed = text.replace("\"worker\": \"worker\"", "\"worker\": \"another\"");
    assert_ne!(changed, text);
    let changed = Bytes::from(changed.into_bytes());
    fixture.storage.replace(&key, changed).await.unwrap();
    let failure = fixture.failure(1).await;
    assert!(failure.error.contains("cannot be read"), "{failure:?}");
    assert!(
        failure.error.contains("attempts/000000/1.json"),
        "{failure:?}"
    );
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 3, "it counts");
    let report = coordinator::output::audit::audit(fixture.storage.as_ref(), &fixture.run).await;
    let findings = report.unwrap().findings;
    let is_named = |finding: &String| finding.contains("attempts/000000/1.json");
    assert!(findings.iter().any(is_named), "{findings:?}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_costs_an_attempt_and_its_worker() {
    let fixture = Fixture::of(&["hanging"]).await;
    fixture.publish(None).await;
    let started = tokio::time::Instant::now();
    let error = fixture.work().await.unwrap_err();
    assert!(matches!(error, ConsumerError::Stuck { .. }), "{error}");
    assert!(
        error.to_string().contains("start this worker anew"),
        "{error}"
    );
    let first = WatchdogConfig::default().first;
    assert!((first..2 * first).contains(&started.elapsed()));
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.failed_attempts[&ShardId(0)], [1]);
    assert_eq!(
        fixture.broker.work.depth().await.unwrap().ready,
        1,
        "it was given back"
    );
}

#[tokio::test(start_paused = true)]
async fn what_will_never_work_here_stops_the_worker_and_counts_for_nothing() {
    let fixture = Fixture::of(&["fatal"]).await;
    fixture.publish(None).await;
    let error = fixture.work().await.unwrap_err();
    assert!(matches!(error, ConsumerError::Fatal { .. }), "{error}");
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(
        fixture.broker.work.depth().await.unwrap().ready,
        1,
        "it was given back"
    );
}

#[tokio::test]
async fn a_damaged_image_fails_its_shard_and_names_itself() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let fixture = Fixture::on(storage, &["a"]).await;
    let key = ArtifactKey::Image(
        fixture.run.record.run.clone(),
        fixture.run.plan.item((0, 0)),
    );
    let damaged = Bytes::from_static(b"half an image");
    fixture.storage.create(&key, damaged).await.unwrap();
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let run = &fixture.run.record.run;
    let failure =
        coordinator::run::ledger::failed_attempt(fixture.storage.as_ref(), run, ShardId(0), 1);
    let failure = failure.await.unwrap();
    assert!(failure.error.contains("night/a.png"), "{failure:?}");
    assert!(failure.error.contains("other bytes"), "{failure:?}");
}
