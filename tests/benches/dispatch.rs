//! Shards a second through broker and bucket with an engine that takes no time, beside what broker and bucket do alone.
//!
//! `infra/with-servers.sh cargo bench --package tests --bench dispatch`. The bucket is the tests' own server in this
//! process, so it shares the machine's cores with the workers.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::ExponentialBuilder;
use bytes::Bytes;
use coordinator::run::ledger::Ledger;
use coordinator::work::dispatch;
use coordinator::work::resume::{self, Choice};
use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::ids::ShardId;
use shared::queue;
use shared::settings::{BrokerConfig, ShardSize, WatchdogConfig};
use shared::storage::{S3Storage, Storage};
use tests::broker::{namespace, shared_broker_url};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tests::s3_server::S3Server;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

const SHARDS: usize = 1_000;
const ONE: ShardSize = ShardSize {
    contents: 1,
    styles: 1,
};

#[tokio::main]
async fn main() {
    let server = S3Server::start();
    println!("{:50} {:>10}", "", "per second");
    bare_broker().await;
    bare_bucket(&server).await;
    for workers in [1, 2, 4] {
        shards(&server, workers).await;
    }
}

fn rate(what: &str, count: usize, started: Instant) {
    println!(
        "{what:50} {:>10.0}",
        count as f64 / started.elapsed().as_secs_f64()
    );
}

/// Messages published with confirms and consumed with acks, one at a time, with lapin alone.
async fn bare_broker() {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&shared_broker_url(), properties)
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let queue = namespace();
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.as_str().into(), durable, arguments)
        .await
        .unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let started = Instant::now();
    for _ in 0..SHARDS {
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let published =
            channel.basic_publish("".into(), queue.as_str().into(), options, b"x", properties);
        published.await.unwrap().await.unwrap();
    }
    rate(
        "lapin alone: publish, wait for the confirm",
        SHARDS,
        started,
    );
    channel
        .basic_qos(1, BasicQosOptions::default())
        .await
        .unwrap();
    let consume = channel.basic_consume(
        queue.as_str().into(),
        "bare".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut messages = consume.await.unwrap();
    let started = Instant::now();
    for _ in 0..SHARDS {
        let message = messages.next().await.unwrap().unwrap();
        message.ack(BasicAckOptions::default()).await.unwrap();
    }
    rate("lapin alone: consume and ack, prefetch 1", SHARDS, started);
}

/// Conditional puts of a small object, one at a time.
async fn bare_bucket(server: &S3Server) {
    let storage = S3Storage::open(&server.bucket("bare/"), &server.settings())
        .await
        .unwrap();
    let bytes = Bytes::from(vec![7; 2_000]);
    let started = Instant::now();
    for number in 0..SHARDS {
        let key = ArtifactKey::Shard("bare".parse().unwrap(), ShardId(number as u32));
        storage.create(&key, bytes.clone()).await.unwrap();
    }
    rate("put_object alone", SHARDS, started);
}

/// Shards of one item, from launch to the last commit.
async fn shards(server: &S3Server, num_workers: usize) {
    let contents: Vec<String> = (0..SHARDS).map(|number| format!("{number:05}")).collect();
    let run = planned::run("dispatch", &contents, &["night".to_owned()], ONE);
    let prefix = format!("{num_workers}-workers/");
    let storage = S3Storage::open(&server.bucket(&prefix), &server.settings())
        .await
        .unwrap();
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let config = BrokerConfig::new(&shared_broker_url(), Some(&namespace())).unwrap();
    let queue = queue::open(&config).await.unwrap().work;
    planned::store(storage.as_ref(), &run).await;
    let ledger = Ledger::default();
    let redo = resume::find(storage.as_ref(), &run, &ledger, &Choice::default())
        .await
        .unwrap();
    let started = Instant::now();
    dispatch::publish(queue.as_ref(), resume::tasks(&run, &ledger, &redo), |_| {})
        .await
        .unwrap();
    rate("publish shards", SHARDS, started);

    let engine = FakeEngine::new(Duration::ZERO);
    let drain = CancellationToken::new();
    let started = Instant::now();
    let mut workers = Vec::new();
    for number in 0..num_workers {
        let consumer = Consumer {
            name: format!("worker-{number}"),
            storage: Arc::clone(&storage),
            broker: queue::open(&config).await.unwrap(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&engine))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default(),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
            idle: None,
        };
        workers.push(tokio::spawn(async move { consumer.run().await.unwrap() }));
    }
    while engine.conversions() < SHARDS as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    rate(
        &format!("shards of one item, {num_workers} workers"),
        SHARDS,
        started,
    );
    drain.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
}
