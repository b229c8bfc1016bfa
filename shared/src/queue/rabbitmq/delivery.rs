//! Messages in the hands of a consumer, and how they end.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use futures::StreamExt;
use tokio::time::timeout;

use super::address::{Address, Line};
use super::client::{
    AMQPValue, ANSWER, Acker, BasicAckOptions, BasicNackOptions, BasicQosOptions,
    BasicRejectOptions, ClientResult, Consumer, FieldTable, Received, answered, no_answer, text,
};
use super::link::Link;
use crate::queue::{Death, Delivery, QueueError, QueueErrorKind, Settle, Settlement};

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
        let address = &self.link.address;
        // Rejected, so that it counts: what was dropped may be what broke its holder.
        if let Some(dropped) = self.last.take().filter(Acker::usable) {
            let requeued = dropped.reject(BasicRejectOptions { requeue: true });
            answered(address, "give a message back", requeued).await?;
        }
        let message = received(address, self.messages.next().await)?;
        self.last = Some(message.acker.clone());
        let headers = message.properties.headers().clone().unwrap_or_default();
        let receipt = Receipt {
            address: Arc::clone(address),
            link: Arc::downgrade(&self.link),
            acker: message.acker,
            line: self.line,
        };
        let redeliveries = integer(&headers, "x-delivery-count");
        let death = match self.line {
            Line::Shards => None,
            Line::DeadLetters => Some(death(&headers)),
        };
        Ok(Delivery::new(
            message.data.into(),
            redeliveries.max(message.redelivered.into()),
            death,
            Box::new(receipt),
        ))
    }
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
            let requeue = BasicNackOptions {
                requeue: true,
                ..BasicNackOptions::default()
            };
            let sent = match (settlement, self.line) {
                (Settlement::Ack, _) => self.acker.ack(BasicAckOptions::default()).await?,
                (Settlement::Reject, Line::Shards) => {
                    self.acker.reject(BasicRejectOptions::default()).await?
                }
                (Settlement::Release, _) | (Settlement::Reject, Line::DeadLetters) => {
                    self.acker.nack(requeue).await?
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
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
        return Death::Rejected;
    };
    let Some(AMQPValue::FieldTable(last)) = deaths.as_slice().first() else {
        return Death::Rejected;
    };
    match last.inner().get("reason") {
        Some(AMQPValue::LongString(reason)) if reason.as_bytes() == b"delivery_limit" => {
            Death::DeliveryLimit
        }
        _ => Death::Rejected,
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
