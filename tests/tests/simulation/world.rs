//! Workers, a collector, a queue and storage, all in one thread and in simulated time.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use coordinator::run::decisions;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::Ledger;
use coordinator::run::redo::Redo;
use coordinator::work::collector::{Collector, LiveState, Mode};
use coordinator::work::dispatch;
use coordinator::work::resume::{self, Choice, ResumeError};
use shared::clock::Clock;
use shared::decision::DecisionError;
use shared::queue::InProcessBroker;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::MemoryStorage;
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

use crate::clock::WallClock;
use crate::storage::{Faults, SlowStorage};

/// Workers that a world has room for.
pub(crate) const MAX_WORKERS: usize = 3;

pub(crate) struct World {
    pub(crate) truth: MemoryStorage,
    pub(crate) run: FrozenRun,
    pub(crate) faults: Faults,
    /// Those of the workers' machines, and that of the collector's.
    pub(crate) clocks: [Arc<WallClock>; MAX_WORKERS + 1],
    /// What collectors show.
    pub(crate) live: Arc<LiveState>,
    engine: Arc<FakeEngine>,
    broker: InProcessBroker,
    workers: [Option<Worker>; MAX_WORKERS],
    collector: Option<JoinHandle<()>>,
    joined: usize,
    /// Whether bad inputs were mended.
    pub(crate) is_mended: bool,
    /// Whether messages were lost or dropped on purpose, so that somebody has to resume the run.
    needs_resume: bool,
}

struct Worker {
    task: JoinHandle<()>,
    drain: CancellationToken,
}

impl World {
    /// Returns a world in which a run was launched and nobody works yet.
    pub(crate) async fn new() -> Self {
        let names =
            |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let size = ShardSize {
            contents: 2,
            styles: 2,
        };
        let contents = names(&["a", "b", "bad-c", "cursed-d", "bad-e", "f"]);
        let run = planned::run(
            "simulated",
            &contents,
            &names(&["night", "rain", "snow"]),
            size,
        );
        let truth = MemoryStorage::new();
        planned::store(&truth, &run).await;
        let clocks: [Arc<WallClock>; MAX_WORKERS + 1] =
            std::array::from_fn(|_| Arc::new(WallClock::new()));
        let collectors = Arc::clone(&clocks[MAX_WORKERS]) as Arc<dyn Clock>;
        let live = LiveState::with_clock(collectors);
        let world = Self {
            truth,
            run,
            faults: Faults::default(),
            clocks,
            live: Arc::new(live),
            engine: FakeEngine::new(Duration::from_millis(20)),
            broker: InProcessBroker::new(),
            workers: [None, None, None],
            collector: None,
            joined: 0,
            is_mended: false,
            needs_resume: false,
        };
        world.resume(None).await;
        world
    }

    pub(crate) fn storage(&self) -> Arc<SlowStorage> {
        Arc::new(SlowStorage {
            truth: self.truth.clone(),
            faults: Arc::clone(&self.faults),
            failing_reads: Arc::default(),
        })
    }

    /// A worker joins at a place, unless one is there.
    pub(crate) fn join(&mut self, place: usize) {
        let alive = |worker: &Worker| !worker.task.is_finished();
        if self.workers[place].as_ref().is_some_and(alive) {
            return;
        }
        self.joined += 1;
        let drain = CancellationToken::new();
        let consumer = Consumer {
            name: format!("worker-{}", self.joined),
            storage: self.storage(),
            broker: self.broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&self.engine))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::clone(&self.clocks[place]) as Arc<dyn Clock>,
            given: None,
            idle: None,
        };
        let task = tokio::spawn(async move { consumer.run().await.unwrap() });
        self.workers[place] = Some(Worker { task, drain });
    }

    /// A worker dies where it stands.
    pub(crate) async fn crash(&mut self, place: usize) {
        if let Some(worker) = self.workers[place].take() {
            worker.task.abort();
            let ended = worker.task.await;
            assert!(
                ended.as_ref().is_ok()
                    || ended
                        .as_ref()
                        .is_err_and(tokio::task::JoinError::is_cancelled),
                "a worker panicked: {ended:?}"
            );
        }
    }

    /// A worker is told to stop, and is let to.
    pub(crate) async fn drain(&mut self, place: usize) {
        if let Some(worker) = self.workers[place].take() {
            worker.drain.cancel();
            worker.task.await.unwrap();
        }
    }

    /// The broker restarts: it keeps its messages and loses its connections.
    pub(crate) fn restart_broker(&self) {
        self.broker.work.lose_connections();
    }

    /// The broker loses its disk, and every worker its broker.
    pub(crate) async fn lose_broker(&mut self) {
        for place in 0..MAX_WORKERS {
            self.crash(place).await;
        }
        self.stop_collecting().await;
        self.broker = InProcessBroker::new();
        self.needs_resume = true;
    }

    /// A collector starts, unless one is there.
    pub(crate) fn collect(&mut self) {
        if self.collector.is_some() {
            return;
        }
        let collector = Collector {
            storage: self.storage(),
            queue: Some(self.broker.ports().work),
            events: Some(self.broker.ports().events),
            mode: Mode::Manage,
            every: Duration::from_secs(1),
            live: Arc::clone(&self.live),
            stop: CancellationToken::new(),
        };
        self.collector = Some(tokio::spawn(async move { collector.run().await }));
    }

    pub(crate) async fn stop_collecting(&mut self) {
        if let Some(collector) = self.collector.take() {
            collector.abort();
            let _ = collector.await;
        }
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        Ledger::read(&self.truth, &self.run).await.unwrap()
    }

    /// Publishes what is missing or failed: tasks in some worker's hands, too.
    pub(crate) async fn resume(&self, only: Option<resume::Only>) -> Vec<Redo> {
        let choice = Choice {
            only,
            ..Choice::default()
        };
        let (ledger, redo) = loop {
            let mut ledger = self.ledger().await;
            let redo = resume::find(&self.truth, &self.run, &ledger, &choice)
                .await
                .unwrap();
            let (truth, run) = (&self.truth, &self.run);
            match resume::decide(truth, run, &mut ledger, &redo, Vec::new()).await {
                Ok(()) => break (ledger, redo),
                // A collector halted it meanwhile: whoever resumes it looks again.
                Err(ResumeError::Decision(DecisionError::Meanwhile { .. })) => {}
                Err(error) => panic!("{error}"),
            }
        };
        let tasks = resume::tasks(&self.run, &ledger, &redo);
        dispatch::publish(&self.broker.work, tasks, |_| {})
            .await
            .unwrap();
        redo
    }

    /// Mends bad inputs.
    pub(crate) fn mend(&mut self) {
        self.engine.mend();
        self.is_mended = true;
    }

    pub(crate) async fn cancel(&mut self) {
        self.needs_resume = true;
        let mut decisions = self.ledger().await.decisions;
        let run = &self.run.record.run;
        let cancelled = decisions::cancel(&self.truth, run, &mut decisions).await;
        cancelled.unwrap();
    }

    /// Nothing goes wrong any more, and everybody works until nothing is left to do. Without a lost broker or a cancelled
    /// run that needs nobody to resume it: every shard that is still to be made has a message.
    pub(crate) async fn heal(&mut self) {
        self.faults.lock().unwrap().clear();
        if self.needs_resume {
            self.resume(Some(resume::Only::Missing)).await;
        }
        self.work_until_drained().await;
        let ledger = self.ledger().await;
        let max_attempts = self.run.record.limits.max_attempts;
        for shard in &self.run.plan.shards {
            let state = ledger.state(shard.id, max_attempts);
            assert!(
                !state.is_open(),
                "shard {} waits for ever: {state:?}",
                shard.id
            );
        }
        // Faults may have cost a shard all its attempts.
        self.resume(Some(resume::Only::Failed)).await;
        self.work_until_drained().await;
        if self.is_mended {
            let all = resume::Quarantined::default();
            self.resume(Some(resume::Only::Quarantined(all))).await;
            self.work_until_drained().await;
        }
        for place in 0..MAX_WORKERS {
            self.drain(place).await;
        }
        self.stop_collecting().await;
    }

    async fn work_until_drained(&mut self) {
        (0..MAX_WORKERS).for_each(|place| self.join(place));
        self.collect();
        tokio::time::timeout(Duration::from_secs(24 * 3600), self.broker.work.drained())
            .await
            .expect("a run without trouble ends");
        // The collector looks once a second.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}
