//! Workers that stop: because they are told to, because their run is cancelled, or because they die.

use std::sync::Arc;
use std::time::Duration;

use coordinator::run::ledger::ShardState;
use futures::StreamExt;
use shared::clock::SystemClock;
use shared::decision::{Decision, DecisionKind};
use shared::queue::message::{ControlRequest, EventKind};
use shared::queue::{EventBus, WorkQueue, WorkerControl};
use shared::settings::ShardSize;
use shared::storage::MemoryStorage;
use tests::fake_engine::FakeEngine;
use tests::planned;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

use super::fixture::Fixture;

#[tokio::test(start_paused = true)]
async fn sixty_polite_stops_and_fifteen_deaths_of_its_workers_fail_no_shard() {
    let contents: Vec<String> = (0..80).map(|number| format!("{number:03}")).collect();
    let size = ShardSize {
        contents: contents.len(),
        styles: 1,
    };
    let run = planned::run("staged", &contents, &["night".to_owned()], size);
    let engine = FakeEngine::new(Duration::from_millis(10));
    let fixture = Fixture::of_run(Arc::new(MemoryStorage::new()), run, engine).await;
    fixture.publish(None).await;
    // While it converts.
    let soon = Duration::from_millis(5);
    for turn in 0..75 {
        let drain = CancellationToken::new();
        let consumer = fixture.consumer(&drain);
        if turn % 5 == 4 {
            let died = tokio::time::timeout(soon, consumer.run()).await;
            assert!(died.is_err(), "it ended before: {died:?}");
        } else {
            let stop = async {
                tokio::time::sleep(soon).await;
                drain.cancel();
            };
            let (worked, ()) = tokio::join!(consumer.run(), stop);
            worked.unwrap();
        }
    }
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0));
    assert_eq!(fixture.states().await, [ShardState::Open]);
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_stops_at_the_next_item() {
    let mut fixture = Fixture::of(&["a", "b"]).await;
    fixture.engine = FakeEngine::new(Duration::from_secs(60));
    fixture.publish(None).await;
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let mut ledger = fixture.ledger().await;
        let halt = DecisionKind::Halt {
            reason: "cancelled".to_owned(),
        };
        let run = &fixture.run.record.run;
        let storage = fixture.storage.as_ref();
        ledger
            .decisions
            .decide_next(storage, run, Decision::made(halt, &SystemClock))
            .await
            .unwrap();
    };
    let (worked, ()) = tokio::join!(fixture.work(), cancel);
    worked.unwrap();
    // The first was in hand, and is kept; the second was dropped.
    assert_eq!(fixture.engine.conversions(), 1);
    assert_eq!(fixture.states().await[1], ShardState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_a_shard_stops_when_it_is_asked_to() {
    let fixture = Fixture::of(&["a"]).await;
    let drain = CancellationToken::new();
    let consumer = fixture.consumer(&drain);
    let mut events = fixture.broker.events.subscribe().await;
    let work = tokio::spawn(async move { consumer.run().await });
    while !fixture
        .broker
        .control
        .send("worker", ControlRequest::Drain)
        .await
        .unwrap()
    {
        tokio::task::yield_now().await;
    }
    work.await.unwrap().unwrap();
    assert!(drain.is_cancelled());
    let stopped = EventKind::WorkerStopped {
        reason: "it was asked to".to_owned(),
    };
    while events.next().await.unwrap().kind != stopped {}
}

#[tokio::test(start_paused = true)]
async fn a_worker_to_which_no_shard_comes_for_as_long_as_it_waits_stops_after_the_last_one() {
    let mut fixture = Fixture::of(&["a", "b"]).await;
    fixture.engine = FakeEngine::new(Duration::from_secs(60));
    fixture.publish(None).await;
    let drain = CancellationToken::new();
    let consumer = Consumer {
        idle: Some(Duration::from_secs(10)),
        ..fixture.consumer(&drain)
    };
    let mut events = fixture.broker.events.subscribe().await;
    // A shard takes longer than it waits for one.
    consumer.run().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
    assert!(!drain.is_cancelled());
    let stopped = EventKind::WorkerStopped {
        reason: "no shard came to it".to_owned(),
    };
    while events.next().await.unwrap().kind != stopped {}
}
