//! Workers whose storage root is not mounted, or is another one: they wait or leave, and fail nothing.

use std::sync::Arc;
use std::time::Duration;

use coordinator::run::ledger::ShardState;
use shared::artifact::ArtifactKey;
use shared::ids::ItemId;
use shared::queue::WorkQueue;
use shared::storage::{MemoryStorage, Storage};
use tests::planned;
use tests::vanishing::Vanishing;
use tokio_util::sync::CancellationToken;
use worker::consumer::ConsumerError;

use super::fixture::{Fixture, ONE};

#[tokio::test(start_paused = true)]
async fn a_worker_whose_root_is_not_mounted_takes_no_shards_and_leaves_with_the_reason() {
    let fixture = Fixture::of(&["a", "b"]).await;
    fixture.publish(None).await;
    // What an attempt stored in the folder where the root was mounted is no run.
    let folder = Arc::new(MemoryStorage::new());
    let item = ItemId {
        style: "fog".to_owned(),
        content: "a".to_owned(),
    };
    let image = ArtifactKey::Image(fixture.run.record.run.clone(), item);
    folder.create(&image, "an image".into()).await.unwrap();
    let unmounted = fixture.seen_in(folder);
    let started = tokio::time::Instant::now();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead, depth.consumers), (2, 0, 0));
    };
    let (ended, ()) = tokio::join!(unmounted.work(), meanwhile);
    let error = ended.unwrap_err();
    assert!(matches!(error, ConsumerError::NoRun { .. }), "{error}");
    let told = error.to_string();
    for words in [
        "no run staged",
        "runs/staged/run.json is not there",
        "is it the root that `launch` used?",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    assert!(started.elapsed() >= Duration::from_secs(600));

    // It has cost the run nothing.
    fixture.collect().await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_goes_on_when_its_root_is_mounted_again() {
    let fixture = Fixture::of(&["a", "b"]).await;
    fixture.publish(None).await;
    let root = MemoryStorage::new();
    let worker = fixture.seen_in(Arc::new(root.clone()));
    let mount = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        planned::store(&root, &fixture.run).await;
    };
    let (worked, ()) = tokio::join!(worker.work(), mount);
    worked.unwrap();
    assert_eq!(worker.states().await, [ShardState::Committed; 2]);
    assert_eq!(worker.ledger().await.num_failed_attempts(), 0);
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_its_root_stops_when_it_is_told_to() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    let unmounted = fixture.seen_in(Arc::new(MemoryStorage::new()));
    let drain = CancellationToken::new();
    let consumer = unmounted.consumer(&drain);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drain.cancel();
    };
    let (worked, ()) = tokio::join!(consumer.run(), stop);
    worked.unwrap();
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_root_has_other_runs_alone_leaves_and_fails_nothing() {
    let fixture = Fixture::of(&["a", "b", "c"]).await;
    fixture.publish(None).await;
    let wrong = MemoryStorage::new();
    let other = planned::run("other", &["b".to_owned()], &["night".to_owned()], ONE);
    planned::store(&wrong, &other).await;
    let wrong = fixture.seen_in(Arc::new(wrong));
    let consumer = wrong.consumer(&CancellationToken::new());
    let collector = fixture.collector();
    let ended = tokio::select! {
        ended = consumer.run() => ended,
        () = collector.run() => panic!("the collector stopped"),
    };
    let error = ended.unwrap_err();
    assert!(matches!(error, ConsumerError::NoRun { .. }), "{error}");
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(fixture.states().await, [ShardState::Open; 3]);
    fixture.work_until_committed().await;
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_committed_where_its_root_was_mounted_is_not_taken_for_done() {
    let storage = Vanishing::of(Arc::new(MemoryStorage::new()));
    let fixture = Fixture::on(Arc::clone(&storage) as Arc<dyn Storage>, &["a"]).await;
    fixture.publish(None).await;
    let drain = CancellationToken::new();
    let consumer = fixture.consumer(&drain);
    let stop = async {
        // While it converts.
        tokio::time::sleep(Duration::from_millis(5)).await;
        storage.take(&ArtifactKey::RunRecord(fixture.run.record.run.clone()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        drain.cancel();
    };
    let (worked, ()) = tokio::join!(consumer.run(), stop);
    worked.unwrap();
    assert_eq!(fixture.engine.conversions(), 1);
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0), "its message is there");
}
