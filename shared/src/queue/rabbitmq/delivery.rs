//! How a message that was delivered ends: it is acknowledged, published anew or moved to the dead letters.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout;
use tracing::warn;

use super::address::{Address, WorkQueueName};
use super::client::{
    ANSWER, Acker, BasicAckOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions,
    ClientResult, FieldTable, no_answer, text,
};
use super::connection::{Connection, publish_alone};
use crate::failure::chain;
use crate::queue::{QueueError, QueueErrorKind, Settle, Settlement};

/// What settles one delivery.
pub(super) struct Receipt {
    pub(super) address: Arc<Address>,
    pub(super) connection: Weak<Connection>,
    pub(super) acker: Acker,
    pub(super) queue_name: WorkQueueName,
    pub(super) payload: Bytes,
    /// Those that it has when it is published anew.
    pub(super) headers: FieldTable,
}

impl Receipt {
    /// Publishes the message anew and acknowledges this delivery. Where that cannot be done it goes back, which counts.
    async fn release(&self, connection: &Connection) -> ClientResult<bool> {
        // What came over a connection that is gone comes again by itself.
        let options = BasicQosOptions::default();
        connection.channel.basic_qos(1, options).await?;
        let headers = self.headers.clone();
        match publish_alone(&self.address, self.queue_name, &self.payload, headers).await {
            Ok(()) => self.acker.ack(BasicAckOptions::default()).await,
            Err(error) => {
                warn!(
                    error = chain(&error),
                    "cannot publish a message anew: it goes back and counts as delivered"
                );
                self.acker.nack(requeue()).await
            }
        }
    }
}

#[async_trait]
impl Settle for Receipt {
    async fn settle(self: Box<Self>, settlement: Settlement) -> Result<(), QueueError> {
        let lost = |cause: String| {
            self.address
                .error(QueueErrorKind::DeliveryLost, "settle a message", cause)
        };
        let Some(connection) = self.connection.upgrade() else {
            return Err(lost("its consumer is gone".to_owned()));
        };
        let settled = async {
            let sent = match (settlement, self.queue_name) {
                (Settlement::Ack, _) => self.acker.ack(BasicAckOptions::default()).await?,
                (Settlement::Reject, WorkQueueName::Shards) => {
                    self.acker.reject(BasicRejectOptions::default()).await?
                }
                (Settlement::Release, _) => self.release(&connection).await?,
                (Settlement::Reject, WorkQueueName::DeadLetters) => {
                    self.acker.nack(requeue()).await?
                }
            };
            // Settling has no answer of its own. Channels are served in order, so an answer to what comes after it
            // tells that the broker has it.
            let options = BasicQosOptions::default();
            let channel = &connection.channel;
            channel.basic_qos(1, options).await.map(|()| sent)
        };
        match timeout(ANSWER, settled).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(lost("it was given back".to_owned())),
            Ok(Err(error)) => Err(lost(text(&error))),
            Err(_) => Err(lost(no_answer())),
        }
    }
}

fn requeue() -> BasicNackOptions {
    BasicNackOptions {
        requeue: true,
        ..BasicNackOptions::default()
    }
}
