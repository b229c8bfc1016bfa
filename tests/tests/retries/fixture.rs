//! A run with quarantined items: made, decided about, and made again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use bytes::Bytes;
use coordinator::output::report::RunReport;
use coordinator::output::{audit, collect, report};
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::{Ledger, ShardState};
use coordinator::run::redo::Redo;
use coordinator::run::tally::{self, Counts};
use coordinator::work::dispatch;
use coordinator::work::embedded::{EmbeddedRun, Stopped};
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::ids::ShardId;
use shared::manifest::ManifestRow;
use shared::queue::InProcessBroker;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{LocalStorage, MemoryStorage, Storage};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

pub(super) const SHARD: ShardId = ShardId(0);
pub(super) const FIRST: ShardState = ShardState::Revising { revision: 1 };

/// A run of one shard, or of several: some contents in two styles.
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
        let size = ShardSize {
            contents: contents.len(),
            styles: 2,
        };
        Self::in_shards(storage, contents, size).await
    }

    /// A run whose shards have an item each.
    pub(super) async fn of_single_items(contents: &[&str]) -> Self {
        let size = ShardSize {
            contents: 1,
            styles: 1,
        };
        Self::in_shards(Arc::new(MemoryStorage::new()), contents, size).await
    }

    /// A run on a disk, of two contents in each shard, on which everything was made and reported that can be.
    pub(super) async fn reported_on(folder: &Path, contents: &[&str]) -> Self {
        let size = ShardSize {
            contents: 2,
            styles: 2,
        };
        let storage = Arc::new(LocalStorage::new(folder));
        let fixture = Self::in_shards(storage, contents, size).await;
        assert_eq!(fixture.go().await, Stopped::AtItsEnd);
        fixture.conclude().await;
        fixture
    }

    /// Writes manifest, report and counts, as `synth2real run` does at its end.
    pub(super) async fn conclude(&self) -> RunReport {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let ledger = self.ledger().await;
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let stored = collected.tally.store(storage, &run.record.run).await;
        stored.unwrap();
        let report = report::publish(storage, run, collected, true).await;
        report.unwrap()
    }

    pub(super) async fn find_in_shards(&self, shards: &[ShardId]) -> Vec<Redo> {
        let choice = Choice {
            only: Some(Only::Quarantined(Quarantined::default())),
            shards: shards.to_vec(),
            ..Choice::default()
        };
        let ledger = self.ledger().await;
        let found = resume::find(self.storage.as_ref(), &self.run, &ledger, &choice).await;
        found.unwrap()
    }

    async fn in_shards(storage: Arc<dyn Storage>, contents: &[&str], size: ShardSize) -> Self {
        let named =
            |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let styles = named(&["night", "snow"]);
        let run = planned::run("retried", &named(contents), &styles, size);
        planned::store(storage.as_ref(), &run).await;
        Self {
            storage,
            broker: InProcessBroker::with_delivery_limit(u64::MAX),
            run,
            engine: FakeEngine::new(Duration::from_millis(10)),
        }
    }

    /// A fixture on which everything was made that can be.
    pub(super) async fn made(contents: &[&str]) -> Self {
        let fixture = Self::of(contents).await;
        assert_eq!(fixture.go().await, Stopped::AtItsEnd);
        fixture
    }

    /// Makes what is open in this process, as `synth2real run` does.
    pub(super) async fn go(&self) -> Stopped {
        let embedded = EmbeddedRun {
            run: &self.run,
            storage: Arc::clone(&self.storage),
            broker: self.broker.clone(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&self.engine))),
            only: None,
            repairs: BTreeSet::new(),
            progress: Arc::new(()),
            drain: CancellationToken::new(),
        };
        embedded.go().await.unwrap()
    }

    pub(super) fn consumer(&self, name: &str, drain: &CancellationToken) -> Consumer {
        Consumer {
            name: name.to_owned(),
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

    /// Two workers work until nothing is left in the queue.
    pub(super) async fn work(&self) {
        let drain = CancellationToken::new();
        let (one, other) = (self.consumer("one", &drain), self.consumer("other", &drain));
        let stop = async {
            self.broker.work.drained().await;
            drain.cancel();
        };
        let (one, other, ()) = tokio::join!(one.run(), other.run(), stop);
        one.and(other).unwrap();
    }

    pub(super) async fn find(&self, wanted: Quarantined) -> Vec<Redo> {
        let choice = Choice {
            only: Some(Only::Quarantined(wanted)),
            ..Choice::default()
        };
        let ledger = self.ledger().await;
        let found = resume::find(self.storage.as_ref(), &self.run, &ledger, &choice).await;
        found.unwrap()
    }

    pub(super) async fn decide(&self, redo: &[Redo]) -> Ledger {
        let mut ledger = self.ledger().await;
        let storage = self.storage.as_ref();
        resume::decide(storage, &self.run, &mut ledger, redo, Vec::new())
            .await
            .unwrap();
        ledger
    }

    /// Decides that every quarantined item is tried again.
    pub(super) async fn retry(&self) -> Vec<Redo> {
        let redo = self.find(Quarantined::default()).await;
        self.decide(&redo).await;
        redo
    }

    pub(super) async fn publish(&self, redo: &[Redo]) {
        let ledger = self.ledger().await;
        let tasks = resume::tasks(&self.run, &ledger, redo);
        dispatch::publish(&self.broker.work, tasks, |_| {})
            .await
            .unwrap();
    }

    pub(super) async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    pub(super) async fn state(&self) -> ShardState {
        let max_attempts = self.run.record.limits.max_attempts;
        self.ledger().await.state(SHARD, max_attempts)
    }

    pub(super) async fn rows(&self) -> Vec<ManifestRow> {
        let ledger = self.ledger().await;
        let rows = ledger.shard_rows(self.storage.as_ref(), &self.run, SHARD);
        rows.await.unwrap()
    }

    pub(super) async fn counts(&self) -> Counts {
        let ledger = self.ledger().await;
        let counts = tally::count(self.storage.as_ref(), &self.run, &ledger);
        counts.await.unwrap()
    }

    /// Returns why the run cannot be counted.
    pub(super) async fn refused(&self) -> String {
        let ledger = self.ledger().await;
        let counts = tally::count(self.storage.as_ref(), &self.run, &ledger);
        shared::failure::chain(&counts.await.unwrap_err())
    }

    pub(super) async fn findings(&self) -> Vec<String> {
        let report = audit::audit(self.storage.as_ref(), &self.run).await;
        report.unwrap().findings
    }

    /// Returns an object as it is stored.
    pub(super) async fn stored(&self, key: &ArtifactKey) -> Bytes {
        self.storage.read(key).await.unwrap()
    }

    pub(super) fn commit(&self) -> ArtifactKey {
        ArtifactKey::Shard(self.run.record.run.clone(), SHARD)
    }

    pub(super) fn revision(&self, number: u32) -> ArtifactKey {
        ArtifactKey::ShardRevision(self.run.record.run.clone(), SHARD, number)
    }
}

pub(super) fn numbers(counts: &Counts) -> (usize, usize, usize) {
    (counts.done, counts.quarantined, counts.failed)
}
