//! What a collector does about dead letters: published again, kept waiting, or noted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordinator::run::ledger::ShardState;
use shared::artifact::ArtifactKey;
use shared::queue::{DeadLetterReason, Settlement, WorkQueue};
use shared::storage::MemoryStorage;
use tests::planned;

use super::fixture::Fixture;

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_given_up_again_and_again_is_published_ever_later() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    let collector = fixture.collector();
    let mut deliveries = fixture.broker.work.consume().await.unwrap();
    let mut given_up = 0;
    let give_up = async {
        while let Ok(delivery) = deliveries.next().await {
            given_up += 1;
            delivery.settle(Settlement::Reject).await.unwrap();
        }
    };
    let an_hour = tokio::time::sleep(Duration::from_secs(3600));
    tokio::select! {
        () = an_hour => {}
        () = collector.run() => panic!("the collector stopped"),
        () = give_up => {}
    }
    assert!((8..=16).contains(&given_up), "{given_up} times in an hour");
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_a_run_that_cannot_be_read_waits_and_holds_up_no_other() {
    let fixture = Fixture::of(&["a"]).await;
    let other = fixture.beside().await;
    let key = ArtifactKey::RunRecord(fixture.run.record.run.clone());
    let whole = fixture.storage.read(&key).await.unwrap();
    let damaged = Bytes::from_static(b"{}");
    fixture.storage.replace(&key, damaged).await.unwrap();
    fixture.broker.work.publish(&fixture.tasks()).await.unwrap();
    other.publish(None).await;
    fixture
        .broker
        .work
        .give_up_waiting(DeadLetterReason::Rejected);
    let collector = fixture.collector();
    let mend = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let ready = fixture.broker.work.depth().await.unwrap().ready;
        assert_eq!(ready, 1, "that of the other run");
        fixture.storage.replace(&key, whole).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    tokio::select! {
        () = mend => {}
        () = collector.run() => panic!("the collector stopped"),
    }
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_waits_while_the_storage_root_has_no_run() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    fixture
        .broker
        .work
        .give_up_waiting(DeadLetterReason::Rejected);
    let root = MemoryStorage::new();
    let collecting = fixture.seen_in(Arc::new(root.clone()));
    collecting.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
    planned::store(&root, &fixture.run).await;
    collecting.collect().await;
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_shard_nobody_tried_is_published_again_and_fails_nothing() {
    // By a policy of the broker, and for no reason that is known.
    for reason in [
        DeadLetterReason::Expired,
        DeadLetterReason::Dropped,
        DeadLetterReason::Rejected,
        DeadLetterReason::Unexplained,
    ] {
        let fixture = Fixture::of(&["a", "b", "c"]).await;
        fixture.publish(None).await;
        fixture.broker.work.give_up_waiting(reason);
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead), (0, 3));
        fixture.collect().await;
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead), (3, 0), "{reason:?}");
        assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
        fixture.work().await.unwrap();
        assert_eq!(fixture.states().await, [ShardState::Committed; 3]);

        // What was made meanwhile is not asked for again.
        fixture.broker.work.publish(&fixture.tasks()).await.unwrap();
        fixture.broker.work.give_up_waiting(reason);
        fixture.collect().await;
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead), (0, 0), "{reason:?}");
    }
}
