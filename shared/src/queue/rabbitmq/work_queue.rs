//! The work queue at a broker.

use std::sync::Arc;

use async_trait::async_trait;

use super::address::{Address, WorkQueueName};
use super::consumer::Consumer;
use super::kept_connection::KeptConnection;
use crate::queue::message::ShardTask;
use crate::queue::{Deliveries, Depth, QueueError, QueueErrorKind, WorkQueue};

/// Shards that wait at a RabbitMQ broker.
#[derive(Debug)]
pub(super) struct RabbitMqWorkQueue {
    address: Arc<Address>,
    publishing: Arc<KeptConnection>,
    counting: KeptConnection,
    /// Is told of alarms.
    lookout: KeptConnection,
}

impl RabbitMqWorkQueue {
    pub(super) fn new(address: Arc<Address>, publishing: Arc<KeptConnection>) -> Self {
        Self {
            address,
            publishing,
            counting: KeptConnection::new("count"),
            lookout: KeptConnection::new("look out"),
        }
    }

    async fn consumer(&self, queue_name: WorkQueueName) -> Result<Box<dyn Deliveries>, QueueError> {
        let consumer = Consumer::start(Arc::clone(&self.address), queue_name).await?;
        Ok(Box::new(consumer))
    }
}

#[async_trait]
impl WorkQueue for RabbitMqWorkQueue {
    async fn publish(&self, tasks: &[ShardTask]) -> Result<(), QueueError> {
        let connection = self.publishing.get(&self.address, "publish").await?;
        let payloads = tasks.iter().map(ShardTask::to_payload);
        let published = connection.publish(payloads).await;
        self.publishing.checked(&connection, published).await
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.consumer(WorkQueueName::Shards).await
    }

    async fn consume_dead(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.consumer(WorkQueueName::DeadLetters).await
    }

    async fn probe(&self) -> Result<(), QueueError> {
        let connection = self.publishing.get(&self.address, "publish").await?;
        let probed = connection.probe().await;
        self.publishing.checked(&connection, probed).await
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let connection = self.counting.get(&self.address, "count messages").await?;
        let depth = connection.depth().await;
        self.counting.checked(&connection, depth).await
    }

    async fn alarm(&self) -> Result<Option<String>, QueueError> {
        if let Some(reason) = self.address.alarms.reason() {
            return Ok(Some(reason));
        }
        let connection = self.lookout.get(&self.address, "ask for alarms").await?;
        let asked = connection.publish_nothing().await;
        match self.lookout.checked(&connection, asked).await {
            Ok(()) => Ok(self.address.alarms.reason()),
            Err(error) if error.kind == QueueErrorKind::Alarm => Ok(self.address.alarms.reason()),
            Err(error) => Err(error),
        }
    }

    fn locate(&self) -> String {
        self.address.locate()
    }
}
