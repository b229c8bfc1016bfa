//! Takes messages of queues, and counts them.

use super::Connection;
use crate::queue::rabbitmq::address::WorkQueueName;
use crate::queue::rabbitmq::client::{
    BasicConsumeOptions, BasicQosOptions, Consumer, FieldTable, QueueDeclareOptions, ShortString,
};
use crate::queue::{Depth, QueueError};

impl Connection {
    /// Counts on a channel of its own: a queue that is gone closes the channel that asks for it.
    pub(crate) async fn depth(&self) -> Result<Depth, QueueError> {
        let counted = async {
            let channel = self.client.create_channel().await?;
            let mut queues = Vec::with_capacity(2);
            for queue_name in [WorkQueueName::Shards, WorkQueueName::DeadLetters] {
                let name = self.address.queue(queue_name).into();
                let options = QueueDeclareOptions::default().passive();
                queues.push(
                    channel
                        .queue_declare(name, options, FieldTable::default())
                        .await?,
                );
            }
            Ok(Depth {
                ready: queues[0].message_count().into(),
                dead: queues[1].message_count().into(),
                consumers: queues[0].consumer_count().into(),
            })
        };
        self.answered("count messages", counted).await
    }

    /// Takes messages of a queue, so many at once.
    pub(crate) async fn consume(
        &self,
        queue: ShortString,
        at_once: u16,
    ) -> Result<Consumer, QueueError> {
        let consuming = async {
            let channel = &self.channel;
            channel
                .basic_qos(at_once, BasicQosOptions::default())
                .await?;
            let options = BasicConsumeOptions::default();
            let named_by_broker = ShortString::default();
            channel
                .basic_consume(queue, named_by_broker, options, FieldTable::default())
                .await
        };
        self.answered("consume", consuming).await
    }
}
