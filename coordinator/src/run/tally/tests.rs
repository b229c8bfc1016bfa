//! Counts of shards, whatever order they are read in.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::ids::{ItemId, RunId};
use shared::manifest::{ManifestRow, Quality, RowOrigin};
use shared::platform::Platform;
use shared::storage::{MemoryStorage, Storage};
use shared::warning::WarningKind;

use super::*;

async fn stored(json: &str) -> Tally {
    let storage = MemoryStorage::new();
    let run: RunId = "demo".parse().unwrap();
    let key = ArtifactKey::Tally(run.clone());
    let bytes = Bytes::copy_from_slice(json.as_bytes());
    storage.replace(&key, bytes).await.unwrap();
    Tally::stored(&storage, &run).await.unwrap()
}

#[test]
fn a_thousand_reasons_are_ten_lines_and_a_count() {
    let reasons = (0..1000).map(|number| (format!("image {number}"), 1));
    let lines = reason_lines(&reasons.chain([("often".to_owned(), 7)]).collect());
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[0], "not converted (7): often");
    assert_eq!(
        lines[10],
        "not converted (991): 991 other reasons, in the manifest"
    );
}

#[test]
fn the_most_frequent_reasons_come_first() {
    let reasons = [("a", 1), ("b", 7), ("c", 7), ("d", 3)];
    let counts = Counts {
        reasons: reasons
            .map(|(text, number)| (text.to_owned(), number))
            .into(),
        ..Counts::default()
    };
    let frequent = counts.frequent_reasons();
    let texts: Vec<&str> = frequent.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["b", "c", "d", "a"]);
}

#[test]
fn warnings_are_counted_by_their_kinds() {
    let kinds = |kinds: &[(WarningKind, usize)]| Counts {
        warning_kinds: kinds.iter().copied().collect(),
        ..Counts::default()
    };
    let mut counts = kinds(&[(WarningKind::Greyscale, 1)]);
    counts.add(&kinds(&[
        (WarningKind::ConstantContent, 2),
        (WarningKind::Greyscale, 3),
    ]));
    let expected = kinds(&[
        (WarningKind::Greyscale, 4),
        (WarningKind::ConstantContent, 2),
    ]);
    assert_eq!(counts, expected);
    let json = serde_json::to_string(&counts).unwrap();
    assert!(json.contains(r#""constant-content":2"#), "{json}");
    assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), counts);
}

#[tokio::test]
async fn a_tally_of_another_version_is_counted_anew() {
    let first = r#"{"shards":{"0":{"done":2,"converted":2,"busy_ms":1.0,"unet_evaluations":4.0}}}"#;
    assert_eq!(stored(first).await, Tally::default());
    let mut tally = Tally::default();
    tally.shards.insert(ShardId(3), ShardTally::of(&[], 0));
    let json = serde_json::to_string(&tally).unwrap();
    let claimed = Tally {
        is_claimed: true,
        ..tally
    };
    assert_eq!(stored(&json).await, claimed);
    let later = json.replace("\"version\":6", "\"version\":7");
    assert_eq!(stored(&later).await, Tally::default());
}

#[test]
fn counts_at_their_limit_do_not_wrap() {
    let most = Counts {
        done: usize::MAX,
        quarantined: usize::MAX,
        failed: usize::MAX,
        warnings: usize::MAX,
        warning_kinds: BTreeMap::from([(WarningKind::Greyscale, usize::MAX)]),
        doubtful: usize::MAX,
        converted: usize::MAX,
        unmeasured: usize::MAX,
        reasons: BTreeMap::from([("a".to_owned(), usize::MAX)]),
        ..Counts::default()
    };
    let mut sum = most.clone();
    sum.add(&most);
    assert_eq!(sum, most);
    assert_eq!(sum.not_done(), usize::MAX);
    let reasons = (0..20).map(|number| (number.to_string(), usize::MAX));
    assert_eq!(reason_lines(&reasons.collect()).len(), 11);
}

/// Returns a row of an attempt that began and ended at these seconds.
fn row(attempt: u32, started: i64, finished: i64) -> ManifestRow {
    let at = |second| jiff::Timestamp::from_second(second).unwrap();
    let origin = RowOrigin {
        run: "demo".parse().unwrap(),
        shard: ShardId(0),
        attempt,
        worker: format!("worker-{attempt}"),
        device: "cpu".to_owned(),
        platform: Platform::default(),
        seed: 0,
        config_hash: String::new(),
        model_sha256: String::new(),
    };
    let item = ItemId {
        style: "night".to_owned(),
        content: started.to_string(),
    };
    ManifestRow::new(origin, item, (at(started), at(finished)))
}

#[test]
fn a_revision_by_a_worker_whose_clock_is_behind_is_still_the_newest() {
    let rows = [row(1, 1000, 1060), row(1, 1060, 1100), row(2, 10, 20)];
    let tally = ShardTally::of(&rows, 1);
    assert_eq!((tally.attempt, tally.worker.as_str()), (2, "worker-2"));
    let seconds = |at: Option<jiff::Timestamp>| at.unwrap().as_second();
    assert_eq!(seconds(tally.started_at), 1000);
    assert_eq!(seconds(tally.finished_at), 1100);
}

#[test]
fn doubtful_items_are_counted_by_style_and_are_not_stored_where_there_are_none() {
    let mut rows = [row(1, 1000, 1060), row(1, 1060, 1100), row(1, 1100, 1160)];
    rows[2].item.style = "snow".to_owned();
    let none = serde_json::to_string(&ShardTally::of(&rows, 0)).unwrap();
    assert!(!none.contains("doubtful"), "{none}");
    let read: ShardTally = serde_json::from_str(&none).unwrap();
    assert_eq!((read.counts.doubtful, read.doubtful.len()), (0, 0));
    for row in &mut rows {
        row.quality = Some(Quality {
            is_doubtful: row.started_at.as_second() > 1000,
            ..Quality::default()
        });
    }
    let tally = ShardTally::of(&rows, 0);
    let of = |style: &str| tally.doubtful.get(style).copied();
    assert_eq!((of("night"), of("snow")), (Some(1), Some(1)));
    let mut sum = tally.counts.clone();
    sum.add(&tally.counts);
    assert_eq!(sum.doubtful, 4);
    let line = doubtful_line(sum.doubtful).unwrap();
    assert!(
        line.starts_with("done with doubtful labels (4): "),
        "{line}"
    );
    assert_eq!(doubtful_line(0), None);
}
