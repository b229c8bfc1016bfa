//! Messages in the hands of a consumer, and how they end.
//!
//! The broker counts every return of a message, also one that its consumer asked for. So what is released is published
//! anew, with the number of times it came back for another reason, and that delivery is acknowledged: what is lost in
//! between is there twice, which consumers bear.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio::time::timeout;
use tracing::warn;

use super::address::{Address, Line};
use super::client::{
    AMQPValue, ANSWER, Acker, BasicAckOptions, BasicCancelOptions, BasicNackOptions,
    BasicQosOptions, BasicRejectOptions, ClientResult, Consumer, FieldTable, Received, answered,
    no_answer, text,
};
use super::link::{Link, publish_alone};
use crate::failure::chain;
use crate::queue::{
    DELIVERY_LIMIT, Death, Delivery, QueueError, QueueErrorKind, Settle, Settlement,
};

/// How often a message came back unsettled before it was published anew.
const REDELIVERIES: &str = "synth2real-redeliveries";
/// Why a consumer published a message to the dead letters.
const DEATH: &str = "synth2real-death";
/// What the broker calls it as well.
const TOO_OFTEN: &str = "delivery_limit";

/// How long the broker takes at most to send what follows a message that was acknowledged.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// Messages as they come over one connection. Dropping it closes the connection.
pub(super) struct Subscription {
    /// Its only owner, so that the connection goes with it, whoever still holds a delivery.
    link: Arc<Link>,
    line: Line,
    messages: Consumer,
    last: Option<Acker>,
}

impl Subscription {
    pub(super) fn new(link: Link, line: Line, messages: Consumer) -> Self {
        Self {
            link: Arc::new(link),
            line,
            messages,
            last: None,
        }
    }

    /// Returns the next message. Any error means that the connection is of no use any more.
    pub(super) async fn next(&mut self) -> Result<Delivery, QueueError> {
        // Rejected, so that it counts: what was dropped may be what broke its holder.
        if let Some(dropped) = self.last.take().filter(Acker::usable) {
            let requeued = dropped.reject(BasicRejectOptions { requeue: true });
            answered(&self.link.address, "give a message back", requeued).await?;
        }
        loop {
            let message = received(&self.link.address, self.messages.next().await)?;
            let headers = message.properties.headers().clone().unwrap_or_default();
            let redeliveries = redeliveries(&headers, message.redelivered);
            let death = match self.line {
                Line::Shards if redeliveries > DELIVERY_LIMIT => {
                    bury(&self.link.address, message, redeliveries).await?;
                    continue;
                }
                Line::Shards => None,
                Line::DeadLetters => Some(death(&headers)),
            };
            self.last = Some(message.acker.clone());
            let payload = Bytes::from(message.data);
            let receipt = Receipt {
                address: Arc::clone(&self.link.address),
                link: Arc::downgrade(&self.link),
                acker: message.acker,
                line: self.line,
                payload: payload.clone(),
                redeliveries,
            };
            return Ok(Delivery::new(
                payload,
                redeliveries,
                death,
                Box::new(receipt),
            ));
        }
    }

    /// Takes no more messages, and gives back what came and was not taken.
    pub(super) async fn stop(&mut self) -> Result<(), QueueError> {
        let address = Arc::clone(&self.link.address);
        let on_its_way = self.on_its_way().await;
        let channel = &self.link.channel;
        let cancelled = channel.basic_cancel(self.messages.tag(), BasicCancelOptions::default());
        answered(&address, "stop consuming", cancelled).await?;
        // A dead letter may come back as often as it likes.
        if self.line == Line::DeadLetters {
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
        if has_one_in_hand || self.line == Line::DeadLetters {
            return None;
        }
        timeout(ON_ITS_WAY, self.messages.next()).await.ok()??.ok()
    }

    /// Gives a message back that was not taken, so that it counts as it did.
    async fn give_back(&self, message: Received) -> Result<(), QueueError> {
        let address = &self.link.address;
        let headers = message.properties.headers().clone().unwrap_or_default();
        let headers = counted(redeliveries(&headers, message.redelivered));
        publish_alone(address, Line::Shards, &message.data, headers).await?;
        let settled = async {
            message.acker.ack(BasicAckOptions::default()).await?;
            // An answer to what comes after it tells that the broker has it.
            let channel = &self.link.channel;
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
    let mut headers = counted(redeliveries);
    headers.insert(DEATH.into(), AMQPValue::LongString(TOO_OFTEN.into()));
    publish_alone(address, Line::DeadLetters, &message.data, headers).await?;
    let acked = message.acker.ack(BasicAckOptions::default());
    answered(address, "settle a message", acked).await?;
    Ok(())
}

/// What is said, as it comes over one connection.
pub(super) struct Hearing {
    link: Link,
    said: Consumer,
}

impl Hearing {
    pub(super) fn new(link: Link, said: Consumer) -> Self {
        Self { link, said }
    }

    pub(super) async fn next(&mut self) -> Result<Vec<u8>, QueueError> {
        let heard = received(&self.link.address, self.said.next().await)?;
        let acked = heard.acker.ack(BasicAckOptions::default());
        answered(&self.link.address, "listen", acked).await?;
        Ok(heard.data)
    }
}

struct Receipt {
    address: Arc<Address>,
    link: Weak<Link>,
    acker: Acker,
    line: Line,
    payload: Bytes,
    redeliveries: u64,
}

impl Receipt {
    /// Publishes the message anew and acknowledges this delivery. Where that cannot be done it goes back, which counts.
    async fn release(&self, link: &Link) -> ClientResult<bool> {
        // What came over a connection that is gone comes again by itself.
        let options = BasicQosOptions::default();
        link.channel.basic_qos(1, options).await?;
        let headers = counted(self.redeliveries);
        match publish_alone(&self.address, Line::Shards, &self.payload, headers).await {
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
        let Some(link) = self.link.upgrade() else {
            return Err(lost("its consumer is gone".to_owned()));
        };
        let settled = async {
            let sent = match (settlement, self.line) {
                (Settlement::Ack, _) => self.acker.ack(BasicAckOptions::default()).await?,
                (Settlement::Reject, Line::Shards) => {
                    self.acker.reject(BasicRejectOptions::default()).await?
                }
                (Settlement::Release, Line::Shards) => self.release(&link).await?,
                (Settlement::Release | Settlement::Reject, Line::DeadLetters) => {
                    self.acker.nack(requeue()).await?
                }
            };
            // Settling has no answer of its own. Channels are served in order, so an answer to what comes after it
            // tells that the broker has it.
            let options = BasicQosOptions::default();
            link.channel.basic_qos(1, options).await.map(|()| sent)
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

/// Returns how often a message came back unsettled, before it was published anew and since.
fn redeliveries(headers: &FieldTable, redelivered: bool) -> u64 {
    let since = integer(headers, "x-delivery-count").max(redelivered.into());
    integer(headers, REDELIVERIES).saturating_add(since)
}

/// Returns the headers of a message that is published anew.
fn counted(redeliveries: u64) -> FieldTable {
    let count = i64::try_from(redeliveries).unwrap_or(i64::MAX);
    let mut headers = FieldTable::default();
    headers.insert(REDELIVERIES.into(), AMQPValue::LongLongInt(count));
    headers
}

fn integer(headers: &FieldTable, key: &str) -> u64 {
    let value = match headers.inner().get(key) {
        Some(AMQPValue::LongLongInt(value)) => *value,
        Some(AMQPValue::LongInt(value)) => i64::from(*value),
        Some(AMQPValue::LongUInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortUInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortShortInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortShortUInt(value)) => i64::from(*value),
        _ => 0,
    };
    u64::try_from(value).unwrap_or(0)
}

/// Reads the last death. One that a person caused at the broker counts as a rejection.
fn death(headers: &FieldTable) -> Death {
    if words(headers, DEATH) == Some(TOO_OFTEN.as_bytes()) {
        return Death::DeliveryLimit;
    }
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
        return Death::Rejected;
    };
    let Some(AMQPValue::FieldTable(last)) = deaths.as_slice().first() else {
        return Death::Rejected;
    };
    match words(last, "reason") {
        Some(b"delivery_limit") => Death::DeliveryLimit,
        Some(b"expired") => Death::Expired,
        Some(b"maxlen") => Death::Dropped,
        _ => Death::Rejected,
    }
}

fn words<'a>(headers: &'a FieldTable, key: &str) -> Option<&'a [u8]> {
    match headers.inner().get(key) {
        Some(AMQPValue::LongString(words)) => Some(words.as_bytes()),
        _ => None,
    }
}

/// Takes what a consumer's stream gave. That it ends, as it does when its queue is deleted, is a fault as well.
fn received(
    address: &Address,
    item: Option<ClientResult<Received>>,
) -> Result<Received, QueueError> {
    let cause = match item {
        Some(Ok(message)) if message.acker.usable() => return Ok(message),
        Some(Ok(_)) => "it broke after it delivered a message".to_owned(),
        Some(Err(error)) => text(&error),
        None => "the broker ended the consumer".to_owned(),
    };
    Err(address.error(QueueErrorKind::Unavailable, "consume", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the headers of a message whose last death had a reason, and the one before another.
    fn died(reason: &str) -> FieldTable {
        let death = |reason: &str| {
            let mut death = FieldTable::default();
            death.insert("reason".into(), AMQPValue::LongString(reason.into()));
            AMQPValue::FieldTable(death)
        };
        let mut headers = FieldTable::default();
        let deaths = vec![death(reason), death("rejected")];
        headers.insert("x-death".into(), AMQPValue::FieldArray(deaths.into()));
        headers
    }

    #[test]
    fn what_a_policy_took_from_the_queue_was_rejected_by_nobody() {
        for (reason, expected) in [
            ("rejected", Death::Rejected),
            ("delivery_limit", Death::DeliveryLimit),
            ("expired", Death::Expired),
            ("maxlen", Death::Dropped),
            ("of a later broker", Death::Rejected),
        ] {
            assert_eq!(death(&died(reason)), expected, "{reason}");
        }
        assert_eq!(death(&FieldTable::default()), Death::Rejected);
    }

    #[test]
    fn returns_are_counted_over_all_times_a_message_was_published() {
        assert_eq!(redeliveries(&FieldTable::default(), false), 0);
        assert_eq!(redeliveries(&FieldTable::default(), true), 1);
        let mut headers = counted(7);
        assert_eq!(redeliveries(&headers, false), 7);
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
        assert_eq!(redeliveries(&headers, true), 9);
        assert_eq!(redeliveries(&counted(u64::MAX), true), 1 << 63);
    }
}
