//! The power is cut: what was acknowledged is there, nothing is half there, and a run that goes on ends as any other.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordinator::output::{audit, collect, report};
use coordinator::run::freeze::{self, FrozenRun};
use coordinator::run::ledger::Ledger;
use coordinator::run::policy::Standing;
use coordinator::run::tally::Tally;
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::{FailedAttempt, FailureClass};
use shared::ids::{ItemId, ShardId};
use shared::making::{ContentDigests, MadeImage, Making};
use shared::manifest::{self, ManifestRow};
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use tests::fake_engine::{self, FakeEngine};
use tests::power::recorder::Record;
use tests::power::{Disk, MountedDisk, Recorder};
use tests::program::Running;
use tests::project::{Project, RUN};
use tests::{mounts, planned, stored};

const SEED: &str = "SYNTH2REAL_TEST_SEED";
/// Cuts of a run of real programs.
const CUTS: usize = 6;

/// The bytes of files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

/// Returns a generator whose seed is printed and can be given.
fn chance() -> ChaCha12Rng {
    let given = std::env::var(SEED).ok();
    let seed = given.map_or(52, |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    ChaCha12Rng::seed_from_u64(seed)
}

/// What two equal runs agree about.
#[derive(Debug, PartialEq)]
struct Ending {
    pictures: BTreeMap<String, String>,
    rows: Vec<ManifestRow>,
}

impl Ending {
    fn of(project: &Project) -> Self {
        let _ = project.about_run(&["audit"]).exits(0);
        Self {
            pictures: project.pictures(),
            rows: stored::deterministic(project.rows()),
        }
    }
}

#[test]
fn a_run_whose_power_is_cut_at_random_moments_ends_with_the_same_bytes() {
    mounts::served(
        "a_run_whose_power_is_cut_at_random_moments_ends_with_the_same_bytes",
        cut_and_run_again,
    );
}

fn cut_and_run_again() {
    let mut chance = chance();
    let mut project = Project::new(3, 2);
    project.set("shards.contents", 1);
    project.set("shards.styles", 1);
    fs::create_dir_all(project.path("out")).unwrap();
    let disk = MountedDisk::mount(&project.path("out")).unwrap();
    let _ = project.run().exits(0);
    let (steps, whole, files) = (disk.steps(), Ending::of(&project), disk.files());
    disk.erase();

    let mut cuts = 0;
    while cuts < CUTS {
        // What the last call was about need not be safe yet.
        let mut most_lost = 1;
        let mut has_ended = false;
        if chance.random_range(0..2) == 0 {
            // The program alone is killed, so that the next one finds what nobody has synced.
            has_ended = !run_until_stopped(&project, &disk, chance.random_range(0..steps));
            disk.go_on();
            most_lost += 1;
        }
        let moment = chance.random_range(0..steps);
        has_ended = has_ended || !run_until_stopped(&project, &disk, moment);
        if has_ended {
            assert_eq!(Ending::of(&project), whole);
            disk.erase();
            continue;
        }
        let before = disk.files();
        let is_all_lost = cuts % 2 == 0;
        disk.cut_power(&mut |of| match is_all_lost {
            true => 0,
            false => chance.random_range(0..of),
        });
        let left = disk.files();
        println!(
            "cut after {moment} of {steps} steps: {} of {} files are left",
            left.len(),
            before.len()
        );
        check_what_is_left(&before, &left, &files, most_lost);
        cuts += 1;
    }
    let _ = project.run().exits(0);
    assert_eq!(Ending::of(&project), whole);
}

/// Runs the program until the disk stops after some steps, and kills it then; returns false if it ended before, as one that
/// is not disturbed.
fn run_until_stopped(project: &Project, disk: &MountedDisk, steps: usize) -> bool {
    disk.stop_after(steps);
    let mut running = Running::start(&mut project.run_command());
    let has_stopped = running.wait_until(|| disk.has_stopped()) || disk.has_stopped();
    if has_stopped {
        running.kill();
    } else {
        disk.go_on();
        let _ = running.end().exits(0);
    }
    has_stopped
}

/// Proves that nothing is half there, that no commit speaks of what is lost, and that little is lost: a run makes one object
/// after the other, so all but the last had been acknowledged.
fn check_what_is_left(before: &Files, left: &Files, whole: &Files, most_lost: usize) {
    let lost: Vec<&String> = before
        .keys()
        .filter(|path| is_written_once(path) && !left.contains_key(*path))
        .collect();
    assert!(lost.len() <= most_lost, "lost: {lost:?}");
    let of_run = |folder: &str| format!("runs/{RUN}/{folder}/");
    for (path, bytes) in left {
        let pictures = ["images", "labels"].map(of_run);
        if pictures.iter().any(|folder| path.starts_with(folder)) {
            assert!(whole[path] == *bytes, "{path} has other bytes");
        }
        if path.starts_with(&of_run("shards")) {
            check_commit(path, bytes, left);
        }
    }
}

/// Proves that all is there that a commit speaks of.
fn check_commit(path: &str, bytes: &[u8], left: &Files) {
    let rows = manifest::read(Bytes::copy_from_slice(bytes));
    let rows = rows.unwrap_or_else(|error| panic!("{path} is half there: {error}"));
    for row in rows {
        let output = row.output.unwrap();
        for (key, sha256) in [
            (output.image_key, output.image_sha256),
            (output.label_key, output.label_sha256),
        ] {
            let there = left.get(&key).map(|bytes| digest::sha256(bytes));
            assert_eq!(there, Some(sha256), "{path} speaks of {key}");
        }
    }
}

fn is_written_once(path: &str) -> bool {
    let run = || RUN.parse().unwrap();
    let rebuildable = [
        ArtifactKey::Manifest(run()),
        ArtifactKey::Report(run()),
        ArtifactKey::Tally(run()),
        ArtifactKey::ContactSheet(run()),
    ];
    path.starts_with(&format!("runs/{RUN}/"))
        && !path.starts_with(&format!("runs/{RUN}/fid/"))
        && !path.starts_with(&format!("runs/{RUN}/making/"))
        && rebuildable.iter().all(|key| key.path() != path)
}

/// A run on a disk, with an engine that takes no time.
struct Fixture {
    storage: Arc<dyn Storage>,
    run: FrozenRun,
}

impl Fixture {
    fn new(storage: impl Storage + 'static, contents: &[&str]) -> Self {
        let contents: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let one = ShardSize {
            contents: 1,
            styles: 1,
        };
        let styles = ["night", "snow"].map(str::to_owned);
        Self {
            storage: Arc::new(storage),
            run: planned::run("powered", &contents, &styles, one),
        }
    }

    async fn store(&self) {
        planned::store(self.storage.as_ref(), &self.run).await;
    }

    /// Makes what is open, as `synth2real run` does.
    async fn go(&self, engine: &Arc<FakeEngine>) {
        let stopped = fake_engine::make(&self.storage, &self.run, engine).await;
        assert_eq!(stopped, Stopped::AtItsEnd);
    }

    /// Stores counts, manifest, report and contact sheet, as `synth2real run` does.
    async fn conclude(&self) {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let ledger = self.ledger().await;
        let tally = collect::store_tally_anew(storage, run, &ledger).await;
        let is_complete = Standing::of(run, &ledger, &tally.unwrap())
            .fate()
            .is_complete();
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let sheet = ArtifactKey::ContactSheet(run.record.run.clone());
        let picture = Bytes::from(fake_engine::image("contact", "sheet"));
        storage.replace(&sheet, picture).await.unwrap();
        let published = report::publish(storage, run, collected, is_complete).await;
        published.unwrap();
    }

    /// Has quarantined items tried again, and notes an attempt that failed.
    async fn decide(&self) {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let mut ledger = self.ledger().await;
        let choice = Choice {
            only: Some(Only::Quarantined(Quarantined::default())),
            ..Choice::default()
        };
        let redo = resume::find(storage, run, &ledger, &choice).await.unwrap();
        assert!(!redo.is_empty());
        let decided = resume::decide(storage, run, &mut ledger, &redo, Vec::new()).await;
        decided.unwrap();
        let key = ArtifactKey::FailedAttempt(run.record.run.clone(), ShardId(0), 1);
        let attempt = FailedAttempt {
            attempt: 1,
            error_class: FailureClass::Transient,
            error: "the network was away".to_owned(),
            worker: "here".to_owned(),
            failed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let attempt = Bytes::from(attempt.to_json(&key));
        storage.create(&key, attempt).await.unwrap();
    }

    async fn ledger(&self) -> Ledger {
        let ledger = Ledger::read(self.storage.as_ref(), &self.run).await;
        ledger.unwrap()
    }

    /// Proves that what is stored can be read, and that the commits that were acknowledged are counted.
    async fn check_readable(&self, acknowledged: &Files) {
        let (storage, id) = (self.storage.as_ref(), &self.run.record.run);
        let opened = freeze::open(storage, id).await.unwrap();
        let ledger = Ledger::read(storage, &opened).await.unwrap();
        let mut tally = Tally::stored(storage, id).await.unwrap();
        tally.update_whole(storage, &opened, &ledger).await.unwrap();
        for shard in &self.run.plan.shards {
            let key = ArtifactKey::Shard(id.clone(), shard.id);
            if acknowledged.contains_key(&key.path()) {
                assert!(ledger.committed.contains(&shard.id), "{key} is lost");
            }
        }
    }

    /// Proves that the run goes on to a whole end.
    async fn check_goes_on(&self) {
        self.store().await;
        let engine = FakeEngine::new(Duration::ZERO);
        engine.mend();
        self.go(&engine).await;
        self.conclude().await;
        let report = audit::audit(self.storage.as_ref(), &self.run).await;
        assert_eq!(report.unwrap().findings, [""; 0]);
    }
}

/// Returns a run and every step of its storage: pictures, commits, decisions, revisions, attempts, counts, manifest, report.
async fn recorded() -> (FrozenRun, Vec<Record>) {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path());
    let fixture = Fixture::new(recorder.storage(), &["a", "bad-b"]);
    fixture.store().await;
    let engine = FakeEngine::new(Duration::ZERO);
    fixture.go(&engine).await;
    fixture.conclude().await;
    fixture.decide().await;
    engine.mend();
    fixture.go(&engine).await;
    fixture.conclude().await;
    (fixture.run, recorder.records())
}

/// Returns everything that each object ever was, in order.
fn versions(records: &[Record]) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut versions: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for record in records {
        if let Record::Renamed { to, bytes, .. } = record {
            let path = to.to_string_lossy().into_owned();
            versions.entry(path).or_default().push(bytes.clone());
        }
    }
    versions
}

/// Proves that every object that is left is one that was written, and that those which were acknowledged are left, or later
/// ones in their place.
fn check_whole(left: &Files, acknowledged: &Files, versions: &BTreeMap<String, Vec<Vec<u8>>>) {
    let objects = || {
        let files = left.iter();
        files.filter(|(path, _)| path.starts_with("runs/"))
    };
    for (path, bytes) in objects() {
        assert!(versions[path].contains(bytes), "{path} is half there");
    }
    for (path, bytes) in acknowledged {
        let there = left.get(path);
        let there = there.unwrap_or_else(|| panic!("{path} is lost"));
        let of_path = &versions[path];
        let last = of_path.iter().rposition(|version| version == there);
        let first = of_path.iter().position(|version| version == bytes);
        assert!(last >= first, "{path} is an older one");
    }
}

#[tokio::test]
async fn whatever_survives_a_cut_after_any_step_nothing_is_missing_or_half_there_and_the_run_goes_on()
 {
    let mut chance = chance();
    let (run, records) = recorded().await;
    let versions = versions(&records);
    let record_path = ArtifactKey::RunRecord(run.record.run.clone()).path();
    let (mut disk, mut acknowledged) = (Disk::default(), Files::new());
    for (step, record) in records.iter().enumerate() {
        record.happen(&mut disk);
        if let Record::Acknowledged(path, bytes) = record {
            acknowledged.insert(path.clone(), bytes.clone());
        }
        for is_all_lost in [true, false] {
            let left = disk.after_cut(&mut |of| match is_all_lost {
                true => 0,
                false => chance.random_range(0..of),
            });
            println!("after step {step}, everything lost: {is_all_lost}");
            check_whole(&left.files(), &acknowledged, &versions);
            let folder = tempfile::tempdir().unwrap();
            left.copy_to(folder.path());
            let fixture = Fixture {
                storage: Arc::new(LocalStorage::new(folder.path())),
                run: run.clone(),
            };
            if acknowledged.contains_key(&record_path) {
                fixture.check_readable(&acknowledged).await;
            }
            if chance.random_range(0..12) == 0 {
                fixture.check_goes_on().await;
            }
        }
    }
    assert!(records.len() > 80, "only {} steps", records.len());
}

/// Returns the place of the first record that is so.
fn place_of(records: &[Record], is_so: impl Fn(&Record) -> bool) -> usize {
    let place = records.iter().position(is_so);
    place.unwrap_or_else(|| panic!("it never happens: {records:?}"))
}

/// Returns when a folder was synced.
fn synced(records: &[Record], folder: &Path) -> usize {
    place_of(
        records,
        |record| matches!(record, Record::NamesSynced(path, _) if path == folder),
    )
}

/// Returns when an object got its name.
fn named(records: &[Record], key: &ArtifactKey) -> usize {
    let object = PathBuf::from(key.path());
    place_of(
        records,
        |record| matches!(record, Record::Renamed { to, .. } if *to == object),
    )
}

#[tokio::test]
async fn an_image_that_a_killed_process_left_survives_before_a_commit_speaks_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path());
    let fixture = Fixture::new(recorder.storage(), &["a"]);
    fixture.store().await;
    let image = Path::new("runs/powered/images/night/a.png");
    let file = folder.path().join(image);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let picture = fake_engine::image("a", "night");
    fs::write(&file, &picture).unwrap();
    let record = &fixture.run.record;
    let item = ItemId {
        style: "night".to_owned(),
        content: "a".to_owned(),
    };
    let made = MadeImage {
        sha256: digest::sha256(&picture),
        content: ContentDigests {
            image_sha256: digest::sha256(b"a"),
            label_sha256: digest::sha256(&fake_engine::image("a", "label")),
        },
    };
    let mut noted = Making::nothing(&record.plan_hash);
    assert!(noted.add(item, made));
    let key = ArtifactKey::Making(record.run.clone(), ShardId(0));
    let note = Bytes::from(noted.to_json(&key));
    let other = LocalStorage::new(folder.path());
    other.replace(&key, note).await.unwrap();
    fixture.go(&FakeEngine::new(Duration::ZERO)).await;

    let records = recorder.records();
    let committed = named(
        &records,
        &ArtifactKey::Shard("powered".parse().unwrap(), ShardId(0)),
    );
    for above in image.ancestors().skip(1) {
        let synced = synced(&records, above);
        assert!(synced < committed, "{} at {synced}", above.display());
    }
}

#[tokio::test]
async fn commits_that_a_killed_process_left_survive_before_a_manifest_speaks_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let other = Fixture::new(LocalStorage::new(folder.path()), &["a"]);
    other.store().await;
    other.go(&FakeEngine::new(Duration::ZERO)).await;

    let recorder = Recorder::new(folder.path());
    let fixture = Fixture::new(recorder.storage(), &["a"]);
    fixture.conclude().await;
    let records = recorder.records();
    let collected = named(&records, &ArtifactKey::Manifest("powered".parse().unwrap()));
    assert!(synced(&records, Path::new("runs/powered/shards")) < collected);
}
