//! Quarantined items that are tried again: decided in storage, made as revisions of their shards, and counted once.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use backon::ExponentialBuilder;
use bytes::Bytes;
use coordinator::output::quality::fold::RunFold;
use coordinator::output::report::RunReport;
use coordinator::output::report::live::LiveReport;
use coordinator::output::{audit, collect, report};
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::{Ledger, ShardState};
use coordinator::run::redo::{Redo, Why};
use coordinator::run::tally::{self, Counts, Tally};
use coordinator::work::dispatch;
use coordinator::work::embedded::{EmbeddedRun, Stopped};
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use serde_json::{Value, json};
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::decision::{Decision, DecisionKind};
use shared::failure::FailureClass;
use shared::ids::ShardId;
use shared::item_metric::ItemMetric;
use shared::manifest::{self, ManifestRow, Status};
use shared::queue::message::ShardTask;
use shared::queue::{InProcessBroker, WorkQueue};
use shared::seal;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{LocalStorage, MemoryStorage, Storage};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

const SHARD: ShardId = ShardId(0);
const FIRST: ShardState = ShardState::Revising { revision: 1 };

/// A run of one shard, or of several: some contents in two styles.
struct Fixture {
    storage: Arc<dyn Storage>,
    broker: InProcessBroker,
    run: FrozenRun,
    engine: Arc<FakeEngine>,
}

impl Fixture {
    async fn of(contents: &[&str]) -> Self {
        Self::on(Arc::new(MemoryStorage::new()), contents).await
    }

    async fn on(storage: Arc<dyn Storage>, contents: &[&str]) -> Self {
        let size = ShardSize {
            contents: contents.len(),
            styles: 2,
        };
        Self::in_shards(storage, contents, size).await
    }

    /// A run whose shards have an item each.
    async fn of_single_items(contents: &[&str]) -> Self {
        let size = ShardSize {
            contents: 1,
            styles: 1,
        };
        Self::in_shards(Arc::new(MemoryStorage::new()), contents, size).await
    }

    /// A run on a disk, of two contents in each shard, on which everything was made and reported that can be.
    async fn reported_on(folder: &Path, contents: &[&str]) -> Self {
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
    async fn conclude(&self) -> RunReport {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let ledger = self.ledger().await;
        collect::store_tally_anew(storage, run, &ledger)
            .await
            .unwrap();
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let report = report::publish(storage, run, collected, true).await;
        report.unwrap()
    }

    async fn find_in_shards(&self, shards: &[ShardId]) -> Vec<Redo> {
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
    async fn made(contents: &[&str]) -> Self {
        let fixture = Self::of(contents).await;
        assert_eq!(fixture.go().await, Stopped::AtItsEnd);
        fixture
    }

    /// Makes what is open in this process, as `synth2real run` does.
    async fn go(&self) -> Stopped {
        let embedded = EmbeddedRun {
            run: &self.run,
            storage: Arc::clone(&self.storage),
            broker: self.broker.clone(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&self.engine))),
            repairs: BTreeSet::new(),
            progress: Arc::new(()),
            drain: CancellationToken::new(),
        };
        embedded.go().await.unwrap()
    }

    fn consumer(&self, name: &str, drain: &CancellationToken) -> Consumer {
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
        }
    }

    /// Two workers work until nothing is left in the queue.
    async fn work(&self) {
        let drain = CancellationToken::new();
        let (one, other) = (self.consumer("one", &drain), self.consumer("other", &drain));
        let stop = async {
            self.broker.work.drained().await;
            drain.cancel();
        };
        let (one, other, ()) = tokio::join!(one.run(), other.run(), stop);
        one.and(other).unwrap();
    }

    async fn find(&self, wanted: Quarantined) -> Vec<Redo> {
        let choice = Choice {
            only: Some(Only::Quarantined(wanted)),
            ..Choice::default()
        };
        let ledger = self.ledger().await;
        let found = resume::find(self.storage.as_ref(), &self.run, &ledger, &choice).await;
        found.unwrap()
    }

    async fn decide(&self, redo: &[Redo]) -> Ledger {
        let mut ledger = self.ledger().await;
        let storage = self.storage.as_ref();
        resume::decide(storage, &self.run, &mut ledger, redo, Vec::new())
            .await
            .unwrap();
        ledger
    }

    /// Decides that every quarantined item is tried again.
    async fn retry(&self) -> Vec<Redo> {
        let redo = self.find(Quarantined::default()).await;
        self.decide(&redo).await;
        redo
    }

    async fn publish(&self, redo: &[Redo]) {
        let ledger = self.ledger().await;
        let tasks = resume::tasks(&self.run, &ledger, redo);
        dispatch::publish(&self.broker.work, tasks, |_| {})
            .await
            .unwrap();
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    async fn state(&self) -> ShardState {
        let max_attempts = self.run.record.limits.max_attempts;
        self.ledger().await.state(SHARD, max_attempts)
    }

    async fn rows(&self) -> Vec<ManifestRow> {
        let ledger = self.ledger().await;
        let rows = ledger.shard_rows(self.storage.as_ref(), &self.run, SHARD);
        rows.await.unwrap()
    }

    async fn counts(&self) -> Counts {
        let ledger = self.ledger().await;
        let counts = tally::count(self.storage.as_ref(), &self.run, &ledger);
        counts.await.unwrap()
    }

    /// Returns why the run cannot be counted.
    async fn refused(&self) -> String {
        let ledger = self.ledger().await;
        let counts = tally::count(self.storage.as_ref(), &self.run, &ledger);
        shared::failure::chain(&counts.await.unwrap_err())
    }

    async fn findings(&self) -> Vec<String> {
        let report = audit::audit(self.storage.as_ref(), &self.run).await;
        report.unwrap().findings
    }

    /// Returns an object as it is stored.
    async fn stored(&self, key: &ArtifactKey) -> Bytes {
        self.storage.read(key).await.unwrap()
    }

    fn commit(&self) -> ArtifactKey {
        ArtifactKey::Shard(self.run.record.run.clone(), SHARD)
    }

    fn revision(&self, number: u32) -> ArtifactKey {
        ArtifactKey::ShardRevision(self.run.record.run.clone(), SHARD, number)
    }
}

fn numbers(counts: &Counts) -> (usize, usize, usize) {
    (counts.done, counts.quarantined, counts.failed)
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_item_that_was_mended_is_made_and_nothing_committed_is_rewritten() {
    let fixture = Fixture::made(&["a", "bad", "z"]).await;
    assert_eq!(numbers(&fixture.counts().await), (4, 2, 0));
    // Running again tries nothing again by itself.
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);
    assert_eq!(fixture.engine.conversions(), 4);
    let commit = fixture.stored(&fixture.commit()).await;

    fixture.engine.mend();
    let redo = fixture.retry().await;
    assert_eq!(resume::num_items(&redo), 2);
    assert_eq!(redo[0].why.to_string(), "quarantined: bad is damaged");
    assert_eq!(fixture.state().await, FIRST);
    // Whoever goes on with the run knows from storage alone what is to be done.
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);

    assert_eq!(fixture.state().await, ShardState::Committed);
    assert_eq!(fixture.engine.conversions(), 6, "and nothing else was made");
    assert_eq!(numbers(&fixture.counts().await), (6, 0, 0));
    assert_eq!(fixture.stored(&fixture.commit()).await, commit);
    let revision = manifest::read(fixture.stored(&fixture.revision(1)).await).unwrap();
    let of_bad = |row: &ManifestRow| row.item.content == "bad" && row.status == Status::Done;
    assert!(revision.len() == 2 && revision.iter().all(of_bad));
    let rows = fixture.rows().await;
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.status == Status::Done));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_quarantined_again_has_the_newer_row_and_can_be_tried_once_more() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    for number in 1..=2 {
        fixture.retry().await;
        assert_eq!(
            fixture.state().await,
            ShardState::Revising { revision: number }
        );
        fixture.go().await;
        assert_eq!(fixture.state().await, ShardState::Committed);
        assert_eq!(numbers(&fixture.counts().await), (2, 2, 0));
        let rows = fixture.rows().await;
        let bad = rows.iter().filter(|row| row.item.content == "bad");
        assert!(bad.clone().all(|row| row.attempt == number + 1), "{rows:?}");
        assert_eq!(bad.count(), 2);
    }
    fixture.engine.mend();
    fixture.retry().await;
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    assert_eq!(fixture.ledger().await.num_revisions(SHARD), 3);
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn quarantined_items_are_chosen_by_class_reason_style_and_shard() {
    let fixture = Fixture::made(&["bad-1", "bad-2", "gone-1", "a"]).await;
    let all = fixture.find(Quarantined::default()).await;
    assert_eq!(resume::num_items(&all), 6);
    let Why::Quarantined { num_others, .. } = &all[0].why else {
        panic!("{all:?}");
    };
    assert_eq!(*num_others, 4, "items of two reasons beside the first");
    let of = async |class, reason: Option<&str>| {
        let wanted = Quarantined {
            class,
            reason: reason.map(str::to_owned),
        };
        resume::num_items(&fixture.find(wanted).await)
    };
    assert_eq!(of(Some(FailureClass::Missing), None).await, 2);
    assert_eq!(of(Some(FailureClass::BadInput), None).await, 4);
    assert_eq!(of(Some(FailureClass::BadInput), Some("BAD-2")).await, 2);
    assert_eq!(of(Some(FailureClass::BadOutput), None).await, 0);

    let choice = Choice {
        only: Some(Only::Quarantined(Quarantined::default())),
        styles: vec!["snow".to_owned()],
        shards: vec![SHARD],
    };
    let ledger = fixture.ledger().await;
    let redo = resume::find(fixture.storage.as_ref(), &fixture.run, &ledger, &choice).await;
    let redo = redo.unwrap();
    assert_eq!(resume::num_items(&redo), 3);
    fixture.engine.mend();
    fixture.decide(&redo).await;
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (5, 3, 0));
    let done = |row: &&ManifestRow| row.status == Status::Done && row.item.content != "a";
    let rows = fixture.rows().await;
    assert!(rows.iter().filter(done).all(|row| row.item.style == "snow"));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_nobody_has_made_is_work_that_is_left() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    fixture.engine.mend();
    fixture.retry().await;
    let findings = fixture.findings().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].contains("2 quarantined items of shard 000000"),
        "{findings:?}"
    );

    // Its message was lost: what is missing is published from storage.
    let choice = Choice {
        only: Some(Only::Missing),
        ..Choice::default()
    };
    let ledger = fixture.ledger().await;
    let redo = resume::find(fixture.storage.as_ref(), &fixture.run, &ledger, &choice).await;
    let redo = redo.unwrap();
    assert_eq!(redo[0].why, Why::NotRevised { num_later: 0 });
    assert_eq!(redo[0].num_items, 2);
    fixture.publish(&redo).await;
    fixture.work().await;
    assert_eq!(fixture.state().await, ShardState::Committed);
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_hands_of_two_workers_is_committed_once() {
    let fixture = Fixture::made(&["a", "bad-1", "bad-2"]).await;
    fixture.engine.mend();
    let redo = fixture.retry().await;
    fixture.publish(&redo).await;
    fixture.publish(&redo).await;
    fixture.work().await;
    assert_eq!(numbers(&fixture.counts().await), (6, 0, 0));
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(fixture.findings().await, [""; 0]);
    // One that comes late finds it done.
    let made = fixture.engine.conversions();
    fixture.publish(&redo).await;
    fixture.work().await;
    assert_eq!(fixture.engine.conversions(), made);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_over_any_step_of_a_retry_loses_nothing() {
    for milliseconds in 0..60 {
        let fixture = Fixture::made(&["a", "bad-1", "bad-2"]).await;
        fixture.engine.mend();
        let redo = fixture.retry().await;
        fixture.publish(&redo).await;
        let consumer = fixture.consumer("dies", &CancellationToken::new());
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), consumer.run()).await;
        fixture.work().await;
        assert_eq!(fixture.go().await, Stopped::AtItsEnd);
        assert_eq!(
            numbers(&fixture.counts().await),
            (6, 0, 0),
            "after {milliseconds} ms"
        );
        assert_eq!(fixture.findings().await, [""; 0], "after {milliseconds} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_fails_for_good_leaves_the_rows_as_they_were_and_can_be_reopened() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let before = fixture.rows().await;
    fixture.engine.curse(true);
    fixture.engine.mend();
    fixture.retry().await;
    fixture.go().await;
    let failed = ShardState::RevisionFailed {
        revision: 1,
        last: 4,
    };
    assert_eq!(fixture.state().await, failed);
    assert_eq!(fixture.rows().await, before);
    assert_eq!(
        numbers(&fixture.counts().await),
        (2, 2, 0),
        "and none failed"
    );
    assert_eq!(fixture.findings().await, [""; 0]);

    fixture.engine.curse(false);
    let redo = fixture.retry().await;
    assert_eq!(fixture.state().await, FIRST);
    assert_eq!(resume::num_items(&redo), 2);
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_two_decisions_about_one_retry_the_second_is_refused_and_can_be_made_when_the_first_has_ended()
 {
    let fixture = Fixture::made(&["bad-1", "bad-2", "a"]).await;
    fixture.engine.mend();
    let of = |text: &str| Quarantined {
        reason: Some(text.to_owned()),
        ..Quarantined::default()
    };
    let (one, other) = (
        fixture.find(of("bad-1")).await,
        fixture.find(of("bad-2")).await,
    );
    // Neither knows of the other.
    let (mut here, mut there) = (fixture.ledger().await, fixture.ledger().await);
    let storage = fixture.storage.as_ref();
    let decided = resume::decide(storage, &fixture.run, &mut here, &one, Vec::new()).await;
    decided.unwrap();
    let refused = resume::decide(storage, &fixture.run, &mut there, &other, Vec::new()).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("decided about run retried meanwhile"),
        "{refused}"
    );
    // A worker may have the first in hand: nothing is added to it.
    let later = fixture.find(of("bad-2")).await;
    assert_eq!(later[0].why, Why::NotRevised { num_later: 2 });
    fixture.decide(&later).await;
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.decisions.retries.of(SHARD, 1).unwrap().len(), 2);
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 2, 0));
    let rest = fixture.retry().await;
    assert_eq!(resume::num_items(&rest), 2);
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (6, 0, 0));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_decided_while_its_run_goes_on_is_made_before_it_ends() {
    let fixture = Fixture::of(&["bad", "a"]).await;
    let decide = async {
        while !fixture.storage.exists(&fixture.commit()).await.unwrap() {
            tokio::time::sleep(Duration::from_micros(1)).await;
        }
        fixture.engine.mend();
        fixture.retry().await;
    };
    let (stopped, ()) = tokio::join!(fixture.go(), decide);
    assert_eq!(stopped, Stopped::AtItsEnd);
    // One that came after the last look is work that is left.
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn items_that_are_tried_again_count_as_failures_until_they_are_forgiven() {
    let fixture = Fixture::made(&["bad-1", "bad-2", "a"]).await;
    let of = |text: &str| Quarantined {
        reason: Some(text.to_owned()),
        ..Quarantined::default()
    };
    let redo = fixture.find(of("bad-1")).await;
    let ledger = fixture.decide(&redo).await;
    assert_eq!(ledger.decisions.acknowledged_failures, 2, "those of bad-2");
    // Deciding once more, while they are under way, forgives no others.
    let redo = fixture.find(of("bad-1")).await;
    let halt = DecisionKind::Halt {
        reason: "cancelled".into(),
    };
    let mut ledger = fixture.ledger().await;
    let run = &fixture.run.record.run;
    let halt = Decision::made(halt, &SystemClock);
    let halted = ledger
        .decisions
        .decide_next(fixture.storage.as_ref(), run, halt);
    halted.await.unwrap();
    let ledger = fixture.decide(&redo).await;
    assert_eq!(ledger.decisions.acknowledged_failures, 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_about_a_revision_that_was_not_decided_makes_nothing() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    fixture.engine.mend();
    let task = |revision| ShardTask {
        revision,
        ..fixture
            .run
            .plan
            .task(&fixture.run.record.run, &fixture.run.plan.shards[0])
    };
    fixture
        .broker
        .work
        .publish(&[task(1), task(7)])
        .await
        .unwrap();
    fixture.work().await;
    assert_eq!(numbers(&fixture.counts().await), (2, 2, 0));
    assert_eq!(fixture.engine.conversions(), 2);

    fixture.retry().await;
    // The second would be out of turn, and a shard without its commit is made from the start.
    fixture.broker.work.publish(&[task(2)]).await.unwrap();
    fixture.work().await;
    assert_eq!(fixture.state().await, FIRST);
    let bare = Fixture::of(&["a"]).await;
    bare.broker.work.publish(&[task(1)]).await.unwrap();
    bare.work().await;
    assert_eq!(bare.engine.conversions(), 0);
}

#[tokio::test]
async fn an_image_whose_row_is_in_a_revision_is_made_again_and_quarantined_ones_are_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let fixture = Fixture::on(storage, &["a", "bad-1", "bad-2"]).await;
    fixture.go().await;
    fixture.engine.mend();
    let wanted = Quarantined {
        reason: Some("bad-1".to_owned()),
        ..Quarantined::default()
    };
    let redo = fixture.find(wanted).await;
    fixture.decide(&redo).await;
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 2, 0));

    let images = ["night/a.png", "snow/bad-1.png"];
    let path = |image: &str| folder.path().join("runs/retried/images").join(image);
    let before = images.map(|image| std::fs::read(path(image)).unwrap());
    images
        .iter()
        .for_each(|image| std::fs::remove_file(path(image)).unwrap());
    assert_eq!(fixture.findings().await.len(), 2);
    let choice = Choice {
        only: Some(Only::Missing),
        ..Choice::default()
    };
    let ledger = fixture.ledger().await;
    let redo = resume::find(fixture.storage.as_ref(), &fixture.run, &ledger, &choice).await;
    let redo = redo.unwrap();
    let Why::ArtifactsMissing(gone) = &redo[0].why else {
        panic!("{redo:?}");
    };
    let paths = images.map(|image| format!("runs/retried/images/{image}"));
    assert_eq!(gone.paths, BTreeSet::from(paths));
    fixture.publish(&redo).await;
    fixture.work().await;
    assert_eq!(
        images.map(|image| std::fs::read(path(image)).unwrap()),
        before
    );
    // Its input is mended, and still it has no image: nobody asked for it.
    assert!(!path("night/bad-2.png").exists());
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn manifest_counts_and_figures_are_those_of_a_run_that_never_failed() {
    let made = async |mended_from_the_start: bool| {
        let fixture = Fixture::of(&["a", "bad-1", "bad-2"]).await;
        if mended_from_the_start {
            fixture.engine.mend();
        }
        fixture.go().await;
        let (storage, run) = (fixture.storage.as_ref(), Arc::new(fixture.run.clone()));
        let mut live = LiveReport::new(&run);
        let counts = Counts::default();
        let _ = live
            .refresh(storage, &fixture.ledger().await, &counts)
            .await;
        fixture.engine.mend();
        fixture.retry().await;
        fixture.go().await;
        let ledger = fixture.ledger().await;
        let collected = collect::collect(storage, &fixture.run, &ledger)
            .await
            .unwrap();
        // The first of several may be about what there was before; each is made by another thread, in real time.
        let mut later = None;
        while later.is_none() {
            std::thread::park_timeout(Duration::from_millis(5));
            tokio::time::sleep(Duration::from_secs(60)).await;
            let made = live.refresh(storage, &ledger, &collected.counts).await;
            let is_whole = |report: &RunReport| report.styles.iter().all(|style| style.items == 3);
            later = made.unwrap().filter(is_whole);
        }
        let later = later.unwrap();
        (
            said(&collected.fold),
            numbers(&collected.counts),
            later.styles,
        )
    };
    let (retried, whole) = (made(false).await, made(true).await);
    assert_eq!(retried, whole);
    assert_eq!(whole.1, (6, 0, 0));
}

/// What is stored of a run that is made anew at any time.
const REBUILT: [&str; 5] = [
    "manifest.parquet",
    "report.json",
    "tally.json",
    "fid/",
    "making/",
];

/// Returns the bytes of what is stored once of a run, and when each file was written.
fn written(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let root = folder.join("runs/retried");
    let paths = tests::stored::paths(&root).into_iter();
    let once = paths.filter(|path| !REBUILT.iter().any(|rebuilt| path.starts_with(rebuilt)));
    once.map(|path| {
        let file = root.join(&path);
        let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
        (path, (std::fs::read(&file).unwrap(), modified))
    })
    .collect()
}

/// Proves that nothing that was stored once was touched, and returns what has come.
fn added(
    before: &BTreeMap<String, (Vec<u8>, SystemTime)>,
    after: BTreeMap<String, (Vec<u8>, SystemTime)>,
) -> Vec<String> {
    for (path, file) in before {
        assert!(after.get(path) == Some(file), "{path} was touched");
    }
    let paths = after.into_keys();
    paths.filter(|path| !before.contains_key(path)).collect()
}

#[tokio::test]
async fn of_two_shards_the_one_without_quarantined_items_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::reported_on(folder.path(), &["a", "bad", "c", "d"]).await;
    assert_eq!(fixture.run.plan.shards.len(), 2);
    assert_eq!(numbers(&fixture.counts().await), (6, 2, 0));
    let before = written(folder.path());

    fixture.engine.mend();
    let redo = fixture.retry().await;
    let shards: Vec<ShardId> = redo.iter().map(|redo| redo.shard).collect();
    assert_eq!(shards, [SHARD]);
    assert_eq!(resume::num_items(&redo), 2);
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);
    let report = fixture.conclude().await;

    let added = added(&before, written(folder.path()));
    assert_eq!(
        added,
        [
            "decisions/000001.json",
            "images/night/bad.png",
            "images/snow/bad.png",
            "labels/bad.png",
            "shards/000000.1.parquet",
        ]
    );
    assert_eq!(fixture.engine.conversions(), 8, "each item once");
    assert_eq!(numbers(&fixture.counts().await), (8, 0, 0));
    assert_eq!((report.done, report.quarantined), (8, 0));
    assert!(report.styles.iter().all(|style| style.items == 4));
    let rows = tests::stored::rows(&folder.path().join("runs/retried/manifest.parquet"));
    assert_eq!(rows.len(), 8);
    for row in rows {
        let of_bad = row.item.content == "bad";
        assert_eq!(row.status, Status::Done, "{row:?}");
        assert_eq!(row.attempt, if of_bad { 2 } else { 1 }, "{row:?}");
        let shard = if matches!(row.item.content.as_str(), "a" | "bad") {
            0
        } else {
            1
        };
        assert_eq!(row.shard, ShardId(shard), "{row:?}");
    }
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test]
async fn of_two_shards_with_quarantined_items_the_chosen_one_alone_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::reported_on(folder.path(), &["a", "bad-1", "bad-2", "d"]).await;
    assert_eq!(numbers(&fixture.counts().await), (4, 4, 0));
    let before = written(folder.path());

    fixture.engine.mend();
    let redo = fixture.find_in_shards(&[ShardId(1)]).await;
    assert_eq!(resume::num_items(&redo), 2);
    let ledger = fixture.decide(&redo).await;
    assert_eq!(
        ledger.decisions.acknowledged_failures, 2,
        "those of the other shard"
    );
    let states = [0, 1].map(|shard| ledger.state(ShardId(shard), 3));
    assert_eq!(states, [ShardState::Committed, FIRST]);
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);
    let report = fixture.conclude().await;

    let added = added(&before, written(folder.path()));
    assert_eq!(
        added,
        [
            "decisions/000001.json",
            "images/night/bad-2.png",
            "images/snow/bad-2.png",
            "labels/bad-2.png",
            "shards/000001.1.parquet",
        ]
    );
    assert_eq!(fixture.engine.conversions(), 6);
    assert_eq!(numbers(&fixture.counts().await), (6, 2, 0));
    assert_eq!((report.done, report.quarantined), (6, 2));
    assert_eq!(report.reasons.get("bad-1 is damaged"), Some(&2));
    let rows = tests::stored::rows(&folder.path().join("runs/retried/manifest.parquet"));
    let quarantined = rows.iter().filter(|row| row.status != Status::Done);
    assert!(quarantined.clone().all(|row| row.item.content == "bad-1"));
    assert_eq!((rows.len(), quarantined.count()), (8, 2));
    // The other one can be chosen as before.
    let rest = fixture.find(Quarantined::default()).await;
    assert_eq!((rest.len(), rest[0].shard), (1, SHARD));
    assert_eq!(fixture.findings().await, [""; 0]);
}

/// Returns how many items the next report of a run under way is about: each is made by another thread, in real time.
async fn reported(live: &mut LiveReport, storage: &dyn Storage, ledger: &Ledger) -> usize {
    loop {
        std::thread::park_timeout(Duration::from_millis(5));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let made = live.refresh(storage, ledger, &Counts::default()).await;
        if let Some(report) = made.unwrap() {
            return report.styles.iter().map(|style| style.items).sum();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_shard_that_is_put_right_comes_into_the_figures_of_a_run_under_way() {
    let fixture = Fixture::of_single_items(&["a", "b"]).await;
    fixture.go().await;
    let (storage, run) = (fixture.storage.as_ref(), Arc::new(fixture.run.clone()));
    let shard = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(1));
    let whole = fixture.stored(&shard).await;
    let mut flipped = whole.to_vec();
    flipped[whole.len() / 2] ^= 1;
    storage.replace(&shard, flipped.into()).await.unwrap();
    let mut live = LiveReport::new(&run);
    let ledger = fixture.ledger().await;
    assert_eq!(reported(&mut live, storage, &ledger).await, 3);
    // As long as it was.
    storage.replace(&shard, whole).await.unwrap();
    assert_eq!(fixture.ledger().await, ledger);
    assert_eq!(reported(&mut live, storage, &ledger).await, 4);
}

/// Returns what a fold says of each style.
fn said(fold: &RunFold) -> Vec<(String, usize, Option<f64>)> {
    let styles = fold.styles.iter();
    let of = |style: &coordinator::output::quality::fold::StyleFold| {
        (style.items.done, style.items.means[ItemMetric::Ssim])
    };
    styles
        .map(|(name, style)| {
            let (done, ssim) = of(style);
            (name.clone(), done, ssim.value())
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_stored_count_is_brought_up_to_date_by_a_revision() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run.record.run);
    let ledger = fixture.ledger().await;
    let before = collect::store_tally(storage, &fixture.run, &ledger)
        .await
        .unwrap();
    fixture.engine.mend();
    fixture.retry().await;
    fixture.go().await;
    let mut tally = Tally::stored(storage, run).await.unwrap();
    assert_eq!(tally.total().quarantined, 2);
    let ledger = fixture.ledger().await;
    let run = &fixture.run;
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.total().quarantined, 0);
    assert_eq!(tally.total().done, 4);
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 0);
    // Somebody who has seen less stores it last.
    let id = &run.record.run;
    tally.store(storage, id).await.unwrap();
    before.store(storage, id).await.unwrap();
    let mut again = Tally::stored(storage, id).await.unwrap();
    assert_eq!(again.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(again.total(), tally.total());
}

#[tokio::test(start_paused = true)]
async fn stored_counts_that_cannot_be_those_of_their_shard_are_counted_anew() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run);
    let id = &run.record.run;
    let ledger = fixture.ledger().await;
    let told = collect::store_tally(storage, run, &ledger).await.unwrap();
    let told = told.total();
    assert_eq!((told.done, told.quarantined), (2, 2));
    let key = ArtifactKey::Tally(id.clone());
    let stored = storage.read(&key).await.unwrap();
    let stored: Value = serde_json::from_slice(&seal::open(&stored, &key).json).unwrap();
    let counted = async |tally: &Value| {
        let json = serde_json::to_vec(tally).unwrap();
        let sealed = Bytes::from(seal::seal(&json, &key));
        storage.replace(&key, sealed).await.unwrap();
        let mut tally = Tally::stored(storage, id).await.unwrap();
        let read = tally.update(storage, run, &ledger).await.unwrap();
        let counts = tally.total_with_failed(storage, run, &ledger).await;
        (read, counts.unwrap())
    };
    let (read, counts) = counted(&stored).await;
    assert_eq!(read, 0, "it is believed as it was stored");
    assert!(counts.are_those_of(&told), "{counts:?}");

    let changes = [
        ("/counts/done", json!(3)),
        ("/counts/done", json!(1_u64 << 63)),
        ("/counts/done", json!(-1)),
        ("/counts/quarantined", json!(u64::MAX)),
        ("/counts/failed", json!(1)),
        ("/counts/warnings", json!(3)),
        ("/counts/warning_kinds", json!({"greyscale": 3})),
        ("/counts/converted", json!(3)),
        ("/counts/busy_ms", json!(-1.0)),
        ("/counts/busy_ms", json!(1e300)),
        ("/counts/unet_evaluations", json!(-1.0)),
        ("/counts/reasons", json!({"another": 3})),
        ("/counts/reasons", json!({"one": u64::MAX, "another": 3})),
        ("/not_done", json!({})),
        ("/not_done", json!({"dawn": 2})),
        ("/finished_at", json!(null)),
        ("/revisions", json!(1)),
        ("/size_bytes", json!(1)),
    ];
    for (place, value) in changes {
        let mut changed = stored.clone();
        let (within, field) = place.rsplit_once('/').unwrap();
        let shards = changed["shards"].as_object_mut().unwrap();
        let shard = shards.values_mut().next().unwrap();
        shard.pointer_mut(within).unwrap()[field] = value.clone();
        assert_ne!(changed, stored, "{place}");
        assert_eq!(
            counted(&changed).await,
            (1, told.clone()),
            "{place}: {value}"
        );
    }
    let mut another = stored.clone();
    another["plan_hash"] = json!("0".repeat(64));
    assert_eq!(counted(&another).await, (1, told.clone()));
    let mut more = stored.clone();
    more["shards"]["99"] = stored["shards"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap()
        .clone();
    let (read, counts) = counted(&more).await;
    assert_eq!(read, 0);
    assert!(counts.are_those_of(&told), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn an_audit_finds_a_revision_that_nobody_decided_or_that_speaks_of_other_items() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let rows = fixture.rows().await;
    let write = |rows: &[ManifestRow]| Bytes::from(manifest::write(rows.to_vec()).unwrap());
    let storage = fixture.storage.as_ref();
    let all = write(&rows);
    storage.create(&fixture.revision(1), all).await.unwrap();
    let findings = fixture.findings().await;
    assert_eq!(
        findings,
        ["shards/000000.1.parquet belongs to no retry that was decided"]
    );
    // Now it was decided, for the bad items alone.
    fixture.retry().await;
    let findings = fixture.findings().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    let words = [
        "shards/000000.1.parquet holds other rows",
        "a in the style of night has a row and was not to be tried again",
        "remove it and run again",
    ];
    for word in words {
        assert!(findings[0].contains(word), "no {word:?}: {findings:?}");
    }
    assert!(fixture.refused().await.contains(words[0]));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_holds_the_rows_of_others_is_counted_by_nobody() {
    let fixture = Fixture::of_single_items(&["a", "b"]).await;
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run.record.run);
    let shard = |number| ArtifactKey::Shard(run.clone(), ShardId(number));
    let whole = fixture.stored(&shard(1)).await;
    let other = fixture.stored(&shard(0)).await;

    // One more than was planned is a stray, and nothing else.
    let unplanned = shard(fixture.run.plan.shards.len() as u32);
    storage.create(&unplanned, other.clone()).await.unwrap();
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.committed.len(), fixture.run.plan.shards.len());
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    let findings = fixture.findings().await;
    let stray = ["shards/000004.parquet belongs to no shard that was planned"];
    assert_eq!(findings, stray);

    // One in the place of another.
    storage.replace(&shard(1), other).await.unwrap();
    let told = fixture.refused().await;
    for words in [
        "shards/000001.parquet holds other rows than it must",
        "rows of shard 000000 of run retried",
        "remove it and run again",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    let findings = fixture.findings().await;
    assert!(findings.contains(&told), "{findings:?}");
    let ledger = fixture.ledger().await;
    let collected = collect::collect(storage, &fixture.run, &ledger).await;
    assert!(collected.is_err());
    let folded = collect::fold(storage, &fixture.run, &ledger).await;
    let folded = folded.unwrap().styles;
    let items: usize = folded.values().map(|style| style.items.done).sum();
    assert_eq!(items, 3, "the figures are of the others");

    // Rows of the shard's own, one of them missing, or there twice.
    let rows = manifest::read(whole).unwrap();
    let (none, twice) = (Vec::new(), [rows.clone(), rows.clone()].concat());
    for (rows, words) in [(none, "has no row"), (twice, "has more than one row")] {
        let bytes = Bytes::from(manifest::write(rows).unwrap());
        storage.replace(&shard(1), bytes).await.unwrap();
        let told = fixture.refused().await;
        assert!(told.contains(words), "no {words:?}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_counted_and_is_cut_is_read_again() {
    let fixture = Fixture::made(&["a"]).await;
    let storage = fixture.storage.as_ref();
    let ledger = fixture.ledger().await;
    let stored = collect::store_tally(storage, &fixture.run, &ledger).await;
    assert_eq!(stored.unwrap().total().done, 2);
    let cut = fixture.stored(&fixture.commit()).await.slice(..100);
    storage.replace(&fixture.commit(), cut).await.unwrap();
    let told = fixture.refused().await;
    assert!(told.contains("shards/000000.parquet is damaged"), "{told}");
}
