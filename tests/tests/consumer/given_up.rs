//! Shards that fail, or kill their workers, until they are given up.

use std::time::Duration;

use coordinator::run::ledger::ShardState;
use coordinator::run::redo::Why;
use coordinator::work::resume::Only;
use shared::artifact::ArtifactKey;
use shared::failure::FailureClass;
use shared::ids::ShardId;
use shared::manifest::{self, Status};
use shared::queue::WorkQueue;
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;

#[tokio::test(start_paused = true)]
async fn a_shard_that_always_fails_is_given_up_and_the_others_are_made() {
    let fixture = Fixture::of(&["a", "cursed", "z"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let failed = ShardState::Failed { last: 3 };
    assert_eq!(
        fixture.states().await,
        [ShardState::Committed, failed, ShardState::Committed]
    );
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
    let manifest = ArtifactKey::Manifest(fixture.run.record.run.clone());
    let rows = manifest::read(fixture.storage.read(&manifest).await.unwrap()).unwrap();
    let status: Vec<_> = rows.iter().map(|row| row.status).collect();
    assert_eq!(status, [Status::Done, Status::Failed, Status::Done]);
    assert_eq!(rows[1].error_class, Some(FailureClass::Transient));

    // It is tried anew when somebody asks for it, and only then.
    assert_eq!(fixture.publish(Some(Only::Missing)).await, []);
    let redo = fixture.publish(Some(Only::Failed)).await;
    assert!(
        matches!(redo[0].why, Why::Failed { last: 3, .. }),
        "{redo:?}"
    );
    assert_eq!(fixture.states().await[1], ShardState::Open);
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await[1], ShardState::Failed { last: 6 });
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_kills_its_workers_is_given_up_by_the_broker_and_noted() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    while fixture.broker.work.depth().await.unwrap().dead == 0 {
        let consumer = fixture.consumer(&CancellationToken::new());
        let work = consumer.run();
        // It dies while it converts.
        let _ = tokio::time::timeout(Duration::from_millis(5), work).await;
    }
    assert_eq!(fixture.states().await, [ShardState::Open]);
    fixture.collect().await;
    assert_eq!(fixture.states().await, [ShardState::Failed { last: 3 }]);
    let run = &fixture.run.record.run;
    let failure =
        coordinator::run::ledger::failed_attempt(fixture.storage.as_ref(), run, ShardId(0), 3);
    let failure = failure.await.unwrap();
    assert!(
        failure.error.contains("delivered more than 20 times"),
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_does_not_fit_in_memory_is_given_up_after_one_pass_an_attempt() {
    let fixture = Fixture::without_memory().await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Failed { last: 3 }]);
    assert_eq!(fixture.engine.passes(), [5, 5, 5]);
}
