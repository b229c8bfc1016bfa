//! A run of which something is away, and its worker: in memory, or the real program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backon::ExponentialBuilder;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::Ledger;
use shared::clock::SystemClock;
use shared::ids::ShardId;
use shared::manifest::Status;
use shared::queue::{InProcessBroker, WorkQueue};
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tests::program::Running;
use tests::project::{Project, STYLES};
use tokio_util::sync::CancellationToken;
use worker::attempt::Progress;
use worker::consumer::{Consumer, ConsumerError};

/// A run of one shard, of which one content can be away, and a worker.
pub(super) struct Fixture {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) broker: InProcessBroker,
    pub(super) run: FrozenRun,
    pub(super) engine: Arc<FakeEngine>,
    pub(super) drain: CancellationToken,
}

impl Fixture {
    /// Stores and publishes a run of one item whose input is there.
    pub(super) async fn publish_another_run(&self) -> FrozenRun {
        let size = ShardSize {
            contents: 1,
            styles: 1,
        };
        let other = planned::run("other", &["b".to_owned()], &["night".to_owned()], size);
        planned::store(self.storage.as_ref(), &other).await;
        let task = other.plan.task(&other.record.run, &other.plan.shards[0]);
        self.broker.work.publish(&[task]).await.unwrap();
        other
    }

    pub(super) async fn new() -> Self {
        Self::of_patience(600).await
    }

    /// A run that waits so many seconds for what is away.
    pub(super) async fn of_patience(seconds: u64) -> Self {
        let size = ShardSize {
            contents: 2,
            styles: 1,
        };
        let contents = ["a", "away"].map(str::to_owned);
        let mut run = planned::run("staged", &contents, &["night".to_owned()], size);
        run.record.limits.input_patience_seconds = seconds;
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        planned::store(storage.as_ref(), &run).await;
        let engine = FakeEngine::new(Duration::from_millis(10));
        engine.take_away(true);
        let broker = InProcessBroker::new();
        let task = run.plan.task(&run.record.run, &run.plan.shards[0]);
        broker.work.publish(&[task]).await.unwrap();
        Self {
            storage,
            broker,
            run,
            engine,
            drain: CancellationToken::new(),
        }
    }

    pub(super) fn consumer(&self) -> Consumer {
        Consumer {
            name: "worker".to_owned(),
            storage: Arc::clone(&self.storage),
            broker: self.broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&self.engine))),
            watchdog: WatchdogConfig {
                times_usual: 2.0,
                min: Duration::from_secs(2),
                first: Duration::from_secs(2),
            },
            pauses: ExponentialBuilder::default(),
            drain: self.drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
            idle: None,
        }
    }

    pub(super) async fn work(&self) -> Result<(), ConsumerError> {
        self.consumer().run().await
    }

    pub(super) async fn work_until_drained(&self) {
        self.has_worked_until_drained(self.consumer()).await;
    }

    pub(super) async fn has_worked_until_drained(&self, consumer: Consumer) {
        let stop = async {
            self.broker.work.drained().await;
            self.drain.cancel();
        };
        let (worked, ()) = tokio::join!(consumer.run(), stop);
        worked.unwrap();
    }

    pub(super) async fn after(&self, seconds: u64, what: impl FnOnce()) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        what();
    }

    pub(super) async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    pub(super) async fn done(&self) -> usize {
        let ledger = self.ledger().await;
        let rows = ledger.shard_rows(self.storage.as_ref(), &self.run, ShardId(0));
        let rows = rows.await.unwrap();
        rows.iter().filter(|row| row.status == Status::Done).count()
    }
}

/// Counts how often a shard is taken up.
#[derive(Default)]
pub(super) struct TakenUp(pub(super) AtomicUsize);

impl Progress for TakenUp {
    fn shard_started(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Starts a run of five contents and waits until the first image is there: the others are still to be read.
pub(super) fn started(project: &Project) -> Running {
    let mut running = Running::start(&mut project.run_command());
    let first = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    assert!(running.wait_until(|| first.exists()));
    running
}
