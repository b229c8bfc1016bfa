//! Retries in the hands of workers: of two at once, of one that dies, and messages about what was not decided.

use std::time::Duration;

use coordinator::work::embedded::Stopped;
use shared::queue::WorkQueue;
use shared::queue::message::ShardTask;
use tokio_util::sync::CancellationToken;

use super::fixture::{FIRST, Fixture, numbers};

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_hands_of_two_workers_is_committed_once() {
    let fixture = Fixture::made(&["a", "bad-1", "bad-2"]).await;
    fixture.engine.mend();
    let redo = fixture.retry().await;
    fixture.publish(&redo).await;
    fixture.publish(&redo).await;
    fixture.work().await;
    assert_eq!(numbers(&fixture.counts().await), (6, 0, 0));
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(fixture.findings().await, [""; 0]);
    // One that comes late finds it done.
    let made = fixture.engine.conversions();
    fixture.publish(&redo).await;
    fixture.work().await;
    assert_eq!(fixture.engine.conversions(), made);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_over_any_step_of_a_retry_loses_nothing() {
    for milliseconds in 0..60 {
        let fixture = Fixture::made(&["a", "bad-1", "bad-2"]).await;
        fixture.engine.mend();
        let redo = fixture.retry().await;
        fixture.publish(&redo).await;
        let consumer = fixture.consumer("dies", &CancellationToken::new());
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), consumer.run()).await;
        fixture.work().await;
        assert_eq!(fixture.go().await, Stopped::AtItsEnd);
        assert_eq!(
            numbers(&fixture.counts().await),
            (6, 0, 0),
            "after {milliseconds} ms"
        );
        assert_eq!(fixture.findings().await, [""; 0], "after {milliseconds} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_about_a_revision_that_was_not_decided_makes_nothing() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    fixture.engine.mend();
    let task = |revision| ShardTask {
        revision,
        ..fixture
            .run
            .plan
            .task(&fixture.run.record.run, &fixture.run.plan.shards[0])
    };
    fixture
        .broker
        .work
        .publish(&[task(1), task(7)])
        .await
        .unwrap();
    fixture.work().await;
    assert_eq!(numbers(&fixture.counts().await), (2, 2, 0));
    assert_eq!(fixture.engine.conversions(), 2);

    fixture.retry().await;
    // The second would be out of turn, and a shard without its commit is made from the start.
    fixture.broker.work.publish(&[task(2)]).await.unwrap();
    fixture.work().await;
    assert_eq!(fixture.state().await, FIRST);
    let bare = Fixture::of(&["a"]).await;
    bare.broker.work.publish(&[task(1)]).await.unwrap();
    bare.work().await;
    assert_eq!(bare.engine.conversions(), 0);
}
