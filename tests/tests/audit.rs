//! What an audit proves: that whatever is changed below the folder of a finished run is found.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordinator::output::quality::reference::{self, ReferenceStatistics};
use coordinator::output::quality::statistics::FeatureStatistics;
use coordinator::output::report::RunReport;
use coordinator::output::{audit, collect, report};
use coordinator::run::freeze::{self, FrozenRun};
use coordinator::run::ledger::Ledger;
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::{Value, json};
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::{FailedAttempt, FailureClass, chain};
use shared::ids::ShardId;
use shared::item_metric::ItemMetric;
use shared::manifest::{self, ManifestRow};
use shared::seal;
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use tempfile::TempDir;
use tests::fake_engine::{self, FakeEngine};
use tests::program::{Outcome, synth2real};
use tests::project::Project;
use tests::{planned, stored};

const CHANGES: usize = 1000;

/// A finished run of six items in two shards on a disk: with a decision, a revision of each shard, a failed attempt, a
/// manifest, a report, statistics, counts and a contact sheet.
struct Finished {
    folder: TempDir,
    storage: Arc<dyn Storage>,
    run: FrozenRun,
}

impl Finished {
    async fn run() -> Self {
        let finished = Self::made().await;
        finished.conclude().await;
        finished
    }

    /// A run of which everything is made, and nothing of that yet: neither manifest nor report, counts or contact sheet.
    async fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(folder.path()));
        let contents = ["a", "b", "bad"].map(str::to_owned);
        let styles = ["night", "snow"].map(str::to_owned);
        let size = ShardSize {
            contents: 3,
            styles: 1,
        };
        let run = planned::run("audited", &contents, &styles, size);
        planned::store(storage.as_ref(), &run).await;
        let finished = Self {
            folder,
            storage,
            run,
        };
        let engine = FakeEngine::new(Duration::ZERO);
        finished.go(&engine).await;
        engine.mend();
        let mut ledger = finished.ledger().await;
        let choice = Choice {
            only: Some(Only::Quarantined(Quarantined::default())),
            ..Choice::default()
        };
        let (storage, run) = (finished.storage.as_ref(), &finished.run);
        let redo = resume::find(storage, run, &ledger, &choice).await.unwrap();
        resume::decide(storage, run, &mut ledger, &redo, Vec::new())
            .await
            .unwrap();
        finished.go(&engine).await;
        let key = ArtifactKey::FailedAttempt(finished.run.record.run.clone(), ShardId(0), 1);
        let attempt = FailedAttempt {
            attempt: 1,
            error_class: FailureClass::Transient,
            error: "the network was away".to_owned(),
            worker: "here".to_owned(),
            failed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let attempt = Bytes::from(attempt.to_json(&key));
        finished.storage.create(&key, attempt).await.unwrap();
        finished
    }

    /// Makes what is open, as `synth2real run` does.
    async fn go(&self, engine: &Arc<FakeEngine>) {
        let stopped = fake_engine::make(&self.storage, &self.run, engine).await;
        assert_eq!(stopped, Stopped::AtItsEnd);
    }

    async fn conclude(&self) {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let ledger = self.ledger().await;
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let sheet = ArtifactKey::ContactSheet(run.record.run.clone());
        let picture = Bytes::from(fake_engine::image("contact", "sheet"));
        storage.replace(&sheet, picture).await.unwrap();
        report::publish(storage, run, collected, true)
            .await
            .unwrap();
        collect::store_tally(storage, run, &ledger).await.unwrap();
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    /// Returns what an audit finds, as `synth2real audit` does it: why the run cannot be opened, or the findings.
    async fn findings(&self) -> Vec<String> {
        let storage = self.storage.as_ref();
        let run = match freeze::open(storage, &self.run.record.run).await {
            Ok(run) => run,
            Err(error) => return vec![chain(&error)],
        };
        match audit::audit(storage, &run).await {
            Ok(report) => report.findings,
            Err(error) => vec![chain(&error)],
        }
    }

    async fn finds(&self, words: &[&str]) {
        let findings = self.findings().await;
        for word in words {
            let told = findings.iter().any(|finding| finding.contains(word));
            assert!(told, "no {word:?}: {findings:#?}");
        }
    }

    /// Returns what an audit notes of a run in which it finds nothing.
    async fn notes(&self) -> Vec<String> {
        let audited = audit::audit(self.storage.as_ref(), &self.run).await;
        let audited = audited.unwrap();
        assert_eq!(audited.findings, [""; 0]);
        audited.notes
    }

    async fn report(&self) -> RunReport {
        let stored = RunReport::stored(self.storage.as_ref(), &self.run.record.run).await;
        stored.unwrap().unwrap()
    }

    /// Stores a report as somebody does who seals it anew.
    async fn put_report(&self, report: &RunReport) {
        report.store(self.storage.as_ref()).await.unwrap();
    }

    /// Returns a path in the run's folder.
    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join("runs/audited").join(relative)
    }

    fn paths(&self) -> Vec<String> {
        stored::paths(&self.path(""))
    }

    fn shard_rows(&self) -> Vec<ManifestRow> {
        let bytes = fs::read(self.path("shards/000000.parquet")).unwrap();
        manifest::read_with_features(bytes.into()).unwrap()
    }
}

/// Returns the pointers to the values of a document that are no lists and no maps.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(value, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (position, value) in values.iter().enumerate() {
                leaves(value, &format!("{pointer}/{position}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push(pointer.to_owned());
        }
    }
}

/// Returns a document with one of its values edited, and which.
fn edited(bytes: &[u8], chance: &mut ChaCha12Rng) -> (Vec<u8>, String) {
    let mut document: Value = serde_json::from_slice(bytes).unwrap();
    let mut found = Vec::new();
    leaves(&document, "", &mut found);
    let pointer = found.swap_remove(chance.random_range(0..found.len()));
    let value = document.pointer_mut(&pointer).unwrap();
    *value = match value {
        Value::Null => Value::from(1),
        Value::Bool(is) => Value::from(!*is),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => Value::from(whole ^ (1 << chance.random_range(0..20))),
            None => Value::from(number.as_f64().unwrap() + 0.5),
        },
        Value::String(text) => Value::from(format!("{text}0")),
        Value::Array(_) | Value::Object(_) => unreachable!("only leaves are edited"),
    };
    (serde_json::to_vec_pretty(&document).unwrap(), pointer)
}

/// Returns whether two files say the same in every field.
fn means_the_same(path: &str, one: &[u8], other: &[u8]) -> bool {
    if path.ends_with(".parquet") {
        let read = |bytes: &[u8]| manifest::read_with_features(Bytes::copy_from_slice(bytes)).ok();
        return read(one).is_some() && read(one) == read(other);
    }
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    path.ends_with(".json") && read(one).is_some() && read(one) == read(other)
}

#[tokio::test]
async fn of_a_thousand_changes_below_a_finished_run_an_audit_finds_a_thousand() {
    let seed = std::env::var("SYNTH2REAL_TEST_SEED").ok();
    let seed = seed.map_or(16, |seed| seed.parse().unwrap());
    println!("seed {seed}: SYNTH2REAL_TEST_SEED={seed} makes the same changes");
    let mut chance = ChaCha12Rng::seed_from_u64(seed);
    let finished = Finished::run().await;
    assert_eq!(finished.findings().await, [""; 0]);
    let report = audit::audit(finished.storage.as_ref(), &finished.run).await;
    let report = report.unwrap();
    assert_eq!(report.counts.done, 6);
    assert_eq!(report.notes, [""; 0]);
    let paths = finished.paths();
    for kind in [
        "decisions/",
        "attempts/",
        "fid/",
        "manifest",
        "tally",
        "shards/000001.1",
    ] {
        assert!(
            paths.iter().any(|path| path.starts_with(kind)),
            "{kind}: {paths:?}"
        );
    }
    let documents: Vec<&String> = paths
        .iter()
        .filter(|path| path.ends_with(".json"))
        .collect();
    let mut without_meaning = 0;
    for number in 0..CHANGES {
        let path = &paths[chance.random_range(0..paths.len())];
        let file = finished.path(path);
        let bytes = fs::read(&file).unwrap();
        let at = chance.random_range(0..bytes.len());
        let mut changed = bytes.clone();
        let mut restore = vec![(path, bytes.clone())];
        let what = match number % 4 {
            0 => {
                let bit = chance.random_range(0..8);
                changed[at] ^= 1 << bit;
                fs::write(&file, &changed).unwrap();
                format!("bit {bit} of byte {at} of {path} flipped")
            }
            1 => {
                changed.remove(at);
                fs::write(&file, &changed).unwrap();
                format!("byte {at} of {path} removed")
            }
            2 => {
                let other = &paths[chance.random_range(0..paths.len())];
                let others = fs::read(finished.path(other)).unwrap();
                if others == bytes {
                    continue;
                }
                fs::write(&file, &others).unwrap();
                fs::write(finished.path(other), &bytes).unwrap();
                changed.clone_from(&others);
                restore.push((other, others));
                format!("{path} and {other} swapped")
            }
            _ => {
                let path = documents[chance.random_range(0..documents.len())];
                let bytes = fs::read(finished.path(path)).unwrap();
                let (document, pointer) = edited(&bytes, &mut chance);
                fs::write(finished.path(path), &document).unwrap();
                changed = document;
                restore = vec![(path, bytes)];
                format!("{pointer} of {path} edited")
            }
        };
        if finished.findings().await.is_empty() {
            let (path, bytes) = &restore[0];
            assert!(
                means_the_same(path, bytes, &changed),
                "change {number}: {what}"
            );
            println!("without meaning: {what}");
            without_meaning += 1;
        }
        for (path, bytes) in restore {
            fs::write(finished.path(path), bytes).unwrap();
        }
    }
    println!("{without_meaning} changes were without meaning");
    assert_eq!(finished.findings().await, [""; 0]);
}

#[tokio::test]
async fn rows_that_are_not_those_of_the_run_are_findings() {
    let finished = Finished::run().await;
    let path = finished.path("shards/000000.parquet");
    let whole = fs::read(&path).unwrap();
    type Change = fn(&mut ManifestRow);
    let changes: [(Change, &str); 10] = [
        (|row| row.seed = 43, "seed \"43\", expected \"42\""),
        (
            |row| row.config_hash = "other".into(),
            "config_hash \"other\"",
        ),
        (
            |row| row.model_sha256 = "other".into(),
            "model_sha256 \"other\"",
        ),
        (
            |row| row.output.as_mut().unwrap().image_key = "../../../etc/passwd".into(),
            "image_key \"../../../etc/passwd\", expected \"runs/audited/images/night/a.png\"",
        ),
        (
            |row| row.output.as_mut().unwrap().label_key = "/etc/shadow".into(),
            "label_key \"/etc/shadow\"",
        ),
        (
            |row| row.output.as_mut().unwrap().width = 16,
            "width \"16\", expected \"8\"",
        ),
        (
            |row| row.output.as_mut().unwrap().height = 8,
            "height \"8\", expected \"4\"",
        ),
        (
            |row| row.quality.as_mut().unwrap().figures[ItemMetric::Ssim] = Some(1.5),
            "ssim \"1.5\"",
        ),
        (|row| row.run = "other".parse().unwrap(), "of run other"),
        (
            |row| row.content_sha256 = Some("other".into()),
            "content a: rows disagree about the SHA-256 of its image file",
        ),
    ];
    for (change, words) in changes {
        let mut rows = finished.shard_rows();
        change(&mut rows[0]);
        fs::write(&path, manifest::write(rows).unwrap()).unwrap();
        finished.finds(&[words]).await;
        fs::write(&path, &whole).unwrap();
    }
    // As somebody writes it who seals it anew: the manifest has other rows, and the counts are others.
    let mut rows = finished.shard_rows();
    rows[0].quality.as_mut().unwrap().features = Some(vec![1.0, 2.0, 3.0]);
    rows[0].warning = Some("odd".to_owned());
    fs::write(&path, manifest::write(rows).unwrap()).unwrap();
    finished
        .finds(&[
            "manifest.parquet has other rows",
            "fid/night.npz has other means",
        ])
        .await;
}

#[tokio::test]
async fn what_is_made_from_the_shards_is_compared_with_them_and_what_is_not_known_is_named() {
    let finished = Finished::run().await;
    // Counts that somebody sealed anew.
    let key = ArtifactKey::Tally(finished.run.record.run.clone());
    let tally = finished.path("tally.json");
    let whole = fs::read(&tally).unwrap();
    let json = seal::open(&whole, &key).json.into_owned();
    let json = String::from_utf8(json).unwrap();
    let changed = json.replacen("\"done\":3", "\"done\":7", 1);
    assert_ne!(changed, json);
    fs::write(&tally, seal::seal(changed.as_bytes(), &key)).unwrap();
    finished
        .finds(&[
            "tally.json counts shard 000000 otherwise",
            "tally.json cannot be right about shard 000000: 7 done",
        ])
        .await;
    // Counts of a run that had this name.
    let mut another: Value = serde_json::from_str(&json).unwrap();
    another["plan_hash"] = Value::from("0".repeat(64));
    let another = serde_json::to_vec(&another).unwrap();
    fs::write(&tally, seal::seal(&another, &key)).unwrap();
    finished
        .finds(&["tally.json counts the shards of another plan"])
        .await;
    fs::write(&tally, whole).unwrap();

    for stray in [
        "notes.txt",
        "labels/z.png",
        "images/night/z.png",
        "fid/dawn.npz",
        "attempts/000009/1.json",
        "attempts/000000/01.json",
        "attempts/000000/4294967295.json",
        "decisions/000007.json",
        "plan-0.json",
        "priors/night.png",
    ] {
        let file = finished.path(stray);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, b"{}").unwrap();
        finished.finds(&[stray, "belongs to no"]).await;
        fs::remove_file(file).unwrap();
    }
    // People may put the page of a report there.
    fs::write(finished.path("page.html"), b"<!doctype html>").unwrap();
    assert_eq!(finished.findings().await, [""; 0]);
    let audited = audit::audit(finished.storage.as_ref(), &finished.run).await;
    let notes = audited.unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("page.html")),
        "{notes:?}"
    );
}

/// Whoever can write into the storage root can seal what is no record of ours.
#[tokio::test]
async fn decisions_and_attempts_that_cannot_be_of_the_run_are_findings() {
    let finished = Finished::run().await;
    let id = &finished.run.record.run;
    let resume = |field: &str, value: Value| {
        let mut what = json!({"kind": "resume", "reopened": [], "forgiven": 0});
        what[field] = value;
        what
    };
    let outside = json!([{
        "role": "content",
        "listing": {"name": "a", "image": {"path": "../x", "size_bytes": 1}, "label": null},
    }]);
    let retry =
        |revision: u32| json!([{"shard": 0, "revision": revision, "items": {"dawn": ["a"]}}]);
    let cases = [
        (
            json!({"kind": "halt", "reason": "x".repeat(1 << 20)}),
            "it has 1048576 bytes",
        ),
        (
            resume("reopened", json!([{"shard": u32::MAX, "last_attempt": 1}])),
            "names shard 4294967295",
        ),
        (resume("changed_inputs", outside), "../x"),
        (resume("retried", retry(2)), "a in the style of dawn"),
        (resume("retried", retry(4)), "revision 4 of shard 000000"),
    ];
    let key = ArtifactKey::Decision(id.clone(), 2);
    let path = finished.path("decisions/000002.json");
    for (what, words) in cases {
        let decision = json!({"what": what, "at": "2026-01-02T03:04:05Z"});
        fs::write(&path, seal::document(&decision, &key)).unwrap();
        finished.finds(&["decisions/000002.json", words]).await;
        let storage = finished.storage.as_ref();
        let audited = audit::audit(storage, &finished.run).await.unwrap();
        assert_eq!(audited.findings.len(), 1, "{:?}", audited.findings);
        assert!(audited.findings[0].len() < 1000, "{:?}", audited.findings);
        fs::remove_file(&path).unwrap();
    }
    for (number, words) in [
        (7, "attempts/000001/2.json before it is not"),
        (u32::MAX, "belongs to no run"),
    ] {
        let key = ArtifactKey::FailedAttempt(id.clone(), ShardId(1), number);
        let attempt = FailedAttempt {
            attempt: number,
            error_class: FailureClass::Transient,
            error: "the network was away".to_owned(),
            worker: "here".to_owned(),
            failed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let path = finished.path(&format!("attempts/000001/{number}.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, attempt.to_json(&key)).unwrap();
        let name = format!("attempts/000001/{number}.json");
        finished.finds(&[&name, words]).await;
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(finished.findings().await, [""; 0]);
}

/// A few hundred bytes of positions may mean more items than there is memory.
#[tokio::test]
async fn a_plan_of_more_items_than_its_record_freezes_is_refused_before_anything_is_made_of_it() {
    let finished = Finished::made().await;
    let mut plan = finished.run.plan.clone();
    plan.shards.truncate(1);
    plan.shards[0].contents = vec![0; 30_000];
    plan.shards[0].styles = vec![0; 30_000];
    let bytes = serde_json::to_vec(&plan).unwrap();
    let mut record = finished.run.record.clone();
    record.frozen.plan_sha256 = digest::sha256(&bytes);
    record.frozen.num_items = 900_000_000;
    record.frozen.num_shards = 1;
    record.plan_hash = digest::sha256_of_json(&record.frozen);
    fs::write(finished.path("run.json"), record.to_json()).unwrap();
    let name = format!("plan-{}.json", record.frozen.plan_sha256);
    fs::write(finished.path(&name), bytes).unwrap();
    for command in ["status", "audit", "report", "resume"] {
        let mut program = synth2real();
        program.args([command, "audited", "--root"]);
        let outcome = Outcome::of(program.arg(finished.folder.path())).exits(3);
        let told = outcome.complaint();
        let words = "shard 000000 has 30000 contents and 30000 styles";
        for words in [name.as_str(), words] {
            assert!(told.contains(words), "{command}: {outcome}");
        }
    }
}

#[tokio::test]
async fn a_report_that_was_asked_for_is_no_word_of_a_manifest_and_takes_back_none() {
    let finished = Finished::made().await;
    let (storage, run) = (finished.storage.as_ref(), &finished.run.record.run);
    let ask = || {
        let mut command = synth2real();
        command.args(["report", run.as_str(), "--root"]);
        let _ = Outcome::of(command.arg(finished.folder.path())).exits(0);
    };
    let stored = async || RunReport::stored(storage, run).await.unwrap().unwrap();
    ask();
    assert!(stored().await.complete);
    assert_eq!(stored().await.mark, None);
    assert_eq!(finished.findings().await, [""; 0]);

    finished.conclude().await;
    let written = stored().await;
    assert!(written.mark.is_some());
    // One that says less than there is to say is made anew.
    let early = RunReport {
        complete: false,
        ..written.clone()
    };
    early.store(storage).await.unwrap();
    ask();
    assert!(stored().await.complete);
    assert_eq!(stored().await.mark, written.mark);
    fs::remove_file(finished.path("manifest.parquet")).unwrap();
    finished.finds(&["manifest.parquet is missing"]).await;
}

#[tokio::test]
async fn a_report_of_another_run_of_this_name_and_figures_that_were_invented_are_found() {
    let finished = Finished::run().await;
    let whole = finished.report().await;
    type Change = fn(&mut RunReport);
    let changes: [(Change, &str); 8] = [
        (
            |report| report.plan_hash = Some("0".repeat(64)),
            "report.json is about a run of this name with another plan",
        ),
        (
            |report| report.mark.as_mut().unwrap().bytes += 1,
            "report.json was made of 4 files of shards",
        ),
        (
            |report| report.mark.as_mut().unwrap().failed_attempts += 1,
            "records of failed attempts are gone",
        ),
        (
            |report| report.styles[0].figures[ItemMetric::Ssim] = Some(0.99),
            "SSIM of night is 0.990000",
        ),
        (
            |report| report.styles[1].figures[ItemMetric::Lpips] = Some(0.1),
            "LPIPS of snow is 0.100000, and the rows give -",
        ),
        (
            |report| report.styles[0].fid = Some(1.0),
            "FID or KID of night is there, and no reference of it",
        ),
        (
            |report| report.cost.seconds_per_image = Some(1e6),
            "its seconds an image is 1000000",
        ),
        (|report| report.items = 7, "its number of items is 7"),
    ];
    for (change, words) in changes {
        let mut changed = whole.clone();
        change(&mut changed);
        finished.put_report(&changed).await;
        finished.finds(&[words]).await;
        assert_eq!(finished.findings().await.len(), 1, "{words}");
    }
    finished.put_report(&whole).await;
    assert_eq!(finished.notes().await, [""; 0]);
}

#[tokio::test]
async fn a_report_of_an_earlier_program_is_noted_and_its_figures_are_compared() {
    let finished = Finished::run().await;
    let old = RunReport {
        plan_hash: None,
        contact_sheet_sha256: None,
        ..finished.report().await
    };
    finished.put_report(&old).await;
    let notes = finished.notes().await;
    for words in [
        "does not say which plan it is about",
        "tells no digest of runs/audited/contact-sheet.png",
    ] {
        let is_noted = notes.iter().any(|note| note.contains(words));
        assert!(is_noted, "no {words:?}: {notes:?}");
    }
    let mut invented = old.clone();
    invented.styles[0].figures[ItemMetric::Ssim] = Some(0.99);
    finished.put_report(&invented).await;
    finished.finds(&["SSIM of night is 0.990000"]).await;
}

#[tokio::test]
async fn another_contact_sheet_and_statistics_of_other_features_are_found() {
    let finished = Finished::run().await;
    let sheet = finished.path("contact-sheet.png");
    let whole = fs::read(&sheet).unwrap();
    // A whole picture, as that of another run.
    fs::write(&sheet, fake_engine::image("another", "sheet")).unwrap();
    finished.finds(&["contact-sheet.png has SHA-256"]).await;
    fs::write(&sheet, whole).unwrap();

    let path = finished.path("fid/night.npz");
    let whole = fs::read(&path).unwrap();
    let file = ReferenceStatistics::read(&whole).unwrap();
    let items = file.items.unwrap();
    let write = |statistics: &FeatureStatistics, items, extractor: &str| {
        let bytes = reference::write(statistics, items, None, extractor).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    let mut wider = file.statistics.clone();
    for i in 0..wider.num_features() {
        for j in 0..wider.num_features() {
            wider.covariance[(i, j)] *= 4.0;
        }
    }
    write(&wider, items, "");
    finished
        .finds(&["fid/night.npz has other covariances"])
        .await;
    write(&file.statistics, items + 1, "");
    finished
        .finds(&["fid/night.npz is of 4 items, expected 3"])
        .await;
    write(&file.statistics, items, &"ab".repeat(32));
    finished
        .finds(&["fid/night.npz was made with another feature network"])
        .await;
    fs::write(&path, whole).unwrap();
    assert_eq!(finished.notes().await, [""; 0]);
}

#[tokio::test]
async fn what_was_written_with_the_report_and_is_gone_is_noted() {
    let finished = Finished::run().await;
    fs::remove_dir_all(finished.path("fid")).unwrap();
    fs::remove_file(finished.path("contact-sheet.png")).unwrap();
    let notes = finished.notes().await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    for words in ["fid/night.npz", "fid/snow.npz", "contact-sheet.png"] {
        assert!(notes[0].contains(words), "no {words:?}: {notes:?}");
    }
    // A folder in their place is more than that.
    fs::create_dir(finished.path("contact-sheet.png")).unwrap();
    finished.finds(&["contact-sheet.png cannot be read"]).await;

    // So are records that nothing makes anew.
    fs::remove_dir(finished.path("contact-sheet.png")).unwrap();
    fs::remove_file(finished.path("attempts/000000/1.json")).unwrap();
    finished
        .finds(&["records of failed attempts are gone"])
        .await;
}

#[tokio::test]
async fn a_link_below_the_run_is_a_finding_and_one_above_it_is_none() {
    let finished = Finished::run().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let link = |relative: &str| {
        let (from, to) = (finished.path(relative), elsewhere.path().join("moved"));
        fs::rename(&from, &to).unwrap();
        symlink(&to, &from).unwrap();
    };
    let unlink = |relative: &str| {
        fs::remove_file(finished.path(relative)).unwrap();
        fs::rename(elsewhere.path().join("moved"), finished.path(relative)).unwrap();
    };
    for relative in ["images/night", "labels/a.png", "shards/000000.parquet"] {
        link(relative);
        let expected = format!("runs/audited/{relative} is a link; what it leads to is not part");
        finished.finds(&[&expected]).await;
        assert_eq!(finished.findings().await.len(), 1);
        unlink(relative);
    }
    let root = elsewhere.path().join("root");
    symlink(finished.folder.path(), &root).unwrap();
    let audited = audit::audit(&LocalStorage::new(root), &finished.run).await;
    assert_eq!(audited.unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn records_of_earlier_programs_carry_no_digest_and_are_noted() {
    let finished = Finished::run().await;
    let record = serde_json::to_vec_pretty(&finished.run.record).unwrap();
    fs::write(finished.path("run.json"), record).unwrap();
    assert_eq!(finished.findings().await, [""; 0]);
    let audited = audit::audit(finished.storage.as_ref(), &finished.run).await;
    let notes = audited.unwrap().notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("1 records carry no digest")),
        "{notes:?}"
    );
}

#[test]
fn a_deep_audit_computes_figures_again_and_says_of_how_many_it_could() {
    let project = Project::new(2, 2);
    let _ = project.run().exits(0);
    let deep = ["audit", "--deep", "--seed", "7"];
    let audit = project.about_run(&deep).exits(0);
    for words in ["seed 7", "4 of 4 items computed again", "0 findings"] {
        assert!(audit.stdout.contains(words), "no {words:?}: {audit}");
    }
    let some = ["audit", "--deep", "--sample", "3"];
    let audit = project.about_run(&some).exits(0);
    assert!(
        audit.stdout.contains("3 of 3 items computed again"),
        "{audit}"
    );

    fs::remove_file(project.path("gta5/images/00002.png")).unwrap();
    let audit = project.about_run(&deep).exits(0);
    for words in ["2 of 4 items computed again", "could not be", "00002.png"] {
        assert!(audit.stdout.contains(words), "no {words:?}: {audit}");
    }
}
