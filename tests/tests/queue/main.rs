//! The queue: its contract, in memory and at a broker, and what goes wrong with a broker.

mod faults;
mod own_broker;
mod refused;

use std::collections::BTreeSet;
use std::time::Duration;

use shared::queue::conformance::{Subject, task};
use shared::queue::message::{ControlRequest, ShardTask};
use shared::queue::{
    self, Deliveries, Delivery, InProcessBroker, InProcessWorkQueue, QueueErrorKind, Settlement,
    WorkQueue,
};
use shared::settings::BrokerConfig;
use tests::broker::{namespace, shared_broker_url};
use tests::proxy::Proxy;

mod in_process {
    use super::*;

    async fn subject() -> Subject {
        let broker = InProcessBroker::new();
        Subject {
            broker: broker.ports(),
            lose_connections: Box::new(move || broker.work.lose_connections()),
        }
    }

    shared::queue_conformance!(subject());

    /// What `synth2real run` does: publish everything, and work until nothing is left.
    #[tokio::test(start_paused = true)]
    async fn it_is_drained_when_nothing_is_ready_or_in_hand() {
        let queue = InProcessWorkQueue::new();
        queue.drained().await;
        queue
            .publish(&[task(0), task(1), task(2)])
            .await
            .expect("publishes");
        let mut settlements = vec![Settlement::Reject, Settlement::Release, Settlement::Ack];
        let mut consumer = queue.consume().await.expect("consumes");
        let mut delivered = 0;
        loop {
            let delivery = tokio::select! {
                delivery = consumer.next() => delivery.expect("delivers"),
                () = queue.drained() => break,
            };
            delivered += 1;
            let settlement = settlements.pop().unwrap_or(Settlement::Ack);
            delivery.settle(settlement).await.expect("settles");
        }
        assert_eq!(delivered, 4, "one was released and came again");
        assert_eq!(queue.depth().await.expect("counts").dead, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_hand_keeps_it_from_being_drained() {
        let queue = InProcessWorkQueue::new();
        queue.publish(&[task(0)]).await.expect("publishes");
        let mut consumer = queue.consume().await.expect("consumes");
        let delivery = consumer.next().await.expect("delivers");
        let a_day = Duration::from_secs(86400);
        let drained = tokio::time::timeout(a_day, queue.drained()).await;
        assert!(drained.is_err(), "it was drained");
        let (_, settled) = tokio::join!(queue.drained(), delivery.settle(Settlement::Ack));
        settled.expect("settles");
    }
}

mod at_a_broker {
    use super::*;

    async fn subject() -> Subject {
        let (proxy, config) = through_a_proxy().await;
        let broker = queue::open(&config).await.expect("a broker");
        Subject {
            broker,
            lose_connections: Box::new(move || proxy.cut()),
        }
    }

    shared::queue_conformance!(subject());

    /// A connection has 2047 channels, and a service counts and asks for months.
    #[tokio::test]
    async fn counting_and_asking_leave_no_channel_behind() {
        let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace()));
        let broker = queue::open(&config.expect("an address")).await;
        let broker = broker.expect("a broker");
        for _ in 0..1100 {
            let counted = broker.work.depth().await;
            counted.expect("counts");
            let asked = broker.control.send("nobody", ControlRequest::Drain).await;
            assert!(!asked.expect("asks"));
        }
    }

    #[tokio::test]
    async fn ten_thousand_tasks_are_published_within_seconds() {
        let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace()));
        let broker = queue::open(&config.expect("an address")).await;
        let queue = broker.expect("a broker").work;
        let tasks: Vec<_> = (0..10_000).map(task).collect();
        let bytes = tasks[0].to_payload().len();
        let begun = std::time::Instant::now();
        queue.publish(&tasks).await.expect("publishes");
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{:.0} messages of {bytes} bytes a second",
            10_000.0 / seconds
        );
        assert_eq!(queue.depth().await.expect("counts").ready, 10_000);
        assert!(seconds < 60.0, "{seconds} s");
    }
}

/// The shared broker behind a network that can be broken.
async fn through_a_proxy() -> (Proxy, BrokerConfig) {
    let url = shared_broker_url();
    let (before, rest) = url.rsplit_once('@').expect("user and password");
    let (server, vhost) = rest.split_once('/').expect("a virtual host");
    let proxy = Proxy::to(server).await;
    let url = format!("{before}@{}/{vhost}", proxy.address());
    let config = BrokerConfig::new(&url, Some(&namespace())).expect("an address");
    (proxy, config)
}

/// Waits, but not for ever.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(90), future).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within 90 s"))
}

/// Polls until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    soon(what, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn next(consumer: &mut Box<dyn Deliveries>) -> Delivery {
    let delivery = soon("a message", consumer.next()).await;
    delivery.expect("delivers")
}

fn shard(delivery: &Delivery) -> u32 {
    let task = ShardTask::from_payload(&delivery.payload);
    task.expect("a task").shard.0
}

async fn is_lost(delivery: Delivery) {
    let settled = soon("a settlement", delivery.settle(Settlement::Ack)).await;
    let error = settled.expect_err("the delivery is lost");
    assert_eq!(error.kind, QueueErrorKind::DeliveryLost, "{error}");
}

/// Works like a worker that bears everything, until `wanted` shards are acknowledged.
async fn work(consumer: &mut Box<dyn Deliveries>, wanted: usize) -> BTreeSet<u32> {
    let mut done = BTreeSet::new();
    while done.len() < wanted {
        let delivery = next(consumer).await;
        let shard = shard(&delivery);
        if delivery.settle(Settlement::Ack).await.is_ok() {
            done.insert(shard);
        }
    }
    done
}
