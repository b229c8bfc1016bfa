//! Messages that are no shard to be made: of other runs, of what was not planned, with numbers that no attempt has.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordinator::run::ledger::ShardState;
use shared::artifact::ArtifactKey;
use shared::failure::MAX_ATTEMPT;
use shared::ids::ShardId;
use shared::queue::WorkQueue;
use shared::queue::message::ShardTask;
use shared::storage::MemoryStorage;
use tests::planned;

use super::fixture::{Fixture, ONE};

#[tokio::test(start_paused = true)]
async fn a_message_that_is_no_shard_of_a_run_here_goes_to_the_dead_letters() {
    let fixture = Fixture::of(&["a"]).await;
    let mut elsewhere = fixture
        .run
        .plan
        .task(&fixture.run.record.run, &fixture.run.plan.shards[0]);
    elsewhere.run = "elsewhere".parse().unwrap();
    fixture.broker.work.publish(&[elsewhere]).await.unwrap();
    fixture.work().await.unwrap();
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_about_what_was_not_planned_goes_to_the_dead_letters_and_leaves_nothing() {
    let storage = MemoryStorage::new();
    let fixture = Fixture::on(Arc::new(storage.clone()), &["a", "b"]).await;
    let before = storage.snapshot();
    let task = fixture
        .run
        .plan
        .task(&fixture.run.record.run, &fixture.run.plan.shards[0]);
    let of_shard = |shard| ShardTask {
        shard: ShardId(shard),
        ..task.clone()
    };
    let from_attempt = |first_attempt| ShardTask {
        first_attempt,
        ..task.clone()
    };
    let hostile = [
        of_shard(2),
        of_shard(u32::MAX),
        from_attempt(0),
        from_attempt(2),
        from_attempt(u32::MAX),
    ];
    fixture.broker.work.publish(&hostile).await.unwrap();
    fixture.work().await.unwrap();
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 5);
    assert_eq!(fixture.engine.conversions(), 0);
    assert_eq!(storage.snapshot(), before);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
    let is_attempt = |path: &&String| path.contains("/attempts/");
    assert_eq!(storage.snapshot().keys().find(is_attempt), None);
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_a_removed_run_end_and_its_workers_make_the_others() {
    let fixture = Fixture::of(&["a"]).await;
    let names: Vec<String> = (0..50).map(|number| format!("{number:03}")).collect();
    let removed = planned::run("removed", &names, &["night".to_owned()], ONE);
    let removed = Fixture {
        run: removed,
        ..fixture.seen_in(Arc::clone(&fixture.storage))
    };
    fixture.broker.work.publish(&removed.tasks()).await.unwrap();
    fixture.publish(None).await;
    let started = tokio::time::Instant::now();
    fixture.work().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(900));
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 50);
    fixture.collect().await;
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn numbers_that_no_attempt_has_stop_nobody_and_count_for_nothing() {
    let fixture = Fixture::of(&["a"]).await;
    let key =
        |number| ArtifactKey::FailedAttempt(fixture.run.record.run.clone(), ShardId(0), number);
    for number in [MAX_ATTEMPT + 1, u32::MAX] {
        fixture
            .storage
            .create(&key(number), Bytes::new())
            .await
            .unwrap();
    }
    let task = fixture.tasks().remove(0);
    let hostile = [MAX_ATTEMPT, MAX_ATTEMPT + 1, u32::MAX].map(|first_attempt| ShardTask {
        first_attempt,
        ..task.clone()
    });
    fixture.broker.work.publish(&hostile).await.unwrap();
    fixture.broker.work.publish(&[task]).await.unwrap();
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 3);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}
