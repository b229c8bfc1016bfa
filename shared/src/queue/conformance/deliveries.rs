//! Shards published, delivered and settled.
#![expect(missing_docs, reason = "each name is its sentence")]

use std::collections::BTreeSet;

use futures::FutureExt;
use futures::future::{Either, select};

use super::{
    Subject, consume, dead_letter, is_empty, is_lost, next, publish, read, settle, soon, take_all,
    task, until,
};
use crate::queue::{DELIVERY_LIMIT, DeadLetterReason, Settlement};

pub async fn what_was_published_is_delivered_as_it_was(subject: &Subject) {
    publish(subject, 1).await;
    let delivery = next(&mut consume(subject).await).await;
    assert_eq!(read(&delivery), task(0));
    assert_eq!(delivery.redeliveries, 0);
    assert_eq!(delivery.dead_letter, None);
}

pub async fn thousands_are_published_at_once(subject: &Subject) {
    publish(subject, 2000).await;
    let depth = subject.broker.work.depth().await.expect("counts");
    assert_eq!(depth.ready, 2000);
}

pub async fn a_task_that_is_published_twice_is_there_twice(subject: &Subject) {
    publish(subject, 1).await;
    publish(subject, 1).await;
    assert_eq!(take_all(subject, 2).await.len(), 1);
    is_empty(subject).await;
}

pub async fn a_consumer_waits_for_a_message(subject: &Subject) {
    let mut consumer = consume(subject).await;
    let (delivery, ()) = tokio::join!(next(&mut consumer), publish(subject, 1));
    assert_eq!(read(&delivery), task(0));
}

pub async fn giving_up_waiting_loses_no_message(subject: &Subject) {
    let mut consumer = consume(subject).await;
    assert!(consumer.next().now_or_never().is_none());
    publish(subject, 1).await;
    assert_eq!(read(&next(&mut consumer).await), task(0));
}

pub async fn a_consumer_has_one_message_at_a_time(subject: &Subject) {
    publish(subject, 2).await;
    let mut first = consume(subject).await;
    let in_hand = next(&mut first).await;
    // It would be in the first one's hands if that took more than one.
    let mut second = consume(subject).await;
    let other = next(&mut second).await;
    assert_ne!(read(&in_hand).shard, read(&other).shard);
}

pub async fn two_consumers_share_the_messages(subject: &Subject) {
    publish(subject, 40).await;
    let (a, b) = tokio::join!(take_all(subject, 20), take_all(subject, 20));
    assert_eq!(a.union(&b).count(), 40, "each message went to one of them");
    is_empty(subject).await;
}

pub async fn an_acknowledged_message_is_gone(subject: &Subject) {
    publish(subject, 1).await;
    take_all(subject, 1).await;
    is_empty(subject).await;
}

pub async fn a_released_message_goes_to_somebody_else(subject: &Subject) {
    publish(subject, 1).await;
    let mut first = consume(subject).await;
    let delivery = next(&mut first).await;
    settle(delivery, Settlement::Release).await;
    drop(first);
    assert_eq!(take_all(subject, 1).await.len(), 1);
    is_empty(subject).await;
}

pub async fn a_released_message_waits_behind_the_others(subject: &Subject) {
    publish(subject, 2).await;
    let mut consumer = consume(subject).await;
    let first = next(&mut consumer).await;
    let released = read(&first);
    settle(first, Settlement::Release).await;
    let second = next(&mut consumer).await;
    assert_ne!(read(&second), released);
    settle(second, Settlement::Ack).await;
    let first = next(&mut consumer).await;
    assert_eq!(read(&first), released);
    settle(first, Settlement::Ack).await;
    drop(consumer);
    is_empty(subject).await;
}

pub async fn releases_cost_a_message_nothing(subject: &Subject) {
    publish(subject, 1).await;
    for _ in 0..3 * DELIVERY_LIMIT {
        let mut consumer = consume(subject).await;
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.redeliveries, 0);
        consumer.stop().await;
        settle(delivery, Settlement::Release).await;
    }
    assert_eq!(take_all(subject, 1).await.len(), 1);
    is_empty(subject).await;
}

pub async fn deliveries_without_an_end_are_counted_whatever_was_released_in_between(
    subject: &Subject,
) {
    publish(subject, 1).await;
    let mut consumer = consume(subject).await;
    for returned in 0..=DELIVERY_LIMIT {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.redeliveries, returned);
        settle(delivery, Settlement::Release).await;
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.redeliveries, returned);
        drop(delivery);
    }
    let buried = Box::pin(async {
        let (_dead, delivery) = dead_letter(subject).await;
        assert_eq!(read(&delivery), task(0));
        assert_eq!(delivery.dead_letter, Some(DeadLetterReason::DeliveryLimit));
        settle(delivery, Settlement::Ack).await;
    });
    match select(consumer.next(), buried).await {
        Either::Left((taken, _)) => panic!("it came once more: {taken:?}"),
        Either::Right(((), _)) => {}
    }
    drop(consumer);
    is_empty(subject).await;
}

pub async fn a_consumer_that_stops_costs_what_waits_nothing(subject: &Subject) {
    publish(subject, 2).await;
    let mut first = consume(subject).await;
    let delivery = next(&mut first).await;
    let taken = read(&delivery);
    // The other one may be on its way by now, as nothing is in hand.
    settle(delivery, Settlement::Ack).await;
    first.stop().await;
    drop(first);
    let mut second = consume(subject).await;
    let other = next(&mut second).await;
    assert_ne!(read(&other), taken);
    assert_eq!(other.redeliveries, 0);
    settle(other, Settlement::Ack).await;
    drop(second);
    is_empty(subject).await;
}

pub async fn a_message_is_delivered_again_when_its_consumer_goes(subject: &Subject) {
    publish(subject, 1).await;
    let mut first = consume(subject).await;
    let held = next(&mut first).await;
    drop(first);
    let mut second = consume(subject).await;
    let delivery = next(&mut second).await;
    assert_eq!(read(&delivery), read(&held));
    assert_eq!(delivery.redeliveries, 1);
}

pub async fn a_message_that_was_dropped_is_delivered_again(subject: &Subject) {
    publish(subject, 1).await;
    let mut consumer = consume(subject).await;
    drop(next(&mut consumer).await);
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.redeliveries, 1);
    settle(delivery, Settlement::Ack).await;
    drop(consumer);
    is_empty(subject).await;
}

pub async fn a_rejected_message_is_a_dead_letter(subject: &Subject) {
    publish(subject, 1).await;
    let mut consumer = consume(subject).await;
    settle(next(&mut consumer).await, Settlement::Reject).await;
    let (_dead, delivery) = dead_letter(subject).await;
    assert_eq!(read(&delivery), task(0));
    assert_eq!(delivery.dead_letter, Some(DeadLetterReason::Rejected));
}

pub async fn a_message_that_comes_back_too_often_is_a_dead_letter(subject: &Subject) {
    publish(subject, 1).await;
    let mut consumer = consume(subject).await;
    for returned in 0..=DELIVERY_LIMIT {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.redeliveries, returned);
    }
    drop(consumer);
    let (_dead, delivery) = dead_letter(subject).await;
    assert_eq!(read(&delivery), task(0));
    assert_eq!(delivery.dead_letter, Some(DeadLetterReason::DeliveryLimit));
}

pub async fn a_dead_letter_stays_until_it_is_acknowledged(subject: &Subject) {
    publish(subject, 1).await;
    let mut consumer = consume(subject).await;
    settle(next(&mut consumer).await, Settlement::Reject).await;
    drop(consumer);
    for settlement in [Settlement::Reject, Settlement::Release, Settlement::Ack] {
        let (_dead, delivery) = dead_letter(subject).await;
        settle(delivery, settlement).await;
    }
    is_empty(subject).await;
}

pub async fn a_dead_letter_that_is_released_waits_behind_the_others_and_says_why_it_is_one(
    subject: &Subject,
) {
    publish(subject, 2).await;
    let mut consumer = consume(subject).await;
    for _ in 0..2 {
        settle(next(&mut consumer).await, Settlement::Reject).await;
    }
    drop(consumer);
    until("two dead letters", || async {
        subject.broker.work.depth().await.expect("counts").dead == 2
    })
    .await;
    let (mut dead, first) = dead_letter(subject).await;
    let released = read(&first);
    settle(first, Settlement::Release).await;
    let second = next(&mut dead).await;
    assert_ne!(read(&second), released);
    settle(second, Settlement::Ack).await;
    let first = next(&mut dead).await;
    assert_eq!(read(&first), released);
    assert_eq!(first.dead_letter, Some(DeadLetterReason::Rejected));
    settle(first, Settlement::Ack).await;
    drop(dead);
    is_empty(subject).await;
}

pub async fn a_settlement_over_a_lost_connection_fails_and_the_message_comes_again(
    subject: &Subject,
) {
    publish(subject, 1).await;
    let mut consumer = consume(subject).await;
    for settlement in [Settlement::Ack, Settlement::Release, Settlement::Reject] {
        let delivery = next(&mut consumer).await;
        (subject.lose_connections)();
        is_lost(delivery, settlement).await;
    }
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.redeliveries, 3);
}

pub async fn a_settlement_after_the_message_went_to_somebody_else_changes_nothing(
    subject: &Subject,
) {
    publish(subject, 1).await;
    let mut slow = consume(subject).await;
    let late = next(&mut slow).await;
    (subject.lose_connections)();
    let mut quick = consume(subject).await;
    let delivery = next(&mut quick).await;
    is_lost(late, Settlement::Reject).await;
    settle(delivery, Settlement::Ack).await;
    drop((slow, quick));
    is_empty(subject).await;
}

pub async fn a_consumer_goes_on_after_lost_connections(subject: &Subject) {
    publish(subject, 3).await;
    let mut consumer = consume(subject).await;
    let mut shards = BTreeSet::new();
    while shards.len() < 3 {
        (subject.lose_connections)();
        let delivery = next(&mut consumer).await;
        let shard = read(&delivery).shard;
        // It may have come before the loss was noticed; then it comes again.
        if soon("a settlement", delivery.settle(Settlement::Ack))
            .await
            .is_ok()
        {
            shards.insert(shard);
        }
    }
    drop(consumer);
    is_empty(subject).await;
}

pub async fn a_late_settlement_of_a_consumer_that_went_fails(subject: &Subject) {
    publish(subject, 1).await;
    let mut consumer = consume(subject).await;
    let delivery = next(&mut consumer).await;
    drop(consumer);
    is_lost(delivery, Settlement::Ack).await;
    assert_eq!(take_all(subject, 1).await.len(), 1);
}

pub async fn messages_and_consumers_are_counted(subject: &Subject) {
    publish(subject, 4).await;
    let mut first = consume(subject).await;
    let mut second = consume(subject).await;
    settle(next(&mut first).await, Settlement::Reject).await;
    let _in_hand = (next(&mut first).await, next(&mut second).await);
    until("one message of each kind", || async {
        let depth = subject.broker.work.depth().await.expect("counts");
        (depth.ready, depth.dead, depth.consumers) == (1, 1, 2)
    })
    .await;
}

pub async fn a_trial_is_seen_by_no_consumer_and_leaves_nothing(subject: &Subject) {
    let mut consumer = consume(subject).await;
    for _ in 0..2 {
        subject.broker.work.probe().await.expect("a usable queue");
    }
    publish(subject, 1).await;
    // The first that comes is the first that was published.
    settle(next(&mut consumer).await, Settlement::Ack).await;
    until("nothing waits", || async {
        let depth = subject.broker.work.depth().await.expect("counts");
        (depth.ready, depth.dead, depth.consumers) == (0, 0, 1)
    })
    .await;
}

pub async fn looking_for_alarms_leaves_nothing(subject: &Subject) {
    for _ in 0..2 {
        let alarm = subject.broker.work.alarm().await;
        assert_eq!(alarm.expect("an answer"), None);
    }
    is_empty(subject).await;
}
