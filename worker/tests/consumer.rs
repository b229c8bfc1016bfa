//! A worker's loop: what becomes of the message of a shard that is committed, halted, failing or given back.

mod fakes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::ExponentialBuilder;
use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::decision::{ChangedInputs, Decision, DecisionKind, Decisions};
use shared::failure::{FailedAttempt, FailureClass};
use shared::ids::ShardId;
use shared::json;
use shared::manifest::Status;
use shared::queue::message::ControlRequest;
use shared::queue::{InProcessBroker, WorkQueue, WorkerControl};
use shared::run_record::RunRecord;
use shared::settings::WatchdogConfig;
use shared::storage::{MemoryStorage, Storage};
use tokio_util::sync::CancellationToken;
use worker::attempt::RunContext;
use worker::consumer::{Consumer, ConsumerError};
use worker::run_context::{RunContextError, RunContextProvider};

use self::fakes::{FakeEngine, FakeRun};

/// Gives every run a context with one engine.
struct FakeContexts(Arc<FakeEngine>);

#[async_trait]
impl RunContextProvider for FakeContexts {
    async fn load(&self, _: &RunRecord, _: &ChangedInputs) -> Result<RunContext, RunContextError> {
        Ok(self.0.context())
    }

    fn device(&self) -> String {
        "fake".to_owned()
    }
}

/// A run that is stored, and a queue with its shard.
struct Fixture {
    run: FakeRun,
    storage: MemoryStorage,
    broker: InProcessBroker,
}

impl Fixture {
    async fn of(contents: &[&str]) -> Self {
        let fixture = Self {
            run: FakeRun::of(contents, &["night"]),
            storage: MemoryStorage::new(),
            broker: InProcessBroker::new(),
        };
        let record = &fixture.run.record;
        let plan = json::line(&fixture.run.plan).into_bytes();
        let plan_key = ArtifactKey::Plan(record.run.clone(), record.frozen.plan_sha256.clone());
        let record_key = ArtifactKey::RunRecord(record.run.clone());
        for (key, bytes) in [(plan_key, plan), (record_key, record.to_json())] {
            let stored = fixture.storage.create(&key, Bytes::from(bytes)).await;
            stored.expect("an empty storage root");
        }
        fixture.publish().await;
        fixture
    }

    /// Asks for the shard once more.
    async fn publish(&self) {
        let published = self.broker.work.publish(&[self.run.task()]).await;
        published.expect("a queue in this process");
    }

    fn consumer(&self, engine: &Arc<FakeEngine>, drain: &CancellationToken) -> Consumer {
        Consumer {
            name: "worker".to_owned(),
            storage: Arc::new(self.storage.clone()),
            broker: self.broker.ports(),
            run_contexts: Arc::new(FakeContexts(Arc::clone(engine))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default(),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
            idle: None,
        }
    }

    /// A worker works until no shard waits, or until it stops by itself.
    async fn work(&self, engine: &Arc<FakeEngine>) -> Result<(), ConsumerError> {
        let drain = CancellationToken::new();
        let consumer = self.consumer(engine, &drain);
        let work = consumer.run();
        tokio::pin!(work);
        tokio::select! {
            ended = &mut work => return ended,
            () = self.broker.work.drained() => drain.cancel(),
        }
        work.await
    }

    /// A worker works that is told to drain by its engine's first conversion.
    async fn work_until_drained(&self, engine: &Arc<FakeEngine>) -> Result<(), ConsumerError> {
        self.consumer(engine, &engine.cancels).run().await
    }

    /// Returns how many shards wait, and how many were given up.
    async fn waiting_and_dead(&self) -> (u64, u64) {
        let depth = self.broker.work.depth().await;
        let depth = depth.expect("a queue in this process");
        (depth.ready, depth.dead)
    }

    /// Returns how each item of the shard ended; nothing if the shard is not committed.
    async fn committed(&self) -> Option<Vec<Status>> {
        let rows = self.run.committed(&self.storage).await?;
        Some(rows.iter().map(|row| row.status).collect())
    }

    /// Returns the record of a failed attempt; nothing if there is none.
    async fn failure(&self, number: u32) -> Option<FailedAttempt> {
        let key = ArtifactKey::FailedAttempt(self.run.record.run.clone(), ShardId(0), number);
        let bytes = self.storage.read(&key).await.ok()?;
        Some(FailedAttempt::parse(&bytes, &key).expect("a record of a failed attempt"))
    }
}

fn failing() -> Arc<FakeEngine> {
    Arc::new(FakeEngine {
        failing: vec!["a"],
        ..FakeEngine::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_shard_is_committed_and_its_message_acknowledged() {
    let fixture = Fixture::of(&["a", "b"]).await;
    fixture.work(&Arc::default()).await.unwrap();
    assert_eq!(fixture.committed().await, Some(vec![Status::Done; 2]));
    assert_eq!(fixture.waiting_and_dead().await, (0, 0));
    assert!(fixture.failure(1).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_committed_already_is_acknowledged_without_work() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.work(&Arc::default()).await.unwrap();
    let before = fixture.storage.snapshot();
    fixture.publish().await;
    let engine = Arc::new(FakeEngine::default());
    fixture.work(&engine).await.unwrap();
    assert!(engine.conversions().is_empty());
    assert_eq!(fixture.waiting_and_dead().await, (0, 0));
    assert_eq!(fixture.storage.snapshot(), before);
}

#[tokio::test(start_paused = true)]
async fn a_halted_runs_shard_is_settled_without_an_attempt() {
    let fixture = Fixture::of(&["a"]).await;
    let halt = DecisionKind::Halt {
        reason: "cancelled".to_owned(),
    };
    Decisions::default()
        .decide_next(
            &fixture.storage,
            &fixture.run.record.run,
            Decision::made(halt, &SystemClock),
        )
        .await
        .unwrap();
    let engine = Arc::new(FakeEngine::default());
    fixture.work(&engine).await.unwrap();
    assert!(engine.conversions().is_empty());
    assert_eq!(fixture.committed().await, None);
    assert_eq!(fixture.waiting_and_dead().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_recorded_and_its_message_released() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.work_until_drained(&failing()).await.unwrap();
    let failure = fixture.failure(1).await.unwrap();
    assert_eq!(failure.error_class, FailureClass::Transient);
    assert_eq!((failure.attempt, failure.worker.as_str()), (1, "worker"));
    assert!(fixture.failure(2).await.is_none());
    assert_eq!(fixture.waiting_and_dead().await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shard_of_which_all_attempts_fail_is_recorded_each_time_and_rejected() {
    let fixture = Fixture::of(&["a"]).await;
    let engine = failing();
    let max_attempts = fixture.run.record.limits.max_attempts;
    fixture.work(&engine).await.unwrap();
    for number in 1..=max_attempts {
        assert!(fixture.failure(number).await.is_some(), "{number}");
    }
    assert!(fixture.failure(max_attempts + 1).await.is_none());
    assert_eq!(engine.conversions().len(), max_attempts as usize);
    assert_eq!(fixture.committed().await, None);
    assert_eq!(fixture.waiting_and_dead().await, (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_drained_finishes_the_image_in_hand_and_gives_the_shard_back() {
    let fixture = Fixture::of(&["a", "b"]).await;
    let drained = Arc::new(FakeEngine::default());
    fixture.work_until_drained(&drained).await.unwrap();
    assert_eq!(drained.conversions(), [("a".to_owned(), 1)]);
    assert_eq!(fixture.committed().await, None);
    assert_eq!(fixture.waiting_and_dead().await, (1, 0));
    assert!(
        fixture.failure(1).await.is_none(),
        "that counts for nothing"
    );

    let next = Arc::new(FakeEngine::default());
    fixture.work(&next).await.unwrap();
    assert_eq!(
        next.conversions(),
        [("b".to_owned(), 1)],
        "the first is kept"
    );
    assert_eq!(fixture.committed().await, Some(vec![Status::Done; 2]));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_asked_to_drain_stops_and_takes_nothing_more() {
    let fixture = Fixture::of(&["a"]).await;
    let engine = Arc::new(FakeEngine::default());
    fixture.work(&engine).await.unwrap();
    let consumer = fixture.consumer(&engine, &CancellationToken::new());
    let ask = async {
        // Until the worker is subscribed, the request reaches no one.
        while !fixture
            .broker
            .control
            .send("worker", ControlRequest::Drain)
            .await
            .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (ended, ()) = tokio::join!(consumer.run(), ask);
    ended.unwrap();
    fixture.publish().await;
    assert_eq!(fixture.waiting_and_dead().await, (1, 0));
}
