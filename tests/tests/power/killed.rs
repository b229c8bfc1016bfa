//! What a killed process left without a sync survives before anything speaks of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::ids::{ItemId, ShardId};
use shared::making::{ContentDigests, MadeImage, Making};
use shared::storage::{LocalStorage, Storage};
use tests::fake_engine::{self, FakeEngine};
use tests::power::Recorder;
use tests::power::recorder::Record;

use super::fixture::Fixture;

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
            label_sha256: digest::sha256(&fake_engine::label("a")),
        },
        prior_sha256: None,
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
