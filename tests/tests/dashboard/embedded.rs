//! A run in this process while others decide about it, as its dashboard lets them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coordinator::run::decisions;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::Ledger;
use coordinator::work::dispatch;
use coordinator::work::embedded::{EmbeddedRun, Stopped};
use coordinator::work::resume::{self, Choice};
use shared::decision::Decisions;
use shared::ids::ShardId;
use shared::queue::InProcessBroker;
use shared::settings::ShardSize;
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use worker::attempt::Progress;

/// Time that a conversion takes; a bad input takes none.
const TAKES: Duration = Duration::from_secs(1);

/// Does something when the worker takes up its first shard, before it looks at it.
struct Meddler<F>(AtomicUsize, F);

impl<F: Fn() + Send + Sync> Progress for Meddler<F> {
    fn shard_started(&self) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            (self.1)();
        }
    }
}

/// A run of shards with one item each, of which no more than one in five may fail.
struct Fixture {
    run: FrozenRun,
    storage: Arc<dyn Storage>,
    broker: InProcessBroker,
}

impl Fixture {
    async fn new(contents: &[&str]) -> Self {
        let size = ShardSize {
            contents: 1,
            styles: 1,
        };
        let contents: Vec<String> = contents.iter().map(|name| (*name).to_owned()).collect();
        let mut run = planned::run("meddled", &contents, &["fog".to_owned()], size);
        run.record.limits.max_failed = 0.2;
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        planned::store(storage.as_ref(), &run).await;
        Self {
            run,
            storage,
            broker: InProcessBroker::with_delivery_limit(u64::MAX),
        }
    }

    async fn go(&self, meddle: impl Fn() + Send + Sync + 'static) -> Stopped {
        let embedded = EmbeddedRun {
            run: &self.run,
            storage: Arc::clone(&self.storage),
            broker: self.broker.clone(),
            run_contexts: Arc::new(FakeContextProvider(FakeEngine::new(TAKES))),
            only: None,
            repairs: BTreeSet::new(),
            progress: Arc::new(Meddler(AtomicUsize::new(0), meddle)),
            drain: CancellationToken::new(),
        };
        embedded.go().await.unwrap()
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    /// Returns what cancels the run.
    fn cancel(&self) -> impl Fn() + Send + Sync + 'static {
        let (storage, run) = (Arc::clone(&self.storage), self.run.record.run.clone());
        move || {
            let mut decisions = Decisions::default();
            let decided = decisions::cancel(storage.as_ref(), &run, &mut decisions);
            tokio::task::block_in_place(|| Handle::current().block_on(decided)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_in_hand_that_is_dropped_when_its_run_is_cancelled_has_not_failed() {
    for contents in [&["a", "b"][..], &["a"]] {
        let fixture = Fixture::new(contents).await;
        assert_eq!(fixture.go(fixture.cancel()).await, Stopped::Halted);
        assert!(fixture.ledger().await.committed.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_others_hand_out_count_towards_the_limit() {
    let fixture = Fixture::new(&["bad1", "bad2", "bad3", "a", "b"]).await;
    let (queue, run) = (fixture.broker.work.clone(), &fixture.run);
    let tasks = run.plan.shards.iter().skip(1);
    let tasks: Vec<_> = tasks
        .map(|shard| run.plan.task(&run.record.run, shard))
        .collect();
    let hand_out = move || {
        let published = dispatch::publish(&queue, tasks.iter().cloned(), |_| {});
        tokio::task::block_in_place(|| Handle::current().block_on(published)).unwrap();
    };
    assert_eq!(fixture.go(hand_out).await, Stopped::AtItsLimit);
    let ledger = fixture.ledger().await;
    assert!(ledger.committed.contains(&ShardId(1)) && !ledger.committed.contains(&ShardId(4)));
    let halted = ledger.decisions.halted.unwrap();
    assert!(halted.contains("limits.max_failed (0.2)"), "{halted}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_halted_at_its_limit_goes_on_when_it_is_taken_up_and_counts_only_what_fails_then()
 {
    let fixture = Fixture::new(&["bad1", "bad2", "a", "bad3", "bad4", "b"]).await;
    let take_up = async || {
        let (storage, run) = (fixture.storage.as_ref(), &fixture.run);
        let mut ledger = fixture.ledger().await;
        let redo = resume::find(storage, run, &ledger, &Choice::default()).await;
        resume::decide(storage, run, &mut ledger, &redo.unwrap(), Vec::new())
            .await
            .unwrap();
    };
    assert_eq!(fixture.go(|| {}).await, Stopped::AtItsLimit);
    assert_eq!(fixture.ledger().await.committed.len(), 2);
    take_up().await;
    // One in five of six is one: the second that fails from here on is too much again.
    assert_eq!(fixture.go(|| {}).await, Stopped::AtItsLimit);
    assert_eq!(fixture.ledger().await.committed.len(), 5);
    take_up().await;
    assert_eq!(fixture.go(|| {}).await, Stopped::AtItsEnd);
    assert_eq!(fixture.ledger().await.committed.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_tried_anew_and_fails_again_counts_again() {
    let fixture = Fixture::new(&["cursed", "a", "b"]).await;
    assert_eq!(fixture.go(|| {}).await, Stopped::AtItsLimit);
    let mut ledger = fixture.ledger().await;
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run);
    let redo = resume::find(storage, run, &ledger, &Choice::default()).await;
    resume::decide(storage, run, &mut ledger, &redo.unwrap(), Vec::new())
        .await
        .unwrap();
    assert_eq!(ledger.decisions.acknowledged_failures, 0);
    assert_eq!(fixture.go(|| {}).await, Stopped::AtItsLimit);
    assert!(fixture.ledger().await.committed.is_empty());
}
