//! A run in memory or on a disk with its queue, and the workers and collectors that work on it.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use bytes::Bytes;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::{Ledger, ShardState};
use coordinator::run::redo::Redo;
use coordinator::work::collector::{Collector, Mode};
use coordinator::work::dispatch;
use coordinator::work::resume::{self, Choice, Only};
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::failure::FailedAttempt;
use shared::ids::ShardId;
use shared::queue::InProcessBroker;
use shared::queue::message::ShardTask;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tokio_util::sync::CancellationToken;
use worker::consumer::{Consumer, ConsumerError};
use worker::run_context::RunContextProvider;

pub(super) const ONE: ShardSize = ShardSize {
    contents: 1,
    styles: 1,
};

/// A run of some contents in one style, a shard each, and everything around it.
pub(super) struct Fixture {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) broker: InProcessBroker,
    pub(super) run: FrozenRun,
    pub(super) engine: Arc<FakeEngine>,
}

impl Fixture {
    pub(super) async fn of(contents: &[&str]) -> Self {
        Self::on(Arc::new(MemoryStorage::new()), contents).await
    }

    pub(super) async fn on(storage: Arc<dyn Storage>, contents: &[&str]) -> Self {
        let contents: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let run = planned::run("staged", &contents, &["night".to_owned()], ONE);
        let engine = FakeEngine::new(Duration::from_millis(10));
        Self::of_run(storage, run, engine).await
    }

    /// One shard of two contents in five styles, for which the engine has no memory.
    pub(super) async fn without_memory() -> Self {
        let named =
            |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let size = ShardSize {
            contents: 2,
            styles: 5,
        };
        let styles = named(&["night", "snow", "rain", "fog", "day"]);
        let run = planned::run("staged", &named(&["a", "b"]), &styles, size);
        let engine = FakeEngine::that_is_full();
        Self::of_run(Arc::new(MemoryStorage::new()), run, engine).await
    }

    pub(super) async fn of_run(
        storage: Arc<dyn Storage>,
        run: FrozenRun,
        engine: Arc<FakeEngine>,
    ) -> Self {
        planned::store(storage.as_ref(), &run).await;
        Self {
            storage,
            broker: InProcessBroker::new(),
            run,
            engine,
        }
    }

    pub(super) async fn publish(&self, only: Option<Only>) -> Vec<Redo> {
        let mut ledger = self.ledger().await;
        let choice = Choice {
            only,
            ..Choice::default()
        };
        let storage = self.storage.as_ref();
        let redo = resume::find(storage, &self.run, &ledger, &choice)
            .await
            .unwrap();
        resume::decide(storage, &self.run, &mut ledger, &redo, Vec::new())
            .await
            .unwrap();
        let tasks = resume::tasks(&self.run, &ledger, &redo);
        dispatch::publish(&self.broker.work, tasks, |_| {})
            .await
            .unwrap();
        redo
    }

    pub(super) fn consumer(&self, drain: &CancellationToken) -> Consumer {
        Consumer {
            name: "worker".to_owned(),
            storage: Arc::clone(&self.storage),
            broker: self.broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&self.engine))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default(),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
            idle: None,
        }
    }

    /// Another run in the same storage root, whose shards wait in the same queue.
    pub(super) async fn beside(&self) -> Self {
        let run = planned::run("other", &["b".to_owned()], &["night".to_owned()], ONE);
        planned::store(self.storage.as_ref(), &run).await;
        Self {
            storage: Arc::clone(&self.storage),
            broker: self.broker.clone(),
            run,
            engine: Arc::clone(&self.engine),
        }
    }

    /// The record of a failed attempt at the first shard.
    pub(super) async fn failure(&self, number: u32) -> FailedAttempt {
        let (storage, run) = (self.storage.as_ref(), &self.run.record.run);
        let failure = coordinator::run::ledger::failed_attempt(storage, run, ShardId(0), number);
        failure.await.unwrap()
    }

    /// A worker works until nothing is left to do, or until it stops by itself.
    pub(super) async fn work(&self) -> Result<(), ConsumerError> {
        self.work_in(Arc::new(FakeContextProvider(Arc::clone(&self.engine))))
            .await
    }

    pub(super) async fn work_in(
        &self,
        run_contexts: Arc<dyn RunContextProvider>,
    ) -> Result<(), ConsumerError> {
        let drain = CancellationToken::new();
        let consumer = Consumer {
            run_contexts,
            ..self.consumer(&drain)
        };
        let work = consumer.run();
        tokio::pin!(work);
        tokio::select! {
            ended = &mut work => return ended,
            () = self.broker.work.drained() => drain.cancel(),
        }
        work.await
    }

    pub(super) fn collector(&self) -> Collector {
        Collector {
            storage: Arc::clone(&self.storage),
            queue: Some(self.broker.ports().work),
            events: Some(self.broker.ports().events),
            mode: Mode::Manage,
            every: Duration::from_secs(1),
            live: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// A collector watches for some seconds.
    pub(super) async fn collect(&self) {
        let collector = self.collector();
        let _ = tokio::time::timeout(Duration::from_secs(3), collector.run()).await;
    }

    /// A worker works and a collector watches until every shard is committed.
    pub(super) async fn work_until_committed(&self) {
        let (collector, drain) = (self.collector(), CancellationToken::new());
        let consumer = self.consumer(&drain);
        let done = async {
            while !self.are_committed().await {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            drain.cancel();
        };
        let work = async { tokio::join!(consumer.run(), done).0 };
        let work = tokio::time::timeout(Duration::from_secs(24 * 3600), work);
        tokio::select! {
            worked = work => worked.expect("the run ends by itself").unwrap(),
            () = collector.run() => panic!("the collector stopped"),
        }
    }

    async fn are_committed(&self) -> bool {
        let states = self.states().await;
        states.iter().all(|&state| state == ShardState::Committed)
    }

    /// The same run and queue, as they are seen with another storage root.
    pub(super) fn seen_in(&self, storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            broker: self.broker.clone(),
            run: self.run.clone(),
            engine: Arc::clone(&self.engine),
        }
    }

    /// What is asked for each shard at first.
    pub(super) fn tasks(&self) -> Vec<ShardTask> {
        let shards = self.run.plan.shards.iter();
        let task = |shard| self.run.plan.task(&self.run.record.run, shard);
        shards.map(task).collect()
    }

    /// Puts something else in the place of the run's plan.
    pub(super) async fn damage_plan(&self) {
        let record = &self.run.record;
        let key = ArtifactKey::Plan(record.run.clone(), record.frozen.plan_sha256.clone());
        let damaged = Bytes::from_static(b"{}");
        self.storage.replace(&key, damaged).await.unwrap();
    }

    pub(super) async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    pub(super) async fn states(&self) -> Vec<ShardState> {
        let ledger = self.ledger().await;
        let shards = self.run.plan.shards.iter();
        shards.map(|shard| ledger.state(shard.id, 3)).collect()
    }
}
