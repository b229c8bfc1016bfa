//! What the collector shows of a run, from its plan to its end.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::tally;
use coordinator::work::collector::fleet::WorkerState;
use coordinator::work::collector::run_view::{RunState, ShardLook, StyleCounts};
use coordinator::work::collector::{Board, Collector, Duty, RunView};
use coordinator::work::dispatch;
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::ids::ShardId;
use shared::queue::InProcessBroker;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{MemoryStorage, Storage};
use tests::planned;
use tests::stand_in::{self, StandIn, StandInWorkshop};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

const SIZE: ShardSize = ShardSize {
    contents: 2,
    styles: 2,
};

/// Waits until the run is shown as it should be.
pub(super) async fn shown(board: &Board, is: impl Fn(&RunView) -> bool) -> Arc<RunView> {
    let run = "shown".parse().unwrap();
    let mut watch = board.watch();
    let wait = async {
        loop {
            if let Some(view) = board.run(&run).filter(|view| is(view)) {
                return view;
            }
            watch.changed().await.unwrap();
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    waited.expect("the run is shown")
}

/// A run of three shards on the board of its collector: one is done, one has bad items, and one fails.
struct Watched {
    storage: Arc<dyn Storage>,
    run: FrozenRun,
    broker: InProcessBroker,
    board: Arc<Board>,
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
        let board = Arc::new(Board::default());
        let collector = Collector {
            storage: Arc::clone(&storage),
            queue: Some(broker.ports().work),
            events: Some(broker.ports().events),
            duty: Duty::Keep,
            every: Duration::from_millis(100),
            board: Arc::clone(&board),
            stop: stop.clone(),
        };
        let collecting = tokio::spawn(async move { collector.run().await });
        Self {
            storage,
            run,
            broker,
            board,
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
            workshop: Arc::new(StandInWorkshop(StandIn::new(Duration::from_millis(10)))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default().with_max_delay(Duration::from_millis(10)),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
        };
        let working = tokio::spawn(async move { consumer.run().await.unwrap() });
        let tasks = self.run.plan.shards.iter();
        let tasks = tasks.map(|shard| self.run.plan.task(&self.run.record.run, shard));
        dispatch::publish(&self.broker.work, tasks, |_| {})
            .await
            .unwrap();
        let view = shown(&self.board, |view| view.num_remaining() == 0).await;
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
    let view = shown(&watched.board, |_| true).await;
    assert_eq!(view.state(0, jiff::Timestamp::now()), RunState::Waiting);
    assert_eq!(view.shard(ShardId(0)), ShardLook::Open);
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
        [ShardLook::Done, ShardLook::Quarantined, ShardLook::Failed]
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
    let board = &watched.board;
    shown(board, |_| true).await;
    let before = board.changes_since(0);
    watched.work().await;
    let workers = board.workers();
    assert_eq!(workers[0].name, "worker");
    assert_eq!(workers[0].state, WorkerState::Stopped);
    board.tell(tokio::time::Instant::now());
    let changes = board.changes_since(before.version);
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
    let mut counts = tally::count(storage, &watched.run, &view.ledger)
        .await
        .unwrap();
    // A number that was stored as JSON may come back with another last bit.
    assert!((counts.busy_ms - view.counts.busy_ms).abs() < 1e-9);
    counts.busy_ms = view.counts.busy_ms;
    assert_eq!(counts, view.counts);
    watched.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_shard_that_is_put_right_is_read_again_though_it_is_as_long_as_it_was() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let contents = ["a", "b", "c", "d"].map(str::to_owned);
    let run = planned::run("shown", &contents, &["fog".to_owned()], SIZE);
    planned::store(storage.as_ref(), &run).await;
    stand_in::make(&storage, &run, &StandIn::new(Duration::ZERO)).await;
    let shard = ArtifactKey::Shard(run.record.run.clone(), ShardId(1));
    let whole = storage.read(&shard).await.unwrap();
    let mut flipped = whole.to_vec();
    flipped[whole.len() / 2] ^= 1;
    storage.replace(&shard, flipped.into()).await.unwrap();

    let stop = CancellationToken::new();
    let board = Arc::new(Board::default());
    let collector = Collector {
        storage: Arc::clone(&storage),
        queue: None,
        events: None,
        duty: Duty::Keep,
        every: Duration::from_millis(500),
        board: Arc::clone(&board),
        stop: stop.clone(),
    };
    let collecting = tokio::spawn(async move { collector.run().await });
    let now = jiff::Timestamp::now;
    let view = shown(&board, |_| true).await;
    assert_eq!(view.shard(ShardId(0)), ShardLook::Done);
    assert_eq!(view.shard(ShardId(1)), ShardLook::Damaged);
    assert!(matches!(view.state(0, now()), RunState::Damaged(_)));

    storage.replace(&shard, whole).await.unwrap();
    let view = shown(&board, |view| view.shard(ShardId(1)) == ShardLook::Done).await;
    assert_eq!(view.state(0, now()), RunState::Complete);
    let is_reported = |view: &RunView| view.report.as_ref().is_some_and(|report| report.complete);
    shown(&board, is_reported).await;
    let manifest = ArtifactKey::Manifest(run.record.run.clone());
    assert!(storage.exists(&manifest).await.unwrap());
    stop.cancel();
    collecting.await.unwrap();
}
