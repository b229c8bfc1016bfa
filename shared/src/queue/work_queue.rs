//! Shards that wait for workers: durable, delivered at least once.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::error::QueueError;
use super::message::ShardTask;
use crate::wording::counted;

/// How often consumers may die with a message, or lose their connection, before it goes to the dead letters. What is
/// released does not count.
///
/// Far above any run's `max_attempts`, which workers count themselves: it ends a shard that kills its worker each time.
pub const DELIVERY_LIMIT: u64 = 20;

/// How many messages wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting for a worker.
    pub ready: u64,
    /// Given up and waiting for the collector.
    pub dead: u64,
    /// Workers that wait for messages.
    pub consumers: u64,
}

impl fmt::Display for Depth {
    /// What waits, and for how many: `7 shards wait, 2 workers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = counted(whole(self.ready), "shard waits", "shards wait");
        let consumers = counted(whole(self.consumers), "worker", "workers");
        write!(f, "{ready}, {consumers}")
    }
}

/// Returns a number of messages or consumers as one of this machine.
fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Shards that wait for workers: durable, delivered at least once.
///
/// The contract, which every implementation passes a test suite for:
///
/// - When `publish` has returned, its messages survive a restart of the queue. It may be repeated after a doubt;
///   a message may then be there twice, which consumers must bear. While an alarm lasts it waits, and then goes on or fails
///   with [`QueueErrorKind::Alarm`](super::QueueErrorKind::Alarm).
/// - A message goes to one consumer at a time, and a consumer has one message at a time.
/// - A message that was delivered and not settled when its consumer or connection went is delivered again.
/// - `ack` removes it, `release` puts it behind the others, `reject` moves it to the dead letters. A dead letter that is
///   released waits behind the other dead letters, and keeps the reason why it is one. Each of them fails with
///   [`QueueErrorKind::DeliveryLost`](super::QueueErrorKind::DeliveryLost) if the connection is gone since, and the message
///   is then delivered again.
/// - Deliveries that ended without one of them are counted, whatever was released in between. A message with more of them
///   than the delivery limit goes to the dead letters.
/// - A consumer that stops takes nothing more, and what came to it without being taken goes back uncounted.
/// - `next` survives restarts and lost connections: it waits, connects anew and goes on.
#[async_trait]
pub trait WorkQueue: Send + Sync + fmt::Debug {
    /// Adds tasks; returns when all of them are safe.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`. Some of them may be there nevertheless.
    async fn publish(&self, tasks: &[ShardTask]) -> Result<(), QueueError>;

    /// Returns a consumer of the tasks.
    ///
    /// # Errors
    ///
    /// `Denied` or `Misconfigured`; a broker that cannot be reached is waited for by `next`.
    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError>;

    /// Returns a consumer of the dead letters.
    ///
    /// # Errors
    ///
    /// As [`WorkQueue::consume`].
    async fn consume_dead(&self) -> Result<Box<dyn Deliveries>, QueueError>;

    /// Proves that tasks can be added and taken, by one that no worker sees: what [`WorkQueue::publish`] and a consumer do
    /// is done once on a queue of its own.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`.
    async fn probe(&self) -> Result<(), QueueError>;

    /// Returns how many messages wait.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied` or `Misconfigured`.
    async fn depth(&self) -> Result<Depth, QueueError>;

    /// Returns why the queue takes no messages just now; nothing if it takes them. An alarm that has just begun may be seen
    /// by the next call only.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied` or `Misconfigured`.
    async fn alarm(&self) -> Result<Option<String>, QueueError>;

    /// Returns where the queue is, without credentials.
    fn locate(&self) -> String;
}

/// Messages of one consumer.
#[async_trait]
pub trait Deliveries: Send {
    /// Returns the next message, however long that takes. The one before must be settled or dropped first;
    /// one that was dropped is delivered again.
    ///
    /// # Errors
    ///
    /// `Denied` or `Misconfigured`.
    async fn next(&mut self) -> Result<Delivery, QueueError>;

    /// Takes no more messages: others get them. What is in hand can still be settled; `next` is not called any more.
    async fn stop(&mut self);
}

/// A message that was delivered to a consumer. Dropping it is no settlement: it is delivered again when the consumer goes.
pub struct Delivery {
    /// The message.
    pub payload: Bytes,
    /// How often it was delivered before without being settled: its consumer died, dropped it or lost its connection.
    pub redeliveries: u64,
    /// Why it is a dead letter; nothing if it is none.
    pub dead_letter: Option<DeadLetterReason>,
    settle: Box<dyn Settle>,
}

/// Why a message is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterReason {
    /// A worker rejected it.
    Rejected,
    /// It was delivered too often without an end.
    DeliveryLimit,
    /// No worker took it in the time that a policy of the broker gives it.
    Expired,
    /// It made room for others, as a policy of the broker limits the queue.
    Dropped,
    /// Unknown: neither the broker nor a worker made it one.
    Unexplained,
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Done: it is removed.
    Ack,
    /// Given back for another consumer; it counts as no delivery.
    Release,
    /// Given up: it goes to the dead letters. A dead letter stays one.
    Reject,
}

/// The end of a message, as an implementation carries it out.
#[async_trait]
pub trait Settle: Send {
    /// Carries it out.
    ///
    /// # Errors
    ///
    /// [`QueueErrorKind::DeliveryLost`](super::QueueErrorKind::DeliveryLost) if the connection is gone.
    async fn settle(self: Box<Self>, settlement: Settlement) -> Result<(), QueueError>;
}

impl Delivery {
    /// Returns a delivery that `settle` ends.
    #[must_use]
    pub fn new(
        payload: Bytes,
        redeliveries: u64,
        dead_letter: Option<DeadLetterReason>,
        settle: Box<dyn Settle>,
    ) -> Self {
        Self {
            payload,
            redeliveries,
            dead_letter,
            settle,
        }
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// [`QueueErrorKind::DeliveryLost`](super::QueueErrorKind::DeliveryLost) if the connection is gone; the message is delivered again.
    pub async fn settle(self, settlement: Settlement) -> Result<(), QueueError> {
        self.settle.settle(settlement).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("payload", &self.payload)
            .field("redeliveries", &self.redeliveries)
            .finish_non_exhaustive()
    }
}
