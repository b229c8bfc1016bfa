//! One connection to the broker, and what goes over it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{sleep, timeout};

use super::address::{Address, WorkQueueName};
use super::alarm::Alarm;
use super::client::{
    ANSWER, BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicProperties,
    BasicPublishOptions, BasicQosOptions, Channel, ClientConnection, ClientResult,
    ConfirmSelectOptions, Confirmation, Consumer, FieldTable, GOODBYE, QueueDeclareOptions,
    ShortString, answered, connect, silent, text, told,
};
use super::topic::Topic;
use super::topology;
use crate::queue::{Depth, QueueError, QueueErrorKind};

/// Messages published and not confirmed yet.
const IN_FLIGHT: usize = 512;
const PERSISTENT: u8 = 2;
/// How long a message that is given back waits for the end of an alarm: it can go back in another way.
const GIVE_BACK_PATIENCE: Duration = Duration::from_secs(1);

/// A connection with a channel, on which everything is declared.
pub(super) struct Connection {
    pub(super) address: Arc<Address>,
    client: ClientConnection,
    pub(super) channel: Channel,
    publishing: tokio::sync::Mutex<()>,
    alarm: Alarm,
    /// How long an alarm is waited for.
    patience: Duration,
}

impl Connection {
    /// Connects and declares.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied` or `Misconfigured`.
    pub(super) async fn open(
        address: Arc<Address>,
        purpose: &'static str,
    ) -> Result<Self, QueueError> {
        let client = connect(&address, purpose).await?;
        let alarm = Alarm::of(&client, &address);
        let declared = async {
            let channel = client.create_channel().await?;
            topology::declare(&channel, &address).await?;
            Ok(channel)
        };
        let channel = answered(&address, "declare queues", declared).await?;
        Ok(Self {
            patience: address.alarm_patience(),
            address,
            client,
            channel,
            publishing: tokio::sync::Mutex::default(),
            alarm,
        })
    }

    /// Returns the same connection, which waits no longer than this for the end of an alarm.
    pub(super) fn with_patience(self, most: Duration) -> Self {
        let patience = self.patience.min(most);
        Self { patience, ..self }
    }

    pub(super) fn is_open(&self) -> bool {
        self.client.status().connected() && self.channel.status().connected()
    }

    /// Returns whether an alarm of the broker holds it up: nothing that is sent is read.
    pub(super) fn is_held_up(&self) -> bool {
        self.is_open() && self.alarm.reason().is_some()
    }

    /// Waits until no alarm holds it up, so that nothing more is put behind one.
    ///
    /// # Errors
    ///
    /// `Alarm` if it lasts.
    pub(super) async fn wait_for_alarm(&self, operation: &'static str) -> Result<(), QueueError> {
        let mut alarm = self.alarm.watch();
        let ended = timeout(self.patience, alarm.wait_for(Option::is_none));
        let has_ended = ended.await.is_ok();
        match self.alarm.reason() {
            Some(reason) if !has_ended => Err(self.address.alarmed(operation, reason)),
            Some(_) | None => Ok(()),
        }
    }

    /// Waits for an answer of the broker, but not for ever: for an alarm that holds it up as long as the settings say, and
    /// after an alarm as long as ever.
    pub(super) async fn answered<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = ClientResult<T>>,
    ) -> Result<T, QueueError> {
        let mut alarm = self.alarm.watch();
        let mut answer = pin!(answer);
        loop {
            let reason = alarm.borrow_and_update().clone();
            let patience = match reason {
                Some(_) => self.patience,
                None => ANSWER,
            };
            tokio::select! {
                biased;
                answer = &mut answer => return told(&self.address, operation, answer),
                // It ends with the connection, which is held here.
                _ = alarm.changed() => {}
                () = sleep(patience) => {
                    return Err(match reason {
                        Some(reason) => self.address.alarmed(operation, reason),
                        None => silent(&self.address, operation),
                    });
                }
            }
        }
    }

    /// Closes the connection in order, or at least lets go of it if the broker does not answer.
    pub(super) async fn close(self) {
        // A broker with an alarm does not read it, and finds the end of the connection later.
        if self.is_held_up() {
            return;
        }
        timeout(GOODBYE, self.client.close(200, "done".into()))
            .await
            .ok();
    }

    /// Closes the connection by a task of its own: a broker that is slow to answer keeps no caller waiting.
    pub(super) fn leave(self) {
        tokio::spawn(self.close());
    }

    /// Publishes shards; returns when the broker has all of them.
    pub(super) async fn publish(
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

    fn check(&self, confirmation: Confirmation) -> Result<(), QueueError> {
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) => {
                let cause = format!("the broker returned a message: {}", returned.reply_text);
                Err(self.refused("publish", cause))
            }
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(self.not_taken("publish")),
        }
    }

    fn not_taken(&self, operation: &'static str) -> QueueError {
        self.refused(operation, "the broker did not take a message".to_owned())
    }

    fn refused(&self, operation: &'static str, cause: String) -> QueueError {
        let kind = QueueErrorKind::Unavailable;
        self.address.error(kind, operation, cause)
    }

    /// Publishes a request, and returns whether one subscriber of its topic is there. It has a channel of its own: it waits
    /// for no shards to be published, and an exchange that is gone closes the channel.
    pub(super) async fn send_request(
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

    /// Publishes a message to a queue of its own as shards are, and takes it back as they are taken.
    pub(super) async fn probe(&self) -> Result<(), QueueError> {
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

    /// Publishes a message that goes nowhere: the broker tells of an alarm only to those that publish.
    pub(super) async fn publish_nothing(&self) -> Result<(), QueueError> {
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

    /// Counts on a channel of its own: a queue that is gone closes the channel that asks for it.
    pub(super) async fn depth(&self) -> Result<Depth, QueueError> {
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

    /// Publishes an event, and waits for no confirmation.
    pub(super) async fn send_event(
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

    /// Takes messages of a queue, so many at once.
    pub(super) async fn consume(
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

/// Publishes a message to a queue over a connection of its own: a broker that is short of memory stops reading from those
/// that publish, and settlements must not stand behind that.
///
/// # Errors
///
/// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`. It may be there nevertheless.
pub(super) async fn publish_alone(
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

/// Has a message come back that finds no queue.
fn mandatory() -> BasicPublishOptions {
    BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    }
}

/// Drops a message that is not taken within a minute: it is not wanted any more.
fn fleeting() -> BasicProperties {
    json().with_expiration("60000".into())
}

fn json() -> BasicProperties {
    BasicProperties::default().with_content_type("application/json".into())
}
