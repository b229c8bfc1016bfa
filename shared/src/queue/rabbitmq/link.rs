//! One connection to the broker, and what goes over it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{sleep, timeout};

use super::address::{Address, Line, Talk};
use super::alarm::Alarm;
use super::client::{
    ANSWER, BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicProperties,
    BasicPublishOptions, BasicQosOptions, Channel, ClientResult, ConfirmSelectOptions,
    Confirmation, Connection, Consumer, FieldTable, GOODBYE, QueueDeclareOptions, ShortString,
    answered, connect, silent, text, told,
};
use super::delivery::{Hearing, Subscription};
use super::topology;
use crate::queue::{Depth, QueueError, QueueErrorKind};

/// Messages published and not confirmed yet.
const IN_FLIGHT: usize = 512;
/// What is on its way to a listener.
const SAID_IN_FLIGHT: u16 = 256;
const PERSISTENT: u8 = 2;
/// How long a message that is given back waits for the end of an alarm: it can go back in another way.
const GIVE_BACK_PATIENCE: Duration = Duration::from_secs(1);

/// A connection with a channel, on which everything is declared.
pub(super) struct Link {
    pub(super) address: Arc<Address>,
    connection: Connection,
    pub(super) channel: Channel,
    publishing: tokio::sync::Mutex<()>,
    alarm: Alarm,
    /// How long an alarm is waited for.
    patience: Duration,
}

impl Link {
    /// Connects and declares.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied` or `Misconfigured`.
    pub(super) async fn open(
        address: Arc<Address>,
        purpose: &'static str,
    ) -> Result<Self, QueueError> {
        let connection = connect(&address, purpose).await?;
        let alarm = Alarm::of(&connection, &address);
        let declared = async {
            let channel = connection.create_channel().await?;
            topology::declare(&channel, &address).await?;
            Ok(channel)
        };
        let channel = answered(&address, "declare queues", declared).await?;
        Ok(Self {
            patience: address.alarm_patience(),
            address,
            connection,
            channel,
            publishing: tokio::sync::Mutex::default(),
            alarm,
        })
    }

    /// Returns the same, which waits no longer than this for the end of an alarm.
    pub(super) fn with_patience(self, most: Duration) -> Self {
        let patience = self.patience.min(most);
        Self { patience, ..self }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
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

    /// Says goodbye to the broker, and lets go of the connection whether it answers or not.
    pub(super) async fn close(self) {
        // A broker with an alarm does not read it, and finds the end of the connection later.
        if self.is_held_up() {
            return;
        }
        timeout(GOODBYE, self.connection.close(200, "done".into()))
            .await
            .ok();
    }

    /// Has goodbye said by a task of its own: a broker that is slow to answer it keeps nobody waiting.
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
        let queue = ShortString::from(self.address.queue(Line::Shards));
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

    /// Publishes a message to a line; returns when the broker has it.
    async fn publish_to(
        &self,
        line: Line,
        payload: &[u8],
        headers: FieldTable,
    ) -> Result<(), QueueError> {
        let _alone = self.publishing.lock().await;
        let confirming = self.channel.confirm_select(ConfirmSelectOptions::default());
        self.answered("publish", confirming).await?;
        let queue = ShortString::from(self.address.queue(line));
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

    /// Asks the workers of a name, and returns whether one of them listens. It asks on a channel of its own: it waits for
    /// no shards to be published, and an exchange that is gone closes the channel.
    pub(super) async fn ask(&self, talk: &Talk, payload: &[u8]) -> Result<bool, QueueError> {
        let asked = async {
            let channel = self.connection.create_channel().await?;
            let confirming = ConfirmSelectOptions::default();
            channel.confirm_select(confirming).await?;
            let (exchange, key) = (self.address.exchange(talk).into(), talk.key());
            channel
                .basic_publish(exchange, key, mandatory(), payload, fleeting())
                .await?
                .await
        };
        match self.answered("ask a worker", asked).await? {
            Confirmation::Ack(returned) => Ok(returned.is_none()),
            Confirmation::Nack(_) | Confirmation::NotRequested => {
                Err(self.not_taken("ask a worker"))
            }
        }
    }

    /// Publishes a message to a queue of its own as shards are, and takes it back as they are taken.
    pub(super) async fn try_out(&self) -> Result<(), QueueError> {
        let operation = "publish and take a message";
        let tried = async {
            let channel = self.connection.create_channel().await?;
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
        let (confirmation, is_taken) = self.answered(operation, tried).await?;
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
            let channel = self.connection.create_channel().await?;
            let mut queues = Vec::with_capacity(2);
            for line in [Line::Shards, Line::DeadLetters] {
                let name = self.address.queue(line).into();
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

    pub(super) async fn send_event(
        &self,
        routing_key: &str,
        payload: &[u8],
    ) -> Result<(), QueueError> {
        let failed = |cause| self.refused("tell", cause);
        let key = ShortString::try_new(routing_key).map_err(|error| failed(error.to_string()))?;
        let exchange = self.address.exchange(&Talk::Events).into();
        let options = BasicPublishOptions::default();
        let sent = self
            .channel
            .basic_publish(exchange, key, options, payload, json());
        sent.await.map(drop).map_err(|error| failed(text(&error)))
    }

    /// Takes messages, one at a time.
    pub(super) async fn subscribe(self, line: Line) -> Result<Subscription, QueueError> {
        let queue = self.address.queue(line).into();
        let messages = self.consume(queue, 1).await?;
        Ok(Subscription::new(self, line, messages))
    }

    /// Hears what is said from now on.
    pub(super) async fn listen(self, talk: &Talk) -> Result<Hearing, QueueError> {
        let bound = topology::declare_listener(&self.channel, &self.address, talk);
        let queue = self.answered("listen", bound).await?;
        let said = self.consume(queue, SAID_IN_FLIGHT).await?;
        Ok(Hearing::new(self, said))
    }

    async fn consume(&self, queue: ShortString, at_once: u16) -> Result<Consumer, QueueError> {
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

/// Publishes a message to a line over a connection of its own: a broker that is short of memory stops reading from those
/// that publish, and settlements must not stand behind that.
///
/// # Errors
///
/// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`. It may be there nevertheless.
pub(super) async fn publish_alone(
    address: &Arc<Address>,
    line: Line,
    payload: &[u8],
    headers: FieldTable,
) -> Result<(), QueueError> {
    if let Some(reason) = address.alarms.reason() {
        return Err(address.alarmed("publish", reason));
    }
    let link = Link::open(Arc::clone(address), "give back").await?;
    let link = link.with_patience(GIVE_BACK_PATIENCE);
    let published = link.publish_to(line, payload, headers).await;
    link.leave();
    published
}

/// A message that finds no queue comes back.
fn mandatory() -> BasicPublishOptions {
    BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    }
}

/// What nobody takes within a minute is not wanted any more.
fn fleeting() -> BasicProperties {
    json().with_expiration("60000".into())
}

fn json() -> BasicProperties {
    BasicProperties::default().with_content_type("application/json".into())
}
