//! What goes between being listed and being read is gone, in the same words as what was gone before.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coordinator::output::{audit, collect};
use coordinator::run::freeze::FrozenRun;
use coordinator::run::inventory;
use coordinator::run::ledger::Ledger;
use coordinator::run::tally::{self, Tally};
use coordinator::work::embedded::{EmbeddedRun, RunError, Stopped};
use coordinator::work::resume::{self, Choice};
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::failure::chain;
use shared::ids::ShardId;
use shared::location::Location;
use shared::queue::InProcessBroker;
use shared::settings::ShardSize;
use shared::source;
use shared::storage::{LocalStorage, MemoryStorage, Storage};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tests::vanishing::Vanishing;
use tokio_util::sync::CancellationToken;
use worker::attempt::Progress;

/// Does something when the worker takes up a shard, before it looks at it: the how many-th that is, from 1.
struct Meddler<F>(AtomicUsize, F);

impl<F: Fn(usize) + Send + Sync> Progress for Meddler<F> {
    fn shard_started(&self) {
        (self.1)(self.0.fetch_add(1, Ordering::Relaxed) + 1);
    }
}

/// A run of shards with an item each.
struct Fixture {
    storage: Arc<Vanishing>,
    run: FrozenRun,
}

impl Fixture {
    async fn of(contents: &[&str]) -> Self {
        Self::on(Arc::new(MemoryStorage::new()), contents).await
    }

    async fn on(storage: Arc<dyn Storage>, contents: &[&str]) -> Self {
        let size = ShardSize {
            contents: 1,
            styles: 1,
        };
        let contents: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let run = planned::run("vanished", &contents, &["night".to_owned()], size);
        planned::store(storage.as_ref(), &run).await;
        Self {
            storage: Vanishing::of(storage),
            run,
        }
    }

    async fn go(
        &self,
        meddle: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<Stopped, RunError> {
        let storage: Arc<dyn Storage> = Arc::clone(&self.storage) as Arc<dyn Storage>;
        let embedded = EmbeddedRun {
            run: &self.run,
            storage,
            broker: InProcessBroker::with_delivery_limit(u64::MAX),
            run_contexts: Arc::new(FakeContextProvider(FakeEngine::new(Duration::ZERO))),
            only: None,
            repairs: BTreeSet::new(),
            progress: Arc::new(Meddler(AtomicUsize::new(0), meddle)),
            drain: CancellationToken::new(),
        };
        embedded.go().await
    }

    /// A fixture on which everything was made that can be.
    async fn made(contents: &[&str]) -> Self {
        let fixture = Self::of(contents).await;
        assert_eq!(fixture.go(|_| {}).await.unwrap(), Stopped::AtItsEnd);
        fixture
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(&*self.storage, &self.run).await.unwrap()
    }

    fn shard(&self, number: u32) -> ArtifactKey {
        ArtifactKey::Shard(self.run.record.run.clone(), ShardId(number))
    }

    fn record(&self) -> ArtifactKey {
        ArtifactKey::RunRecord(self.run.record.run.clone())
    }
}

fn is_gone(told: &str, path: &str) {
    for words in [path, "is gone: it was removed meanwhile"] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    for words in ["cannot read", "it is not there"] {
        assert!(!told.contains(words), "{words:?}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_listed_and_cannot_be_read_is_gone_for_everybody() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.storage.take(&fixture.shard(0));
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    assert!(ledger.committed.contains(&ShardId(0)), "it is listed");
    let updated = Tally::default().update(storage, run, &ledger).await;
    let whole = Tally::default().update_whole(storage, run, &ledger).await;
    let counted = tally::count(storage, run, &ledger).await;
    let collected = collect::collect(storage, run, &ledger).await;
    let folded = collect::fold(storage, run, &ledger).await;
    let told = [
        chain(&updated.unwrap_err()),
        chain(&whole.unwrap_err()),
        chain(&counted.unwrap_err()),
        chain(&collected.unwrap_err()),
        chain(&folded.unwrap_err()),
    ];
    for told in told {
        is_gone(&told, "shards/000000.parquet");
        assert!(told.contains("run again"), "{told}");
    }
    let report = audit::audit(storage, run).await.unwrap();
    let path = "shards/000000.parquet";
    let found = report.findings.iter().find(|told| told.contains(path));
    is_gone(found.unwrap(), path);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_that_was_listed_and_cannot_be_read_is_gone_for_everybody() {
    let fixture = Fixture::made(&["cursed", "a"]).await;
    let id = fixture.run.record.run.clone();
    let path = "attempts/000000/3.json";
    fixture
        .storage
        .take(&ArtifactKey::FailedAttempt(id, ShardId(0), 3));
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    let counted = tally::count(storage, run, &ledger).await;
    let collected = collect::collect(storage, run, &ledger).await;
    let found = resume::find(storage, run, &ledger, &Choice::default()).await;
    let told = [
        chain(&counted.unwrap_err()),
        chain(&collected.unwrap_err()),
        chain(&found.unwrap_err()),
    ];
    for told in told {
        is_gone(&told, path);
    }
    // An audit goes on, and counts the shard as failed all the same.
    let report = audit::audit(storage, run).await.unwrap();
    assert_eq!(report.counts.failed, 1);
    let found = report.findings.iter().find(|told| told.contains(path));
    is_gone(found.unwrap(), path);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_goes_before_a_run_in_this_process_has_counted_it_is_gone() {
    let fixture = Fixture::of(&["a", "b"]).await;
    let (storage, shard) = (Arc::clone(&fixture.storage), fixture.shard(0));
    let error = fixture.go(move |_| storage.take(&shard)).await.unwrap_err();
    assert!(matches!(error, RunError::Gone(_)), "{error:?}");
    is_gone(&chain(&error), "shards/000000.parquet");

    // With all of the run, its record is named.
    let fixture = Fixture::of(&["a", "b"]).await;
    let (storage, keys) = (
        Arc::clone(&fixture.storage),
        [fixture.shard(0), fixture.record()],
    );
    let take = move |_: usize| keys.iter().for_each(|key| storage.take(key));
    let error = fixture.go(take).await.unwrap_err();
    is_gone(&chain(&error), "run.json");
}

#[tokio::test]
async fn a_commit_that_goes_after_a_run_in_this_process_has_counted_it_is_gone_too() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::on(Arc::new(LocalStorage::new(folder.path())), &["a", "b"]).await;
    let path = folder.path().join(fixture.shard(0).path());
    let meddle = move |number: usize| {
        if number == 2 {
            fs::remove_file(&path).unwrap();
        }
    };
    let error = fixture.go(meddle).await.unwrap_err();
    assert!(matches!(error, RunError::Gone(_)), "{error:?}");
    is_gone(&chain(&error), "shards/000000.parquet");
    assert_eq!(fixture.go(|_| {}).await.unwrap(), Stopped::AtItsEnd);
}

#[tokio::test(start_paused = true)]
async fn a_run_in_this_process_looks_once_before_it_begins_and_once_for_each_shard() {
    let fixture = Fixture::made(&["a", "b", "c"]).await;
    let shards = ArtifactPrefix::Shards(fixture.run.record.run.clone());
    assert_eq!(fixture.storage.num_listings(&shards), 1 + 3);
    // One that has nothing to make looks once.
    assert_eq!(fixture.go(|_| {}).await.unwrap(), Stopped::AtItsEnd);
    assert_eq!(fixture.storage.num_listings(&shards), 1 + 3 + 1);
}

#[tokio::test]
async fn an_input_that_was_listed_and_cannot_be_read_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let root = Location::Folder(folder.path().to_owned());
    let source = source::open(&root).await.unwrap();
    let listed = planned::listing("a");
    let read = inventory::sha256_of_files(source.as_ref(), &listed).await;
    is_gone(&chain(&read.unwrap_err()), "a.png");
}
