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
/// Why a message was published to the dead letters, in the words of the broker.
const DEATH: &str = "synth2real-death";
/// The most times that a message came back which was moved to the dead letters for that: as often as it may before it was
/// published anew, as often again since, and once more.
const MOST_REDELIVERIES: u64 = 2 * DELIVERY_LIMIT + 1;

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
                Line::DeadLetters => Some(death(&headers, &self.link.address.queue(Line::Shards))),
            };
            self.last = Some(message.acker.clone());
            let payload = Bytes::from(message.data);
            let receipt = Receipt {
                address: Arc::clone(&self.link.address),
                link: Arc::downgrade(&self.link),
                acker: message.acker,
                line: self.line,
                payload: payload.clone(),
                headers: death.map_or_else(|| counted(redeliveries), dead),
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
        let redeliveries = redeliveries(&headers, message.redelivered);
        if redeliveries > DELIVERY_LIMIT {
            return bury(address, message, redeliveries).await;
        }
        let headers = counted(redeliveries);
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
    let mut headers = dead(Death::DeliveryLimit);
    headers.insert(REDELIVERIES.into(), count(redeliveries));
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
    /// Those that it has when it is published anew.
    headers: FieldTable,
}

impl Receipt {
    /// Publishes the message anew and acknowledges this delivery. Where that cannot be done it goes back, which counts.
    async fn release(&self, link: &Link) -> ClientResult<bool> {
        // What came over a connection that is gone comes again by itself.
        let options = BasicQosOptions::default();
        link.channel.basic_qos(1, options).await?;
        let headers = self.headers.clone();
        match publish_alone(&self.address, self.line, &self.payload, headers).await {
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
                (Settlement::Release, _) => self.release(&link).await?,
                (Settlement::Reject, Line::DeadLetters) => self.acker.nack(requeue()).await?,
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
    // The broker counts what it delivers again, and leaves as it is what whoever published the message says.
    let since = if redelivered {
        integer(headers, "x-delivery-count").max(1)
    } else {
        0
    };
    redeliveries_before(headers).saturating_add(since)
}

/// Returns how often a message came back before it was published anew. What came back too often is published to no worker,
/// so a larger number is that of another program.
fn redeliveries_before(headers: &FieldTable) -> u64 {
    let stated = integer(headers, REDELIVERIES);
    if stated <= DELIVERY_LIMIT {
        return stated;
    }
    warn!(
        stated,
        most = DELIVERY_LIMIT,
        "a message says that it came back more often than any that is published: that counts for nothing; who publishes to \
         the queue beside synth2real?"
    );
    0
}

/// Returns the headers of a message that is published anew.
fn counted(redeliveries: u64) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(REDELIVERIES.into(), count(redeliveries));
    headers
}

/// Returns the headers of a dead letter that is published anew.
fn dead(death: Death) -> FieldTable {
    let mut headers = FieldTable::default();
    if let Some(word) = word(death) {
        headers.insert(DEATH.into(), AMQPValue::LongString(word.into()));
    }
    if death == Death::DeliveryLimit {
        headers.insert(REDELIVERIES.into(), count(DELIVERY_LIMIT + 1));
    }
    headers
}

fn count(redeliveries: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(redeliveries).unwrap_or(i64::MAX))
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

/// Returns the last death of a message that the shards' queue of that name held: the broker's word, or ours where it was
/// published to the dead letters. What neither can have said explains nothing.
fn death(headers: &FieldTable, shards: &str) -> Death {
    let said = match headers.inner().get("x-death") {
        Some(AMQPValue::FieldArray(deaths)) => of_broker(deaths.as_slice().first(), shards),
        _ => of_ours(headers),
    };
    said.unwrap_or(Death::Unexplained)
}

/// Returns the death that the broker tells. One that a person caused there counts as a rejection.
fn of_broker(last: Option<&AMQPValue>, shards: &str) -> Option<Death> {
    let Some(AMQPValue::FieldTable(last)) = last else {
        return None;
    };
    if words(last, "queue") != Some(shards.as_bytes()) {
        return None;
    }
    let reason = words(last, "reason")?;
    Some(death_of(reason).unwrap_or(Death::Rejected))
}

/// Returns the death that a message was published to the dead letters with.
fn of_ours(headers: &FieldTable) -> Option<Death> {
    let death = death_of(words(headers, DEATH)?)?;
    let redeliveries = integer(headers, REDELIVERIES);
    let is_often = (DELIVERY_LIMIT + 1..=MOST_REDELIVERIES).contains(&redeliveries);
    (death != Death::DeliveryLimit || is_often).then_some(death)
}

/// Returns what the broker calls a death, if it is one that it knows.
fn word(death: Death) -> Option<&'static str> {
    match death {
        Death::Rejected => Some("rejected"),
        Death::DeliveryLimit => Some("delivery_limit"),
        Death::Expired => Some("expired"),
        Death::Dropped => Some("maxlen"),
        Death::Unexplained => None,
    }
}

/// Returns the death that the broker calls so.
fn death_of(said: &[u8]) -> Option<Death> {
    let deaths = [
        Death::Rejected,
        Death::DeliveryLimit,
        Death::Expired,
        Death::Dropped,
    ];
    let is_said = |death: &Death| word(*death).is_some_and(|word| word.as_bytes() == said);
    deaths.into_iter().find(is_said)
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

    const SHARDS: &str = "synth2real.shards";

    /// Returns the headers of a message whose last death had a reason, and the one before another.
    fn died(reason: &str) -> FieldTable {
        let death = |reason: &str| {
            let mut death = FieldTable::default();
            death.insert("queue".into(), AMQPValue::LongString(SHARDS.into()));
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
            assert_eq!(death(&died(reason), SHARDS), expected, "{reason}");
        }
    }

    #[test]
    fn a_dead_letter_that_was_published_to_them_by_others_is_not_explained() {
        assert_eq!(death(&FieldTable::default(), SHARDS), Death::Unexplained);
        let elsewhere = death(&died("delivery_limit"), "other.shards");
        assert_eq!(elsewhere, Death::Unexplained);
        for (redeliveries, expected) in [
            (None, Death::Unexplained),
            (Some(0), Death::Unexplained),
            (Some(DELIVERY_LIMIT), Death::Unexplained),
            (Some(DELIVERY_LIMIT + 1), Death::DeliveryLimit),
            (Some(2 * DELIVERY_LIMIT + 1), Death::DeliveryLimit),
            (Some(100), Death::Unexplained),
        ] {
            let mut headers = redeliveries.map(counted).unwrap_or_default();
            let limit = AMQPValue::LongString("delivery_limit".into());
            headers.insert(DEATH.into(), limit);
            assert_eq!(death(&headers, SHARDS), expected, "{redeliveries:?}");
        }
        let mut unknown = counted(DELIVERY_LIMIT + 1);
        unknown.insert(DEATH.into(), AMQPValue::LongString("boredom".into()));
        assert_eq!(death(&unknown, SHARDS), Death::Unexplained);
    }

    #[test]
    fn a_dead_letter_that_is_published_anew_says_why_it_is_one() {
        for expected in [
            Death::Rejected,
            Death::DeliveryLimit,
            Death::Expired,
            Death::Dropped,
            Death::Unexplained,
        ] {
            assert_eq!(death(&dead(expected), SHARDS), expected);
        }
    }

    #[test]
    fn returns_are_counted_over_all_times_a_message_was_published() {
        assert_eq!(redeliveries(&FieldTable::default(), false), 0);
        assert_eq!(redeliveries(&FieldTable::default(), true), 1);
        let mut headers = counted(7);
        assert_eq!(redeliveries(&headers, false), 7);
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
        assert_eq!(redeliveries(&headers, true), 9);
    }

    #[test]
    fn no_message_has_come_back_before_it_was_delivered_whatever_it_says() {
        assert_eq!(
            redeliveries(&counted(DELIVERY_LIMIT), false),
            DELIVERY_LIMIT
        );
        for stated in [DELIVERY_LIMIT + 1, 100, u64::MAX] {
            assert_eq!(redeliveries(&counted(stated), false), 0, "{stated}");
            assert_eq!(redeliveries(&counted(stated), true), 1, "{stated}");
        }
        let mut forged = FieldTable::default();
        forged.insert("x-delivery-count".into(), AMQPValue::LongLongInt(100));
        assert_eq!(redeliveries(&forged, false), 0);
    }
}
