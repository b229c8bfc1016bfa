//! One object that cannot be read is its own trouble: everything else of its run, and every other run, is as it was. Only
//! storage that does not answer is an outage.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use coordinator::output::report::{self, RunReport};
use coordinator::output::{audit, collect};
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::{Ledger, LedgerError};
use coordinator::run::tally::{self, Tally};
use coordinator::work::collector::{Collector, LiveState, Mode};
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice};
use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::settings::ShardSize;
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{self, FakeEngine};
use tests::planned;
use tests::project::Project;
use tests::vanishing::Vanishing;
use tokio_util::sync::CancellationToken;

const SIZE: ShardSize = ShardSize {
    contents: 1,
    styles: 1,
};

/// A run of shards with an item each, of which everything was made that can be.
struct Fixture {
    storage: Arc<Vanishing>,
    run: FrozenRun,
}

impl Fixture {
    async fn made(contents: &[&str]) -> Self {
        let storage = Vanishing::of(Arc::new(MemoryStorage::new()));
        let contents: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let run = planned::run("spoilt", &contents, &["night".to_owned()], SIZE);
        planned::store(&*storage, &run).await;
        let whole: Arc<dyn Storage> = Arc::clone(&storage) as Arc<dyn Storage>;
        let stopped = fake_engine::make(&whole, &run, &FakeEngine::new(Duration::ZERO)).await;
        assert_eq!(stopped, Stopped::AtItsEnd);
        Self { storage, run }
    }

    /// Stores counts, manifest and report, as `synth2real run` does.
    async fn conclude(&self) {
        let (storage, run) = (&*self.storage, &self.run);
        let ledger = self.ledger().await;
        collect::store_tally_anew(storage, run, &ledger)
            .await
            .unwrap();
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let published = report::publish(storage, run, collected, true).await;
        published.unwrap();
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(&*self.storage, &self.run).await.unwrap()
    }

    fn id(&self) -> &RunId {
        &self.run.record.run
    }

    fn shard(&self, number: u32) -> ArtifactKey {
        ArtifactKey::Shard(self.id().clone(), ShardId(number))
    }
}

#[tokio::test(start_paused = true)]
async fn a_committed_shard_that_cannot_be_read_counts_as_not_done_and_the_rest_is_counted() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.storage.spoil(&fixture.shard(0));
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    let mut tally = Tally::default();
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.total().done, 1);
    let told = tally.damaged()[&ShardId(0)].clone();
    for words in [
        "shards/000000.parquet cannot be read, and others can",
        "remove it and run again",
        "Input/output error",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    let folded = collect::fold(storage, run, &ledger).await.unwrap();
    assert_eq!(folded.styles["night"].items.done, 1);
    let all = Choice::default();
    assert_eq!(resume::find(storage, run, &ledger, &all).await.unwrap(), []);
    let damaged = resume::damaged(storage, run, &ledger, &all).await.unwrap();
    assert_eq!(damaged.values().collect::<Vec<_>>(), [&told]);
    let audited = audit::audit(storage, run).await.unwrap();
    assert_eq!(audited.counts.done, 1);
    assert!(audited.findings.contains(&told), "{:?}", audited.findings);

    // What must have all of them says which is not whole.
    let whole = tally.update_whole(storage, run, &ledger).await.unwrap_err();
    assert!(whole.is_damage(), "{whole}");
    fixture.storage.restore();
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.total().done, 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_no_answer_about_a_shard_says_nothing_of_it() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.conclude().await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    fixture.storage.throttle(&fixture.shard(0));
    let mut tally = Tally::default();
    let error = tally.update(storage, run, &ledger).await.unwrap_err();
    assert!(matches!(error, LedgerError::Storage(_)), "{error:?}");
    let told = chain(&audit::audit(storage, run).await.unwrap_err());
    assert!(told.contains("503 SlowDown"), "{told}");
    fixture.storage.restore();

    // What was known to be damaged stays so meanwhile.
    fixture.storage.spoil(&fixture.shard(0));
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.damaged().len(), 1);
    fixture.storage.throttle(&fixture.shard(0));
    fixture.storage.stop_answering_at(&fixture.shard(0));
    assert!(tally.update(storage, run, &ledger).await.is_err());
    assert_eq!(tally.damaged().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_gets_no_answer_finds_nothing_and_says_so() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.conclude().await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let id = fixture.id();
    let label = ArtifactKey::Label(id.clone(), "a".to_owned());
    for key in [
        ArtifactKey::Tally(id.clone()),
        ArtifactKey::Report(id.clone()),
        ArtifactKey::Manifest(id.clone()),
        label,
        fixture.shard(1),
    ] {
        fixture.storage.stop_answering_at(&key);
        let audited = audit::audit(storage, run).await;
        assert!(audited.is_err(), "{key}: {audited:?}");
        fixture.storage.answer_again();
    }
}

#[tokio::test(start_paused = true)]
async fn while_storage_does_not_answer_nothing_is_said_of_a_shard() {
    let fixture = Fixture::made(&["a", "b"]).await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    fixture.storage.stop_answering_at(&fixture.shard(0));
    let mut tally = Tally::default();
    let error = tally.update(storage, run, &ledger).await.unwrap_err();
    assert!(matches!(error, LedgerError::Storage(_)), "{error:?}");
    assert!(!error.is_damage());
    assert!(tally.damaged().is_empty());
    assert!(Tally::stored(storage, fixture.id()).await.is_err());
    assert!(RunReport::stored(storage, fixture.id()).await.is_err());
    fixture.storage.answer_again();
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_whose_record_cannot_be_read_has_failed_all_the_same() {
    let fixture = Fixture::made(&["cursed", "a"]).await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    for number in 1..=3 {
        let key = ArtifactKey::FailedAttempt(fixture.id().clone(), ShardId(0), number);
        fixture.storage.spoil(&key);
    }
    let ledger = fixture.ledger().await;
    let counts = tally::count(storage, run, &ledger).await.unwrap();
    assert_eq!((counts.done, counts.failed), (1, 1));
    let told = "attempts/000000/3.json cannot be read";
    let reasons: Vec<&String> = counts.reasons.keys().collect();
    assert!(reasons[0].contains(told), "{reasons:?}");
    let found = resume::find(storage, run, &ledger, &Choice::default()).await;
    assert_eq!(found.unwrap().len(), 1);
    let findings = audit::audit(storage, run).await.unwrap().findings;
    for number in 1..=3 {
        let words = format!("attempts/000000/{number}.json cannot be read");
        let is_told = findings.iter().any(|finding| finding.contains(&words));
        assert!(is_told, "no {words:?}: {findings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_cannot_be_read_is_none_and_an_audit_finds_it() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.conclude().await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    assert_eq!(audit::audit(storage, run).await.unwrap().findings, [""; 0]);
    let id = fixture.id().clone();
    for key in [
        ArtifactKey::Tally(id.clone()),
        ArtifactKey::Report(id.clone()),
        ArtifactKey::Manifest(id),
    ] {
        fixture.storage.spoil(&key);
        let findings = audit::audit(storage, run).await.unwrap().findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        let path = key.path();
        let name = path.rsplit('/').next().unwrap();
        let words = format!("{name} cannot be read");
        assert!(findings[0].contains(&words), "no {words:?}: {findings:?}");
        let stored = Tally::stored(storage, fixture.id()).await.unwrap();
        let is_tally = matches!(key, ArtifactKey::Tally(_));
        assert_eq!(stored.shards().count(), if is_tally { 0 } else { 2 });
        let stored = RunReport::stored(storage, fixture.id()).await.unwrap();
        assert_eq!(stored.is_none(), matches!(key, ArtifactKey::Report(_)));
        fixture.storage.restore();
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_cannot_be_read_is_an_error_that_names_it() {
    let fixture = Fixture::made(&["a"]).await;
    let decision = ArtifactKey::Decision(fixture.id().clone(), 1);
    fixture.storage.spoil(&decision);
    let error = audit::audit(&*fixture.storage, &fixture.run)
        .await
        .unwrap_err();
    let told = chain(&error);
    assert!(told.contains("decisions/000001.json"), "{told}");
    assert!(!error.is_damage());
}

/// A collector over two runs, of which none is made.
struct Watched {
    storage: Arc<Vanishing>,
    live: Arc<LiveState>,
    runs: [RunId; 2],
    stop: CancellationToken,
}

impl Watched {
    async fn new() -> Self {
        let storage = Vanishing::of(Arc::new(MemoryStorage::new()));
        let runs = ["aaa", "bbb"].map(|name| {
            let (contents, styles) = (["a".to_owned()], ["night".to_owned()]);
            planned::run(name, &contents, &styles, SIZE)
        });
        for run in &runs {
            planned::store(&*storage, run).await;
        }
        Self {
            storage,
            live: Arc::new(LiveState::default()),
            runs: runs.map(|run| run.record.run),
            stop: CancellationToken::new(),
        }
    }

    fn start(&self) {
        let collector = Collector {
            storage: Arc::clone(&self.storage) as Arc<dyn Storage>,
            queue: None,
            events: None,
            mode: Mode::Manage,
            every: Duration::from_millis(500),
            live: Arc::clone(&self.live),
            stop: self.stop.clone(),
        };
        tokio::spawn(async move { collector.run().await });
    }

    async fn until(&self, is: impl Fn(&Self) -> bool) {
        let mut watch = self.live.watch();
        let wait = async {
            while !is(self) {
                watch.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.expect("the live state has it");
    }

    fn is_shown(&self, place: usize) -> bool {
        self.live.run(&self.runs[place]).is_some()
    }

    fn unreadable(&self) -> Vec<RunId> {
        self.live.unreadable().into_keys().collect()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_of_one_run_that_cannot_be_read_keeps_no_other_run_waiting() {
    let keys: [fn(RunId) -> ArtifactKey; 2] =
        [ArtifactKey::RunRecord, |run| ArtifactKey::Decision(run, 1)];
    for key_of in keys {
        let watched = Watched::new().await;
        watched.storage.spoil(&key_of(watched.runs[0].clone()));
        watched.start();
        let first = [watched.runs[0].clone()];
        let is = |watched: &Watched| watched.is_shown(1) && watched.unreadable() == first;
        watched.until(is).await;
        watched.storage.restore();
        let is = |watched: &Watched| watched.is_shown(0) && watched.unreadable().is_empty();
        watched.until(is).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_the_look_and_no_other_run_is_blamed_for_it() {
    let watched = Watched::new().await;
    let record = ArtifactKey::RunRecord(watched.runs[0].clone());
    watched.storage.stop_answering_at(&record);
    watched.start();
    let is = |watched: &Watched| watched.live.storage_trouble().is_some();
    watched.until(is).await;
    assert_eq!(watched.unreadable(), [watched.runs[0].clone()]);
    assert!(!watched.is_shown(1));
    watched.storage.answer_again();
    let is = |watched: &Watched| {
        watched.is_shown(0) && watched.is_shown(1) && watched.unreadable().is_empty()
    };
    watched.until(is).await;
}

#[test]
fn whatever_is_in_the_place_of_a_shard_every_command_names_it_and_shows_the_rest() {
    let mut project = Project::new(3, 1);
    project.set("shards.contents", 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000001.parquet");
    let whole = fs::read(&shard).unwrap();
    let pipe = || {
        let made = Command::new("mkfifo").arg(&shard).status();
        assert!(made.unwrap().success());
    };
    let places: [(&str, &dyn Fn()); 3] = [
        ("leads nowhere", &|| {
            symlink("/no/such/file", &shard).unwrap();
        }),
        ("leads nowhere", &|| {
            symlink(Path::new("000001.parquet"), &shard).unwrap();
        }),
        ("it is a pipe", &pipe),
    ];
    for (why, place) in places {
        fs::remove_file(&shard).unwrap();
        place();
        let words = [
            "shards/000001.parquet cannot be read, and others can",
            "remove it and run again",
            why,
        ];
        for command in ["status", "report", "resume", "audit"] {
            let outcome = project.about_run(&[command]).exits(1);
            for words in words {
                assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
            }
            let shows_the_rest = outcome.stdout.contains("2 of 3 items done");
            let shows_all = matches!(command, "status" | "report");
            assert!(shows_the_rest || !shows_all, "{command}: {outcome}");
        }
        project.run().exits(3).complains_about(&words);
    }
    fs::remove_file(&shard).unwrap();
    fs::write(&shard, whole).unwrap();
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_folder_in_the_place_of_counts_or_report_closes_nothing_but_is_found() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    for name in ["tally.json", "report.json"] {
        let path = project.stored(name);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let status = project.about_run(&["status"]).exits(0);
        assert!(status.stdout.contains("small is complete"), "{status}");
        let report = project.about_run(&["report"]).exits(0);
        assert!(report.stdout.contains("2 of 2 items done"), "{report}");
        let audit = project.about_run(&["audit"]).exits(1);
        let words = format!("{name} cannot be read, and others can");
        assert!(audit.stdout.contains(&words), "no {words:?}: {audit}");
        assert!(audit.stdout.contains("1 findings"), "{audit}");
        let run = project.run();
        assert!(run.stdout.contains("2 of 2 images done"), "{run}");
        match name {
            "tally.json" => drop(run.exits(0)),
            // The run owes it.
            _ => run
                .exits(3)
                .complains_about(&["report.json", "a folder is in its place"]),
        }
        fs::remove_dir(&path).unwrap();
        let _ = project.run().exits(0);
        let _ = project.about_run(&["audit"]).exits(0);
    }
}
