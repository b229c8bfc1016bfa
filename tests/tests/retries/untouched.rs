//! What a retry leaves alone: other shards, other items, and every file that is written once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use coordinator::run::ledger::ShardState;
use coordinator::run::redo::Why;
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use shared::ids::ShardId;
use shared::manifest::Status;
use shared::storage::LocalStorage;

use super::fixture::{FIRST, Fixture, SHARD, numbers};

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
