//! Publishes messages to queues; each counts once the broker has confirmed it.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};

use super::Connection;
use super::properties::{PERSISTENT, json, mandatory};
use crate::queue::rabbitmq::address::{Address, WorkQueueName};
use crate::queue::rabbitmq::client::{
    ClientResult, ConfirmSelectOptions, Confirmation, FieldTable, ShortString,
};
use crate::queue::{QueueError, QueueErrorKind};

/// Messages published and not confirmed yet.
const IN_FLIGHT: usize = 512;
/// How long a message that is given back waits for the end of an alarm: it can go back in another way.
const GIVE_BACK_PATIENCE: Duration = Duration::from_secs(1);

impl Connection {
    /// Publishes shards; returns when the broker has all of them.
    pub(crate) async fn publish(
        &self,
        payloads: impl Iterator<Item = Vec<u8>> + Send,
    ) -> Result<(), QueueError> {
        // The client numbers what it sends: two publishers at once would mix up their confirmations.
        let _alone = self.publishing.lock().await;
        let confirming = self.channel.confirm_select(ConfirmSelectOptions::default());
        self.answered("publish", confirming).await?;
        let queue = ShortString::from(self.address.queue(WorkQueueName::Shards));
        stream::iter(payloads)
            .map(|payload| {
                let queue = queue.clone();
                async move {
                    let published = self.publish_one(queue, &payload, FieldTable::default());
                    let confirmation = self.answered("publish", published).await?;
                    self.check(confirmation)
                }
            })
            .buffer_unordered(IN_FLIGHT)
            .try_collect()
            .await
    }

    /// Publishes a message to a queue; returns when the broker has it.
    async fn publish_to(
        &self,
        queue_name: WorkQueueName,
        payload: &[u8],
        headers: FieldTable,
    ) -> Result<(), QueueError> {
        let _alone = self.publishing.lock().await;
        let confirming = self.channel.confirm_select(ConfirmSelectOptions::default());
        self.answered("publish", confirming).await?;
        let queue = ShortString::from(self.address.queue(queue_name));
        let published = self.publish_one(queue, payload, headers);
        let confirmation = self.answered("publish", published).await?;
        self.check(confirmation)
    }

    async fn publish_one(
        &self,
        queue: ShortString,
        payload: &[u8],
        headers: FieldTable,
    ) -> ClientResult<Confirmation> {
        let properties = json().with_delivery_mode(PERSISTENT).with_headers(headers);
        let default_exchange = ShortString::default();
        let channel = &self.channel;
        channel
            .basic_publish(default_exchange, queue, mandatory(), payload, properties)
            .await?
            .await
    }

    pub(super) fn check(&self, confirmation: Confirmation) -> Result<(), QueueError> {
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) => {
                let cause = format!("the broker returned a message: {}", returned.reply_text);
                Err(self.refused("publish", cause))
            }
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(self.not_taken("publish")),
        }
    }

    pub(super) fn not_taken(&self, operation: &'static str) -> QueueError {
        self.refused(operation, "the broker did not take a message".to_owned())
    }

    pub(super) fn refused(&self, operation: &'static str, cause: String) -> QueueError {
        let kind = QueueErrorKind::Unavailable;
        self.address.error(kind, operation, cause)
    }
}

/// Publishes a message to a queue over a connection of its own: a broker that is short of memory stops reading from those
/// that publish, and settlements must not stand behind that.
///
/// # Errors
///
/// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`. It may be there nevertheless.
pub(crate) async fn publish_alone(
    address: &Arc<Address>,
    queue_name: WorkQueueName,
    payload: &[u8],
    headers: FieldTable,
) -> Result<(), QueueError> {
    if let Some(reason) = address.alarms.reason() {
        return Err(address.alarmed("publish", reason));
    }
    let connection = Connection::open(Arc::clone(address), "give back").await?;
    let connection = connection.with_patience(GIVE_BACK_PATIENCE);
    let published = connection.publish_to(queue_name, payload, headers).await;
    connection.leave();
    published
}
