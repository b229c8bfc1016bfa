//! Sends what is not kept: requests to workers, events, and nothing, to hear of alarms.

use super::Connection;
use super::properties::{fleeting, json, mandatory};
use crate::queue::QueueError;
use crate::queue::rabbitmq::client::{
    BasicPublishOptions, ConfirmSelectOptions, Confirmation, ShortString, text,
};
use crate::queue::rabbitmq::topic::Topic;

impl Connection {
    /// Publishes a request, and returns whether one subscriber of its topic is there. It has a channel of its own: it waits
    /// for no shards to be published, and an exchange that is gone closes the channel.
    pub(crate) async fn send_request(
        &self,
        topic: &Topic,
        payload: &[u8],
    ) -> Result<bool, QueueError> {
        let sent = async {
            let channel = self.client.create_channel().await?;
            let confirming = ConfirmSelectOptions::default();
            channel.confirm_select(confirming).await?;
            let (exchange, key) = (topic.exchange(&self.address).into(), topic.key());
            channel
                .basic_publish(exchange, key, mandatory(), payload, fleeting())
                .await?
                .await
        };
        match self.answered("ask a worker", sent).await? {
            Confirmation::Ack(returned) => Ok(returned.is_none()),
            Confirmation::Nack(_) | Confirmation::NotRequested => {
                Err(self.not_taken("ask a worker"))
            }
        }
    }

    /// Publishes an event, and waits for no confirmation.
    pub(crate) async fn send_event(
        &self,
        routing_key: &str,
        payload: &[u8],
    ) -> Result<(), QueueError> {
        let failed = |cause| self.refused("tell", cause);
        let key = ShortString::try_new(routing_key).map_err(|error| failed(error.to_string()))?;
        let exchange = Topic::Events.exchange(&self.address).into();
        let options = BasicPublishOptions::default();
        let sent = self
            .channel
            .basic_publish(exchange, key, options, payload, json());
        sent.await.map(drop).map_err(|error| failed(text(&error)))
    }

    /// Publishes a message that goes nowhere: the broker tells of an alarm only to those that publish.
    pub(crate) async fn publish_nothing(&self) -> Result<(), QueueError> {
        let nowhere = ShortString::default;
        let options = BasicPublishOptions::default();
        let sent = async {
            let sent = self
                .channel
                .basic_publish(nowhere(), nowhere(), options, b"", fleeting());
            sent.await.map(drop)
        };
        self.answered("ask for alarms", sent).await
    }
}
