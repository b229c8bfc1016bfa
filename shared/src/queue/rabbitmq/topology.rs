//! Queues and exchanges that are declared at the broker. Declaring what is there already changes nothing, and fails if it
//! is different.

use super::address::{Address, WorkQueueName};
use super::client::{
    AMQPValue, Channel, ClientResult, ExchangeDeclareOptions, ExchangeKind, FieldTable,
    QueueBindOptions, QueueDeclareOptions, ShortString,
};
use super::topic::Topic;
use crate::queue::DELIVERY_LIMIT;

/// Messages that the broker keeps for a subscriber that is slow.
const KEPT_FOR_SUBSCRIBER: i32 = 10_000;
/// Dead letters have no other place to go to, so they may come back as often as they like.
const UNLIMITED: i64 = i32::MAX as i64;

/// Declares what is there already, or else makes it.
pub(super) async fn declare(channel: &Channel, address: &Address) -> ClientResult<()> {
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    for (name, kind) in [
        (address.events_exchange(), ExchangeKind::Topic),
        (address.requests_exchange(), ExchangeKind::Direct),
        (address.dead_exchange(), ExchangeKind::Fanout),
    ] {
        let arguments = FieldTable::default();
        channel
            .exchange_declare(name.into(), kind, durable, arguments)
            .await?;
    }
    let shards = table([
        ("x-queue-type", words("quorum")),
        (
            "x-delivery-limit",
            AMQPValue::LongLongInt(DELIVERY_LIMIT as i64),
        ),
        ("x-dead-letter-exchange", words(&address.dead_exchange())),
        ("x-dead-letter-strategy", words("at-least-once")),
        // At-least-once asks for it. There is no length limit, so nothing is refused.
        ("x-overflow", words("reject-publish")),
    ]);
    let dead_letters = table([
        ("x-queue-type", words("quorum")),
        ("x-delivery-limit", AMQPValue::LongLongInt(UNLIMITED)),
    ]);
    for (queue, arguments) in [
        (WorkQueueName::DeadLetters, dead_letters),
        (WorkQueueName::Shards, shards),
    ] {
        let name = address.queue(queue).into();
        let options = QueueDeclareOptions::durable();
        channel.queue_declare(name, options, arguments).await?;
    }
    let queue = ShortString::from(address.queue(WorkQueueName::DeadLetters));
    bind(
        channel,
        &queue,
        address.dead_exchange(),
        ShortString::default(),
    )
    .await
}

/// Declares the queue of one subscriber, which goes with its connection, and returns its name.
pub(super) async fn declare_subscriber(
    channel: &Channel,
    address: &Address,
    topic: &Topic,
) -> ClientResult<ShortString> {
    let options = QueueDeclareOptions::exclusive().auto_delete();
    let arguments = table([("x-max-length", AMQPValue::LongInt(KEPT_FOR_SUBSCRIBER))]);
    let unnamed = ShortString::default();
    let queue = channel.queue_declare(unnamed, options, arguments).await?;
    bind(channel, queue.name(), topic.exchange(address), topic.key()).await?;
    Ok(queue.name().clone())
}

async fn bind(
    channel: &Channel,
    queue: &ShortString,
    exchange: String,
    key: ShortString,
) -> ClientResult<()> {
    let options = QueueBindOptions::default();
    let arguments = FieldTable::default();
    channel
        .queue_bind(queue.clone(), exchange.into(), key, options, arguments)
        .await
}

fn words(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), value);
    }
    table
}
