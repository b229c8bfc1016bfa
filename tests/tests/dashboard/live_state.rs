//! What the collector shows of a run, from its plan to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use backon::ExponentialBuilder;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::tally;
use coordinator::work::collector::fleet::WorkerState;
use coordinator::work::collector::run_view::{RunState, ShardStatus, StyleCounts};
use coordinator::work::collector::{Collector, LiveState, Mode, RunView};
use coordinator::work::dispatch;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::ids::ShardId;
use shared::platform::Platform;
use shared::queue::message::{Event, EventKind};
use shared::queue::{EventBus, InProcessBroker};
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{self, FakeContextProvider, FakeEngine};
use tests::planned;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

const SIZE: ShardSize = ShardSize {
    contents: 2,
    styles: 2,
};

/// Waits until the run is shown as it should be.
pub(super) async fn shown(live: &LiveState, is: impl Fn(&RunView) -> bool) -> Arc<RunView> {
    let run = "shown".parse().unwrap();
    let mut watch = live.watch();
    let wait = async {
        loop {
            if let Some(view) = live.run(&run).filter(|view| is(view)) {
                return view;
            }
            watch.changed().await.unwrap();
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    waited.expect("the run is shown")
}

/// A run of three shards on the live of its collector: one is done, one has bad items, and one fails.
struct Watched {
    storage: Arc<dyn Storage>,
    run: FrozenRun,
    broker: InProcessBroker,
    live: Arc<LiveState>,
    stop: CancellationToken,
    collecting: JoinHandle<()>,
}

impl Watched {
    async fn new() -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let contents = ["a", "b", "bad", "c", "cursed", "d"].map(str::to_owned);
        let styles = ["fog", "night"].map(str::to_owned);
        let run = planned::run("shown", &contents, &styles, SIZE);
        planned::store(storage.as_ref(), &run).await;
        let broker = InProcessBroker::new();
        let stop = CancellationToken::new();
        let live = Arc::new(LiveState::default());
        let collector = Collector {
            storage: Arc::clone(&storage),
            queue: Some(broker.ports().work),
            events: Some(broker.ports().events),
            mode: Mode::Manage,
            every: Duration::from_millis(100),
            live: Arc::clone(&live),
            stop: stop.clone(),
        };
        let collecting = tokio::spawn(async move { collector.run().await });
        Self {
            storage,
            run,
            broker,
            live,
            stop,
            collecting,
        }
    }

    /// Has a worker do all shards; returns the run as it is shown then.
    async fn work(&self) -> Arc<RunView> {
        let drain = CancellationToken::new();
        let consumer = Consumer {
            name: "worker".to_owned(),
            storage: Arc::clone(&self.storage),
            broker: self.broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(FakeEngine::new(Duration::from_millis(
                10,
            )))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default().with_max_delay(Duration::from_millis(10)),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
            idle: None,
        };
        let working = tokio::spawn(async move { consumer.run().await.unwrap() });
        let tasks = self.run.plan.shards.iter();
        let tasks = tasks.map(|shard| self.run.plan.task(&self.run.record.run, shard));
        dispatch::publish(&self.broker.work, tasks, |_| {})
            .await
            .unwrap();
        let view = shown(&self.live, |view| view.num_remaining() == 0).await;
        drain.cancel();
        working.await.unwrap();
        view
    }

    async fn end(self) {
        self.stop.cancel();
        self.collecting.await.unwrap();
    }
}

#[tokio::test]
async fn a_planned_run_is_shown_as_one_that_waits_for_workers() {
    let watched = Watched::new().await;
    let view = shown(&watched.live, |_| true).await;
    assert_eq!(view.state(0, jiff::Timestamp::now()), RunState::Waiting);
    assert_eq!(view.shard(ShardId(0)), ShardStatus::Open);
    assert_eq!(view.num_remaining(), 12);
    watched.end().await;
}

#[tokio::test]
async fn a_run_that_has_ended_is_shown_with_what_came_of_each_shard_and_style() {
    let watched = Watched::new().await;
    let view = watched.work().await;
    assert_eq!(view.state(0, jiff::Timestamp::now()), RunState::Ended);
    let looks = [0, 1, 2].map(|shard| view.shard(ShardId(shard)));
    assert_eq!(
        looks,
        [
            ShardStatus::Done,
            ShardStatus::Quarantined,
            ShardStatus::Failed
        ]
    );
    let style = StyleCounts {
        planned: 6,
        done: 3,
        quarantined: 1,
        failed: 2,
    };
    assert_eq!(view.styles, [style; 2]);
    assert_eq!(
        (
            view.counts.done,
            view.counts.quarantined,
            view.counts.failed
        ),
        (6, 2, 4)
    );
    let failure = view.failures.of(ShardId(2)).unwrap();
    assert!(failure.error.contains("cursed"), "{}", failure.error);
    assert_eq!(view.spans.len(), 2);
    watched.end().await;
}

#[tokio::test]
async fn what_a_worker_does_is_a_change_of_its_run_and_of_the_fleet() {
    let watched = Watched::new().await;
    let live = &watched.live;
    shown(live, |_| true).await;
    let before = live.changes_since(0);
    watched.work().await;
    let workers = live.workers();
    assert_eq!(workers[0].name, "worker");
    assert_eq!(workers[0].state, WorkerState::Stopped);
    live.flush(tokio::time::Instant::now());
    let changes = live.changes_since(before.version);
    assert_eq!(changes.runs.len(), 1);
    assert!(changes.fleet);
    watched.end().await;
}

#[tokio::test]
async fn counting_a_run_again_finds_what_was_stored_and_the_same() {
    let watched = Watched::new().await;
    let view = watched.work().await;
    let key = ArtifactKey::Tally(watched.run.record.run.clone());
    while !watched.storage.exists(&key).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let storage = watched.storage.as_ref();
    let counts = tally::count(storage, &watched.run, &view.ledger)
        .await
        .unwrap();
    // A number that was stored as JSON may come back with another last bit.
    assert!(counts.are_those_of(&view.counts), "{counts:?}");
    watched.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_shard_that_is_put_right_is_read_again_though_it_is_as_long_as_it_was() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let contents = ["a", "b", "c", "d"].map(str::to_owned);
    let run = planned::run("shown", &contents, &["fog".to_owned()], SIZE);
    planned::store(storage.as_ref(), &run).await;
    fake_engine::make(&storage, &run, &FakeEngine::new(Duration::ZERO)).await;
    let shard = ArtifactKey::Shard(run.record.run.clone(), ShardId(1));
    let whole = storage.read(&shard).await.unwrap();
    let mut flipped = whole.to_vec();
    flipped[whole.len() / 2] ^= 1;
    storage.replace(&shard, flipped.into()).await.unwrap();

    let stop = CancellationToken::new();
    let live = Arc::new(LiveState::default());
    let collector = Collector {
        storage: Arc::clone(&storage),
        queue: None,
        events: None,
        mode: Mode::Manage,
        every: Duration::from_millis(500),
        live: Arc::clone(&live),
        stop: stop.clone(),
    };
    let collecting = tokio::spawn(async move { collector.run().await });
    let now = jiff::Timestamp::now;
    let view = shown(&live, |_| true).await;
    assert_eq!(view.shard(ShardId(0)), ShardStatus::Done);
    assert_eq!(view.shard(ShardId(1)), ShardStatus::Damaged);
    assert!(matches!(view.state(0, now()), RunState::Damaged(_)));

    storage.replace(&shard, whole).await.unwrap();
    let view = shown(&live, |view| view.shard(ShardId(1)) == ShardStatus::Done).await;
    assert_eq!(view.state(0, now()), RunState::Complete);
    let is_reported = |view: &RunView| view.report.as_ref().is_some_and(|report| report.complete);
    shown(&live, is_reported).await;
    let manifest = ArtifactKey::Manifest(run.record.run.clone());
    assert!(storage.exists(&manifest).await.unwrap());
    stop.cancel();
    collecting.await.unwrap();
}

/// A bus whose first stream ends after an event, which no bus may do, and whose next stays.
#[derive(Debug, Default)]
struct EndingBus {
    num_subscriptions: AtomicUsize,
}

#[async_trait]
impl EventBus for EndingBus {
    async fn emit(&self, _: &Event) {}

    async fn subscribe(&self) -> BoxStream<'static, Event> {
        let number = self.num_subscriptions.fetch_add(1, Ordering::Relaxed);
        let event = Event {
            at: jiff::Timestamp::now(),
            worker: format!("worker-{number}"),
            kind: EventKind::Heartbeat {
                device: "cpu".to_owned(),
                platform: Platform::default(),
                work: None,
            },
        };
        let events = stream::iter([event]);
        match number {
            0 => events.boxed(),
            _ => events.chain(stream::pending()).boxed(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_heard_again_after_their_stream_has_ended() {
    let live = Arc::new(LiveState::default());
    let collector = Collector {
        storage: Arc::new(MemoryStorage::new()),
        queue: None,
        events: Some(Arc::new(EndingBus::default())),
        mode: Mode::Observe,
        every: Duration::from_millis(100),
        live: Arc::clone(&live),
        stop: CancellationToken::new(),
    };
    let mut watch = live.watch();
    let heard = async {
        while live.workers().len() < 2 {
            watch.changed().await.unwrap();
        }
    };
    tokio::select! {
        () = collector.run() => panic!("the collector stopped"),
        waited = tokio::time::timeout(Duration::from_secs(60), heard) => {
            waited.expect("a worker is heard on the second stream");
        }
    }
    let workers = live.workers().into_iter().map(|worker| worker.name);
    assert_eq!(workers.collect::<Vec<_>>(), ["worker-0", "worker-1"]);
}
