//! The proof that messages come through: one is published and taken back.

use super::Connection;
use super::properties::{PERSISTENT, json, mandatory};
use crate::queue::QueueError;
use crate::queue::rabbitmq::client::{
    BasicAckOptions, BasicGetOptions, ConfirmSelectOptions, FieldTable, QueueDeclareOptions,
    ShortString,
};

impl Connection {
    /// Publishes a message to a queue of its own as shards are, and takes it back as they are taken.
    pub(crate) async fn probe(&self) -> Result<(), QueueError> {
        let operation = "publish and take a message";
        let probed = async {
            let channel = self.client.create_channel().await?;
            let confirming = ConfirmSelectOptions::default();
            channel.confirm_select(confirming).await?;
            let options = QueueDeclareOptions::exclusive().auto_delete();
            let unnamed = ShortString::default();
            let queue = channel.queue_declare(unnamed, options, FieldTable::default());
            let queue = queue.await?.name().clone();
            let properties = json().with_delivery_mode(PERSISTENT);
            let default_exchange = ShortString::default();
            let confirmation = channel
                .basic_publish(
                    default_exchange,
                    queue.clone(),
                    mandatory(),
                    b"{}",
                    properties,
                )
                .await?
                .await?;
            let taken = channel.basic_get(queue, BasicGetOptions::default()).await?;
            if let Some(taken) = &taken {
                taken.delivery.acker.ack(BasicAckOptions::default()).await?;
            }
            channel.close(200, "done".into()).await?;
            Ok((confirmation, taken.is_some()))
        };
        let (confirmation, is_taken) = self.answered(operation, probed).await?;
        self.check(confirmation)?;
        if is_taken {
            Ok(())
        } else {
            let cause = "a message that was confirmed is not there".to_owned();
            Err(self.refused(operation, cause))
        }
    }
}
