//! The test suite that every broker passes: each sentence of the contracts of [`WorkQueue`](super::WorkQueue),
//! [`EventBus`](super::EventBus) and [`WorkerControl`](super::WorkerControl), in a module for each.
//!
//! [`queue_conformance!`](crate::queue_conformance) makes a test of each function of the suite.

mod control;
mod deliveries;
mod events;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::time::Duration;

pub use self::control::*;
pub use self::deliveries::*;
pub use self::events::*;
use super::message::ShardTask;
use super::{Broker, Deliveries, Delivery, QueueErrorKind, Settlement};
use crate::ids::{RunId, ShardId};

/// Far above what anything here takes.
const SOON: Duration = Duration::from_secs(60);

/// A broker with an empty queue, and a way to trouble it.
pub struct Subject {
    /// The broker.
    pub broker: Broker,
    /// Cuts every connection there is, as a restart of the broker does.
    pub lose_connections: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("broker", &self.broker)
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
            a_released_message_waits_behind_the_others
            releases_cost_a_message_nothing
            deliveries_without_an_end_are_counted_whatever_was_released_in_between
            a_consumer_that_stops_costs_what_waits_nothing
            a_message_is_delivered_again_when_its_consumer_goes
            a_message_that_was_dropped_is_delivered_again
            a_rejected_message_is_a_dead_letter
            a_message_that_comes_back_too_often_is_a_dead_letter
            a_dead_letter_stays_until_it_is_acknowledged
            a_dead_letter_that_is_released_waits_behind_the_others_and_says_why_it_is_one
            a_settlement_over_a_lost_connection_fails_and_the_message_comes_again
            a_settlement_after_the_message_went_to_somebody_else_changes_nothing
            a_consumer_goes_on_after_lost_connections
            a_late_settlement_of_a_consumer_that_went_fails
            messages_and_consumers_are_counted
            a_trial_is_seen_by_no_consumer_and_leaves_nothing
            looking_for_alarms_leaves_nothing
            events_reach_every_listener
            nobody_has_to_listen
            a_request_reaches_every_worker_of_its_name
            a_request_that_nobody_of_its_name_hears_is_told
            a_worker_that_went_is_asked_no_more
            a_worker_hears_requests_after_lost_connections
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
        revision: 0,
        traceparent: None,
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
    let published = subject.broker.work.publish(&tasks(count)).await;
    published.expect("publishes");
}

async fn consume(subject: &Subject) -> Box<dyn Deliveries> {
    subject.broker.work.consume().await.expect("consumes")
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

/// Waits until there is no consumer and nothing is left.
async fn is_empty(subject: &Subject) {
    until("an empty queue", || async {
        let depth = subject.broker.work.depth().await.expect("counts");
        (depth.consumers, depth.ready, depth.dead) == (0, 0, 0)
    })
    .await;
}

async fn dead_letter(subject: &Subject) -> (Box<dyn Deliveries>, Delivery) {
    let consumer = subject.broker.work.consume_dead().await;
    let mut consumer = consumer.expect("consumes dead letters");
    let delivery = next(&mut consumer).await;
    (consumer, delivery)
}
