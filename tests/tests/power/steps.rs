//! A cut after each step of storage in this process, and whatever survives it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coordinator::run::freeze::FrozenRun;
use rand::RngExt;
use shared::artifact::ArtifactKey;
use shared::storage::LocalStorage;
use tests::fake_engine::FakeEngine;
use tests::power::recorder::Record;
use tests::power::{Disk, Recorder};

use super::fixture::{Files, Fixture, chance};

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
