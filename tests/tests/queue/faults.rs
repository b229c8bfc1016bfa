//! A network and a broker that fail while the queue is used.

use futures::StreamExt;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use shared::queue::DeadLetterReason;
use shared::queue::message::{Event, EventKind};

use super::*;

/// The shared broker, without a proxy, under a name that is used already.
async fn directly(config: &BrokerConfig) -> queue::Broker {
    let config = BrokerConfig::new(&shared_broker_url(), Some(&config.namespace));
    let broker = queue::open(&config.expect("an address")).await;
    broker.expect("a broker")
}

fn tasks(count: usize) -> Vec<ShardTask> {
    (0..count).map(task).collect()
}

pub(super) fn event() -> Event {
    Event {
        at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        worker: "w1".to_owned(),
        kind: EventKind::WorkerStopped {
            reason: "done".to_owned(),
        },
    }
}

#[tokio::test]
async fn connections_cut_in_the_middle_of_work_lose_nothing() {
    let (proxy, config) = through_a_proxy().await;
    let queue = queue::open(&config).await.expect("a broker").work;
    queue.publish(&tasks(30)).await.expect("publishes");
    let mut consumers = [
        queue.consume().await.expect("consumes"),
        queue.consume().await.expect("consumes"),
    ];
    let mut done = BTreeSet::new();
    for turn in 0.. {
        let delivery = next(&mut consumers[turn % 2]).await;
        if turn % 4 == 3 {
            proxy.cut();
        }
        let shard = shard(&delivery);
        if delivery.settle(Settlement::Ack).await.is_ok() {
            done.insert(shard);
        }
        if done.len() == 30 {
            break;
        }
    }
    drop(consumers);
    let direct = directly(&config).await.work;
    until("an empty queue", || async {
        let depth = direct.depth().await.expect("counts");
        (depth.ready, depth.dead, depth.consumers) == (0, 0, 0)
    })
    .await;
}

#[tokio::test]
async fn a_consumer_has_one_message_at_a_time_after_a_new_connection_too() {
    let (proxy, config) = through_a_proxy().await;
    let queue = queue::open(&config).await.expect("a broker").work;
    queue.publish(&tasks(3)).await.expect("publishes");
    let mut consumer = queue.consume().await.expect("consumes");
    let before = next(&mut consumer).await;
    proxy.cut();
    is_lost(before).await;
    let in_hand = next(&mut consumer).await;
    let depth = queue.depth().await;
    assert_eq!(
        depth.expect("counts").ready,
        2,
        "the others wait at the broker"
    );
    in_hand.settle(Settlement::Ack).await.expect("settles");
}

/// The connection stays open and nothing comes through, as when a cable is pulled: only heartbeats notice.
#[tokio::test]
async fn a_connection_that_falls_silent_is_given_up() {
    let (proxy, config) = through_a_proxy().await;
    let url = format!("{}?heartbeat=1", config.secret_url());
    let config = BrokerConfig::new(&url, Some(&config.namespace)).expect("an address");
    let queue = queue::open(&config).await.expect("a broker").work;
    let direct = directly(&config).await.work;
    direct.publish(&tasks(2)).await.expect("publishes");
    let mut silent = queue.consume().await.expect("consumes");
    let held = next(&mut silent).await;
    proxy.stall();
    let mut other = direct.consume().await.expect("consumes");
    assert_eq!(work(&mut other, 2).await.len(), 2);
    is_lost(held).await;
    direct.publish(&tasks(1)).await.expect("publishes");
    drop(other);
    proxy.pass();
    assert_eq!(work(&mut silent, 1).await.len(), 1);
}

#[tokio::test]
async fn a_message_is_held_for_many_heartbeats_while_a_thread_computes() {
    let url = format!("{}?heartbeat=1", shared_broker_url());
    let config = BrokerConfig::new(&url, Some(&namespace())).expect("an address");
    let queue = queue::open(&config).await.expect("a broker").work;
    queue.publish(&tasks(1)).await.expect("publishes");
    let mut consumer = queue.consume().await.expect("consumes");
    let delivery = next(&mut consumer).await;
    let computation = || std::thread::sleep(Duration::from_secs(5));
    let computed = tokio::task::spawn_blocking(computation).await;
    computed.expect("computes");
    let settled = delivery.settle(Settlement::Ack).await;
    settled.expect("the connection is still there");
}

#[tokio::test]
async fn a_broker_that_is_away_is_waited_for_by_consumers_and_told_to_publishers() {
    let (proxy, config) = through_a_proxy().await;
    let broker = queue::open(&config).await.expect("a broker");
    let queue = &broker.work;
    queue.publish(&tasks(1)).await.expect("publishes");
    let mut events = broker.events.subscribe().await;
    proxy.refuse();
    proxy.cut();
    let mut consumer = queue.consume().await.expect("consumes later");
    let error = queue.publish(&tasks(1)).await.expect_err("nobody is there");
    assert_eq!(error.kind, QueueErrorKind::Unavailable, "{error}");
    soon("telling nobody", broker.events.emit(&event())).await;
    proxy.pass();
    assert_eq!(work(&mut consumer, 1).await.len(), 1);
    queue.publish(&tasks(1)).await.expect("publishes again");
    assert_eq!(work(&mut consumer, 1).await.len(), 1);
    // Told until it is heard: what is told while the two connect is lost.
    let heard = async {
        loop {
            broker.events.emit(&event()).await;
            let patience = Duration::from_millis(200);
            if let Ok(heard) = tokio::time::timeout(patience, events.next()).await {
                return heard;
            }
        }
    };
    assert_eq!(soon("an event", heard).await, Some(event()));
}

async fn delete_shards(config: &BrokerConfig) -> Connection {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(config.secret_url(), properties).await;
    let connection = connection.expect("a broker");
    let channel = connection.create_channel().await.expect("a channel");
    let name = format!("{}.shards", config.namespace).into();
    let options = QueueDeleteOptions::default();
    let deleted = channel.queue_delete(name, options).await;
    deleted.expect("deletes the queue");
    connection
}

#[tokio::test]
async fn messages_that_find_no_queue_are_told_and_the_next_call_declares_it() {
    let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace()));
    let config = config.expect("an address");
    let queue = queue::open(&config).await.expect("a broker").work;
    queue.publish(&tasks(2)).await.expect("publishes");
    delete_shards(&config).await;
    let error = queue
        .publish(&tasks(2))
        .await
        .expect_err("there is no queue");
    let cause = error.source.expect("a cause").to_string();
    assert!(cause.contains("NO_ROUTE"), "{cause}");
    queue.publish(&tasks(2)).await.expect("publishes");
    assert_eq!(queue.depth().await.expect("counts").ready, 2);
}

/// Nobody but the consumer may declare it: a broker that finds the queue there again at once keeps the consumer, mute.
#[tokio::test]
async fn a_deleted_queue_is_declared_again_and_consumed_from() {
    let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace()));
    let config = config.expect("an address");
    let queue = queue::open(&config).await.expect("a broker").work;
    let mut consumer = queue.consume().await.expect("consumes");
    let waiting = tokio::spawn(async move { work(&mut consumer, 1).await });

    let connection = delete_shards(&config).await;
    let name = format!("{}.shards", config.namespace);
    until("a consumer", || async {
        let channel = connection.create_channel().await.expect("a channel");
        let options = QueueDeclareOptions::default().passive();
        let arguments = FieldTable::default();
        let found = channel.queue_declare(name.as_str().into(), options, arguments);
        found.await.is_ok_and(|queue| queue.consumer_count() == 1)
    })
    .await;
    queue.publish(&tasks(1)).await.expect("publishes");
    let done = soon("the message", waiting).await;
    assert_eq!(done.expect("works").len(), 1);
}

/// As a policy with `message-ttl` does: nobody takes it in time.
#[tokio::test]
async fn a_message_that_expires_is_a_dead_letter_that_says_so() {
    let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace()));
    let config = config.expect("an address");
    let queue = queue::open(&config).await.expect("a broker").work;
    let properties = BasicProperties::default().with_expiration("1".into());
    let _connection = publish_by_hand(&config, "shards", properties).await;
    let mut dead = queue.consume_dead().await.expect("consumes dead letters");
    let letter = next(&mut dead).await;
    assert_eq!(shard(&letter), 7);
    assert_eq!(letter.dead_letter, Some(DeadLetterReason::Expired));
    letter.settle(Settlement::Ack).await.expect("settles");
}

/// Publishes the task 7 to a queue as somebody else does. The connection stays open, so that it is sent.
async fn publish_by_hand(
    config: &BrokerConfig,
    queue: &str,
    properties: BasicProperties,
) -> Connection {
    let connecting = Connection::connect(config.secret_url(), ConnectionProperties::default());
    let connection = connecting.await.expect("a broker");
    let channel = connection.create_channel().await.expect("a channel");
    let name = format!("{}.{queue}", config.namespace);
    let payload = task(7).to_payload();
    let published = channel.basic_publish(
        ShortString::default(),
        name.as_str().into(),
        BasicPublishOptions::default(),
        &payload,
        properties,
    );
    let _ = published.await.expect("publishes").await.expect("sends");
    connection
}

#[tokio::test]
async fn what_others_put_among_the_dead_letters_is_not_taken_for_one_of_the_broker() {
    let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace()));
    let config = config.expect("an address");
    let queue = queue::open(&config).await.expect("a broker").work;
    let mut said = FieldTable::default();
    let limit = AMQPValue::LongString("delivery_limit".into());
    said.insert("synth2real-death".into(), limit);
    for headers in [FieldTable::default(), said] {
        let properties = BasicProperties::default().with_headers(headers);
        let _connection = publish_by_hand(&config, "dead-letters", properties).await;
        let mut dead = queue.consume_dead().await.expect("consumes dead letters");
        let letter = next(&mut dead).await;
        assert_eq!(shard(&letter), 7);
        assert_eq!(letter.dead_letter, Some(DeadLetterReason::Unexplained));
        letter.settle(Settlement::Ack).await.expect("settles");
    }
}

#[tokio::test]
async fn a_message_is_not_given_up_for_returns_that_it_only_speaks_of() {
    let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace()));
    let config = config.expect("an address");
    let queue = queue::open(&config).await.expect("a broker").work;
    for header in ["synth2real-redeliveries", "x-delivery-count"] {
        let mut headers = FieldTable::default();
        headers.insert(header.into(), AMQPValue::LongLongInt(100));
        let properties = BasicProperties::default().with_headers(headers);
        let _connection = publish_by_hand(&config, "shards", properties).await;
        let mut consumer = queue.consume().await.expect("consumes");
        let delivery = next(&mut consumer).await;
        assert_eq!(
            (shard(&delivery), delivery.redeliveries),
            (7, 0),
            "{header}"
        );
        delivery.settle(Settlement::Ack).await.expect("settles");
    }
}
