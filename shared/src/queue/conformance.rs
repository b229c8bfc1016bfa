//! The test suite that every queue passes: each sentence of [`Queue`]'s contract.
//!
//! [`queue_conformance!`](crate::queue_conformance) makes a test of each function here.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::{DELIVERY_LIMIT, Death, Deliveries, Delivery, Queue, QueueErrorKind, Settlement};
use crate::event::{Event, Happening};
use crate::ids::{RunId, ShardId};
use crate::task::ShardTask;

/// Far above what anything here takes.
const SOON: Duration = Duration::from_secs(60);

/// An empty queue and a way to trouble it.
pub struct Subject {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Cuts every connection there is, as a restart of the broker does.
    pub lose_connections: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// Makes a `tokio` test of every part of the suite. The argument is an expression that returns a future of a new
/// [`Subject`](crate::queue::conformance::Subject).
#[macro_export]
macro_rules! queue_conformance {
    ($subject:expr) => {
        $crate::queue_conformance! { $subject =>
            what_was_published_is_delivered_as_it_was
            thousands_are_published_at_once
            a_task_that_is_published_twice_is_there_twice
            a_consumer_waits_for_a_message
            giving_up_waiting_loses_no_message
            a_consumer_has_one_message_at_a_time
            two_consumers_share_the_messages
            an_acknowledged_message_is_gone
            a_released_message_goes_to_somebody_else
            a_message_is_delivered_again_when_its_consumer_goes
            a_message_that_was_dropped_is_delivered_again
            a_rejected_message_is_a_dead_letter
            a_message_that_comes_back_too_often_is_a_dead_letter
            a_dead_letter_stays_until_it_is_acknowledged
            a_settlement_over_a_lost_connection_fails_and_the_message_comes_again
            a_settlement_after_the_message_went_to_somebody_else_changes_nothing
            a_consumer_goes_on_after_lost_connections
            a_late_settlement_of_a_consumer_that_went_fails
            messages_and_consumers_are_counted
            events_reach_every_listener
            nobody_has_to_listen
        }
    };
    ($subject:expr => $($name:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let subject = $subject.await;
                $crate::queue::conformance::$name(&subject).await;
            }
        )+
    };
}

/// Returns a task that can be told from the others.
///
/// # Panics
///
/// Never: its names are valid.
#[must_use]
pub fn task(number: usize) -> ShardTask {
    ShardTask {
        run: "conformance".parse::<RunId>().expect("a run's name"),
        shard: ShardId(u32::try_from(number).expect("a small number")),
        first_attempt: 1,
        repair: false,
        contents: Vec::new(),
        styles: Vec::new(),
    }
}

fn tasks(count: usize) -> Vec<ShardTask> {
    (0..count).map(task).collect()
}

/// Waits, but not for ever.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(SOON, future).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {} s", SOON.as_secs()))
}

/// Polls until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    soon(what, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn publish(subject: &Subject, count: usize) {
    let published = subject.queue.publish(&tasks(count)).await;
    published.expect("publishes");
}

async fn consume(subject: &Subject) -> Box<dyn Deliveries> {
    subject.queue.consume().await.expect("consumes")
}

async fn next(consumer: &mut Box<dyn Deliveries>) -> Delivery {
    let delivery = soon("a message", consumer.next()).await;
    delivery.expect("delivers")
}

fn read(delivery: &Delivery) -> ShardTask {
    ShardTask::from_payload(&delivery.payload).expect("a task")
}

async fn settle(delivery: Delivery, settlement: Settlement) {
    delivery.settle(settlement).await.expect("settles");
}

async fn is_lost(delivery: Delivery, settlement: Settlement) {
    let settled = soon("a settlement", delivery.settle(settlement)).await;
    let error = settled.expect_err("the delivery is lost");
    assert_eq!(error.kind, QueueErrorKind::DeliveryLost, "{error}");
}

/// Acknowledges everything that is there, and returns the shards of it.
async fn take_all(subject: &Subject, count: usize) -> BTreeSet<ShardId> {
    let mut consumer = consume(subject).await;
    let mut shards = BTreeSet::new();
    for _ in 0..count {
        let delivery = next(&mut consumer).await;
        shards.insert(read(&delivery).shard);
        settle(delivery, Settlement::Ack).await;
    }
    shards
}

/// Nobody consumes, and nothing is left.
async fn is_empty(subject: &Subject) {
    until("an empty queue", || async {
        let depth = subject.queue.depth().await.expect("counts");
        (depth.consumers, depth.ready, depth.dead) == (0, 0, 0)
    })
    .await;
}

async fn dead_letter(subject: &Subject) -> (Box<dyn Deliveries>, Delivery) {
    let consumer = subject.queue.consume_dead().await;
    let mut consumer = consumer.expect("consumes dead letters");
    let delivery = next(&mut consumer).await;
    (consumer, delivery)
}

/// The suite.
#[expect(missing_docs, reason = "each name is its sentence")]
mod suite {
    use super::*;

    pub async fn what_was_published_is_delivered_as_it_was(subject: &Subject) {
        publish(subject, 1).await;
        let delivery = next(&mut consume(subject).await).await;
        assert_eq!(read(&delivery), task(0));
        assert_eq!(delivery.redeliveries, 0);
        assert_eq!(delivery.death, None);
    }

    pub async fn thousands_are_published_at_once(subject: &Subject) {
        publish(subject, 2000).await;
        let depth = subject.queue.depth().await.expect("counts");
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
        assert_eq!(delivery.death, Some(Death::Rejected));
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
        assert_eq!(delivery.death, Some(Death::DeliveryLimit));
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
            let depth = subject.queue.depth().await.expect("counts");
            (depth.ready, depth.dead, depth.consumers) == (1, 1, 2)
        })
        .await;
    }

    pub async fn events_reach_every_listener(subject: &Subject) {
        let mut listeners = [subject.queue.listen().await, subject.queue.listen().await];
        let event = Event {
            at: "2026-01-01T00:00:00Z".parse().expect("a time"),
            worker: "w1".to_owned(),
            what: Happening::ShardCommitted {
                run: task(0).run,
                shard: ShardId(7),
                done: 1,
                not_done: 0,
            },
        };
        subject.queue.tell(&event).await;
        for listener in &mut listeners {
            let heard = soon("an event", listener.next()).await;
            assert_eq!(heard.as_ref(), Some(&event));
        }
    }

    pub async fn nobody_has_to_listen(subject: &Subject) {
        let event = Event {
            at: "2026-01-01T00:00:00Z".parse().expect("a time"),
            worker: "w1".to_owned(),
            what: Happening::WorkerStopped {
                reason: "done".to_owned(),
            },
        };
        soon("telling", subject.queue.tell(&event)).await;
    }
}

pub use suite::*;
