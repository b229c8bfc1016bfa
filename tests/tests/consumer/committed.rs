//! Shards that are committed: synced before their message goes, and mended when an image of theirs is gone.

use std::path::Path;
use std::sync::Arc;

use coordinator::output::audit;
use coordinator::run::gone::Gone;
use coordinator::run::redo::Why;
use coordinator::work::resume::Only;
use shared::queue::{InProcessBroker, WorkQueue};
use shared::storage::LocalStorage;
use tests::power::Recorder;
use tests::power::recorder::Record;

use super::fixture::Fixture;

#[tokio::test]
async fn an_image_of_a_committed_shard_that_is_gone_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let fixture = Fixture::on(storage, &["a", "b"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let image = folder.path().join("runs/staged/images/night/b.png");
    let before = std::fs::read(&image).unwrap();
    std::fs::remove_file(&image).unwrap();

    let redo = fixture.publish(Some(Only::Missing)).await;
    let gone = Gone {
        num_items: 1,
        paths: ["runs/staged/images/night/b.png".to_owned()].into(),
        ..Gone::default()
    };
    assert_eq!(redo[0].why, Why::ArtifactsMissing(gone));
    assert_eq!(redo.len(), 1);
    fixture.work().await.unwrap();
    assert_eq!(std::fs::read(&image).unwrap(), before);
    let report = audit::audit(fixture.storage.as_ref(), &fixture.run)
        .await
        .unwrap();
    assert_eq!(report.findings, [""; 0]);
}

#[tokio::test]
async fn a_shard_that_another_worker_committed_survives_before_its_message_goes() {
    let folder = tempfile::tempdir().unwrap();
    let other = Fixture::on(Arc::new(LocalStorage::new(folder.path())), &["a"]).await;
    other.publish(None).await;
    other.work().await.unwrap();

    let recorder = Recorder::new(folder.path());
    let fixture = Fixture {
        storage: Arc::new(recorder.storage()),
        broker: InProcessBroker::new(),
        run: other.run.clone(),
        engine: Arc::clone(&other.engine),
    };
    let plan = &fixture.run.plan;
    let task = plan.task(&fixture.run.record.run, &plan.shards[0]);
    fixture.broker.work.publish(&[task]).await.unwrap();
    fixture.work().await.unwrap();
    let shards = Path::new("runs/staged/shards");
    let is_synced =
        |record: &Record| matches!(record, Record::NamesSynced(path, _) if path == shards);
    assert!(recorder.records().iter().any(is_synced));
}
