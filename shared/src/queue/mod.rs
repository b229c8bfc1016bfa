//! Shards waiting for workers, what workers say while they work, and what they are asked to do.
//!
//! Neither is the truth: that lies in storage. Losing every message loses no work, only the knowledge of who is to do
//! it next, which `resume` restores.

#[cfg(feature = "conformance")]
pub mod conformance;
mod in_process;
mod rabbitmq;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::event::Event;
use crate::request::Request;
use crate::settings::BrokerConfig;
use crate::task::ShardTask;

pub use in_process::InProcessQueue;
pub use rabbitmq::RabbitMq;

/// How often consumers may die with a message, or lose their connection, before it goes to the dead letters. What is
/// released does not count.
///
/// Far above any run's `max_attempts`, which workers count themselves: it ends what kills its worker each time.
pub const DELIVERY_LIMIT: u64 = 20;

/// What a caller can do about a queue error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueErrorKind {
    /// The broker cannot be reached, or the connection broke: trying again may help.
    Unavailable,
    /// The broker refuses these credentials, this virtual host or these permissions.
    Denied,
    /// A queue or exchange exists with other properties, or something else that only a person can mend.
    Misconfigured,
    /// The broker is low on memory or disk and takes no messages until it has enough again: it answers otherwise, and
    /// nothing is lost.
    Alarm,
    /// The connection over which a message was delivered is gone. The message will be delivered again.
    DeliveryLost,
}

/// A queue operation that did not happen.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} at {server}{}", advice(*.kind))]
pub struct QueueError {
    /// What a caller can do about it.
    pub kind: QueueErrorKind,
    /// The operation, as a verb: "connect", "publish", ...
    pub operation: &'static str,
    /// The server without credentials, and the queue.
    pub server: String,
    /// The cause as the client gave it; it never holds credentials.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

fn advice(kind: QueueErrorKind) -> &'static str {
    match kind {
        QueueErrorKind::Unavailable => ": the broker does not answer; is it running there?",
        QueueErrorKind::Denied => {
            ": the broker refuses; check user, password, virtual host and permissions in SYNTH2REAL_BROKER_URL"
        }
        QueueErrorKind::Misconfigured => {
            ": the broker has it with other properties; delete it there, or choose another broker.namespace"
        }
        QueueErrorKind::Alarm => {
            ": the broker has an alarm and takes no messages; `rabbitmq-diagnostics alarms` names it there, free memory or \
             disk; nothing is lost"
        }
        QueueErrorKind::DeliveryLost => {
            ": the connection it came over is gone; it will be delivered again"
        }
    }
}

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

/// Shards waiting for workers.
///
/// The contract, which every implementation passes a test suite for:
///
/// - When `publish` has returned, its messages survive a restart of the queue. It may be repeated after a doubt;
///   a message may then be there twice, which consumers must bear. While an alarm lasts it waits, and then goes on or fails
///   with [`QueueErrorKind::Alarm`].
/// - A message goes to one consumer at a time, and a consumer has one message at a time.
/// - A message that was delivered and not settled when its consumer or connection went is delivered again.
/// - `ack` removes it, `release` puts it behind the others, `reject` moves it to the dead letters. A dead letter that is
///   released waits behind the other dead letters, and says why it is one as before. Each of them fails with
///   [`QueueErrorKind::DeliveryLost`] if the connection is gone since, and the message is then delivered again.
/// - Deliveries that ended without one of them are counted, whatever was released in between. A message with more of them
///   than the delivery limit goes to the dead letters.
/// - A consumer that stops takes nothing more, and what came to it without being taken goes back uncounted.
/// - `next` survives restarts and lost connections: it waits, connects anew and goes on.
/// - A request goes to every worker of its name that listens, and to nobody else. It is kept for nobody: one that comes
///   while a worker's connection is lost is lost, and a worker that listens again hears the next one.
#[async_trait]
pub trait Queue: Send + Sync + fmt::Debug {
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
    /// As [`Queue::consume`].
    async fn consume_dead(&self) -> Result<Box<dyn Deliveries>, QueueError>;

    /// Proves that tasks can be added and taken, by one that no worker sees: what [`Queue::publish`] and a consumer do is
    /// done once on a queue of its own.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`.
    async fn try_out(&self) -> Result<(), QueueError>;

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

    /// Tells whoever listens. Nothing depends on it: an event that cannot be sent at once is dropped.
    async fn tell(&self, event: &Event);

    /// Returns the events told from now on. The stream goes on after a lost connection and ends never.
    async fn listen(&self) -> BoxStream<'static, Event>;

    /// Asks the workers of a name for something, and returns whether one of them listens. Whether they heed it shows in
    /// what they tell.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`. They may have heard it nevertheless.
    async fn ask(&self, worker: &str, request: Request) -> Result<bool, QueueError>;

    /// Returns what workers of a name are asked from now on. The stream goes on after a lost connection and ends never;
    /// who drops it listens no more.
    async fn requests(&self, worker: &str) -> BoxStream<'static, Request>;

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

/// A message in a consumer's hands. Dropping it is no settlement: it is delivered again when the consumer goes.
pub struct Delivery {
    /// The message.
    pub payload: Bytes,
    /// How often it was delivered before without being settled: its consumer died, dropped it or lost its connection.
    pub redeliveries: u64,
    /// Why it is a dead letter; nothing if it is none.
    pub death: Option<Death>,
    settle: Box<dyn Settle>,
}

/// Why a message is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// A worker rejected it.
    Rejected,
    /// It was delivered too often without an end.
    DeliveryLimit,
    /// Nobody took it in the time that a policy of the broker gives it.
    Expired,
    /// It made room for others where a policy of the broker limits the queue.
    Dropped,
    /// Nothing says why: neither the broker nor a worker made it one.
    Unexplained,
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Done: it is removed.
    Ack,
    /// Given back for somebody else, at no cost.
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
    /// [`QueueErrorKind::DeliveryLost`] if the connection is gone.
    async fn settle(self: Box<Self>, settlement: Settlement) -> Result<(), QueueError>;
}

impl Delivery {
    /// Returns a delivery that `settle` ends.
    #[must_use]
    pub fn new(
        payload: Bytes,
        redeliveries: u64,
        death: Option<Death>,
        settle: Box<dyn Settle>,
    ) -> Self {
        Self {
            payload,
            redeliveries,
            death,
            settle,
        }
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// [`QueueErrorKind::DeliveryLost`] if the connection is gone; the message is delivered again.
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

/// Connects to a broker.
///
/// # Errors
///
/// `Unavailable`, `Denied` or `Misconfigured`.
pub async fn open(config: &BrokerConfig) -> Result<Arc<dyn Queue>, QueueError> {
    Ok(Arc::new(RabbitMq::open(config).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_in_its_own_words_what_helps() {
        let said = |kind| {
            let error = QueueError {
                kind,
                operation: "publish",
                server: "amqp://broker, queue shards".to_owned(),
                source: Some("low on memory".into()),
            };
            crate::failure::chain(&error)
        };
        for (kind, words) in [
            (QueueErrorKind::Unavailable, "is it running there?"),
            (QueueErrorKind::Denied, "SYNTH2REAL_BROKER_URL"),
            (QueueErrorKind::Misconfigured, "broker.namespace"),
            (QueueErrorKind::Alarm, "has an alarm and takes no messages"),
            (QueueErrorKind::DeliveryLost, "it will be delivered again"),
        ] {
            let said = said(kind);
            assert!(
                said.contains(words) && said.ends_with(": low on memory"),
                "{said}"
            );
        }
    }
}
