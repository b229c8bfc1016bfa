//! Messages of a work queue, as they come over one connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio::time::timeout;

use super::address::{Address, WorkQueueName};
use super::client::{
    Acker, BasicAckOptions, BasicCancelOptions, BasicQosOptions, BasicRejectOptions, Consumer,
    Received, answered, received,
};
use super::connection::{Connection, publish_alone};
use super::delivery::Receipt;
use super::headers::{buried, counted, dead, dead_letter_reason, redeliveries};
use crate::queue::{DELIVERY_LIMIT, Delivery, QueueError};

/// How long the broker takes at most to send what follows a message that was acknowledged.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// The messages of a queue, one at a time. Dropping it closes the connection.
pub(super) struct Subscription {
    /// Its only owner, so that the connection goes with it, although a delivery may still be held.
    connection: Arc<Connection>,
    queue_name: WorkQueueName,
    messages: Consumer,
    last: Option<Acker>,
}

impl Subscription {
    /// Begins to take messages over a connection.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`.
    pub(super) async fn open(
        connection: Connection,
        queue_name: WorkQueueName,
    ) -> Result<Self, QueueError> {
        let queue = connection.address.queue(queue_name).into();
        let messages = connection.consume(queue, 1).await?;
        Ok(Self {
            connection: Arc::new(connection),
            queue_name,
            messages,
            last: None,
        })
    }

    /// Returns the next message. Any error means that the connection is of no use any more.
    pub(super) async fn next(&mut self) -> Result<Delivery, QueueError> {
        // Rejected, so that it counts: what was dropped may be what broke its holder.
        if let Some(dropped) = self.last.take().filter(Acker::usable) {
            let requeued = dropped.reject(BasicRejectOptions { requeue: true });
            answered(&self.connection.address, "give a message back", requeued).await?;
        }
        loop {
            let message = received(&self.connection.address, self.messages.next().await)?;
            let headers = message.properties.headers().clone().unwrap_or_default();
            let redeliveries = redeliveries(&headers, message.redelivered);
            let dead_letter = match self.queue_name {
                WorkQueueName::Shards if redeliveries > DELIVERY_LIMIT => {
                    bury(&self.connection.address, message, redeliveries).await?;
                    continue;
                }
                WorkQueueName::Shards => None,
                WorkQueueName::DeadLetters => {
                    let shards = self.connection.address.queue(WorkQueueName::Shards);
                    Some(dead_letter_reason(&headers, &shards))
                }
            };
            self.last = Some(message.acker.clone());
            let payload = Bytes::from(message.data);
            let receipt = Receipt {
                address: Arc::clone(&self.connection.address),
                connection: Arc::downgrade(&self.connection),
                acker: message.acker,
                queue_name: self.queue_name,
                payload: payload.clone(),
                headers: dead_letter.map_or_else(|| counted(redeliveries), dead),
            };
            return Ok(Delivery::new(
                payload,
                redeliveries,
                dead_letter,
                Box::new(receipt),
            ));
        }
    }

    /// Takes no more messages, and gives back what came and was not taken.
    pub(super) async fn stop(&mut self) -> Result<(), QueueError> {
        let address = Arc::clone(&self.connection.address);
        let on_its_way = self.on_its_way().await;
        let channel = &self.connection.channel;
        let cancelled = channel.basic_cancel(self.messages.tag(), BasicCancelOptions::default());
        answered(&address, "stop consuming", cancelled).await?;
        // A dead letter may come back as often as it likes.
        if self.queue_name == WorkQueueName::DeadLetters {
            return Ok(());
        }
        if let Some(message) = on_its_way {
            self.give_back(message).await?;
        }
        while let Some(Some(Ok(message))) = self.messages.next().now_or_never() {
            self.give_back(message).await?;
        }
        Ok(())
    }

    /// Returns the message that the broker sends next, if it does so at once. With one in hand it sends no other; what it
    /// sends after it was told to stop would be dropped by the client, and count as delivered.
    async fn on_its_way(&mut self) -> Option<Received> {
        let has_one_in_hand = self.last.as_ref().is_some_and(Acker::usable);
        if has_one_in_hand || self.queue_name == WorkQueueName::DeadLetters {
            return None;
        }
        timeout(ON_ITS_WAY, self.messages.next()).await.ok()??.ok()
    }

    /// Gives a message back that was not taken, so that it counts as it did.
    async fn give_back(&self, message: Received) -> Result<(), QueueError> {
        let address = &self.connection.address;
        let headers = message.properties.headers().clone().unwrap_or_default();
        let redeliveries = redeliveries(&headers, message.redelivered);
        if redeliveries > DELIVERY_LIMIT {
            return bury(address, message, redeliveries).await;
        }
        let headers = counted(redeliveries);
        publish_alone(address, WorkQueueName::Shards, &message.data, headers).await?;
        let settled = async {
            message.acker.ack(BasicAckOptions::default()).await?;
            // An answer to what comes after it tells that the broker has it.
            let channel = &self.connection.channel;
            channel.basic_qos(1, BasicQosOptions::default()).await
        };
        answered(address, "give a message back", settled).await
    }
}

/// Moves a message to the dead letters that came back too often, counted over all times it was published anew.
async fn bury(
    address: &Arc<Address>,
    message: Received,
    redeliveries: u64,
) -> Result<(), QueueError> {
    let headers = buried(redeliveries);
    publish_alone(address, WorkQueueName::DeadLetters, &message.data, headers).await?;
    let acked = message.acker.ack(BasicAckOptions::default());
    answered(address, "settle a message", acked).await?;
    Ok(())
}
