//! What an attempt stores of what was predicted for doubtful items, keeps of what is there, and makes again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use imaging::encode_train_ids;
use ndarray::Array2;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::FailureClass;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Predictions};
use shared::storage::Storage;
use worker::attempt::{Goal, ShardOutcome};

use crate::Fixture;
use crate::fakes::{FakeEngine, SIZE};

impl Fixture {
    /// Returns the digests of what was predicted for an item, as far as it is stored.
    async fn predictions(&self, row: &ManifestRow) -> [Option<String>; 2] {
        let run = &self.run.record.run;
        let of_output = ArtifactKey::OutputPrediction(run.clone(), row.item.clone());
        let of_content = ArtifactKey::ContentPrediction(run.clone(), row.item.clone());
        let mut found = [None, None];
        for (key, found) in [of_output, of_content].iter().zip(&mut found) {
            let bytes = self.storage.read(key).await.ok();
            *found = bytes.map(|bytes| digest::sha256(&bytes));
        }
        found
    }
}

/// Returns an engine that finds the outputs of a content doubtful.
fn doubting(content: &'static str) -> FakeEngine {
    FakeEngine {
        doubtful: vec![content],
        ..FakeEngine::default()
    }
}

#[tokio::test]
async fn predictions_are_stored_of_doubtful_items_alone_and_their_rows_have_the_digests() {
    let fixture = Fixture::of(&["a", "b"], &["night", "snow"]);
    let rows = fixture.rows_of(&Arc::new(doubting("a"))).await;
    for row in &rows {
        let quality = row.quality.as_ref().expect("the quality of an output");
        let stored = fixture.predictions(row).await;
        let is_a = row.item.content == "a";
        assert_eq!(quality.is_doubtful, is_a, "{:?}", row.item);
        assert_eq!(quality.agreement.is_some(), is_a, "{:?}", row.item);
        let told = quality.predictions.clone();
        let told = told.map(|told| [told.output_sha256, told.content_sha256]);
        let stored = is_a.then(|| stored.clone().map(|sha256| sha256.expect("a picture")));
        assert_eq!(told, stored, "{:?}", row.item);
        if !is_a {
            assert_eq!(fixture.predictions(row).await, [None, None]);
        }
    }
}

#[tokio::test]
async fn an_item_whose_image_is_found_has_its_predictions_before_its_row() {
    let fixture = Fixture::of(&["a", "b"], &["night"]);
    // The first attempt knows of no doubt, as if it had ended between image and predictions.
    let failing = Arc::new(FakeEngine {
        failing: vec!["b"],
        ..FakeEngine::default()
    });
    fixture.attempt(&failing).await.unwrap_err();
    let engine = Arc::new(doubting("a"));
    let rows = fixture.rows_of(&engine).await;
    assert_eq!(engine.conversions(), [("b".to_owned(), 1)]);
    let [of_output, of_content] = fixture.predictions(&rows[0]).await;
    let told = rows[0]
        .quality
        .as_ref()
        .and_then(|quality| quality.predictions.clone());
    let told = told.expect("what was predicted");
    assert_eq!(Some(told.output_sha256), of_output);
    assert_eq!(Some(told.content_sha256), of_content);
}

#[tokio::test]
async fn a_repair_stores_the_predictions_that_its_rows_speak_of_and_no_others() {
    let first = Fixture::of(&["a"], &["night"]);
    let rows = first.rows_of(&Arc::new(doubting("a"))).await;
    let goal = Goal::Repair { rows: rows.clone() };
    let go_on = AtomicBool::new(false);

    let again = Fixture::of(&["a"], &["night"]);
    let engine = Arc::new(doubting("a"));
    let outcome = again.attempt_at(&goal, &engine, &go_on).await;
    assert!(matches!(outcome, Ok(ShardOutcome::Committed(_))));
    assert_eq!(
        again.predictions(&rows[0]).await,
        first.predictions(&rows[0]).await
    );

    let other = Fixture::of(&["a"], &["night"]);
    let engine = Arc::new(FakeEngine {
        segmenter: "of another device",
        ..doubting("a")
    });
    let error = other.attempt_at(&goal, &engine, &go_on).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("predictions/contents/night/a.png came out with"),
        "{told}"
    );
    assert_eq!(other.predictions(&rows[0]).await, [None, None]);

    // A row that speaks of none has none.
    let mut untroubled = rows.clone();
    for quality in untroubled.iter_mut().filter_map(|row| row.quality.as_mut()) {
        (quality.is_doubtful, quality.predictions) = (false, None::<Predictions>);
    }
    let other = Fixture::of(&["a"], &["night"]);
    let goal = Goal::Repair { rows: untroubled };
    let engine = Arc::new(doubting("a"));
    let error = other.attempt_at(&goal, &engine, &go_on).await.unwrap_err();
    assert!(
        error.to_string().contains("says that there is none"),
        "{error}"
    );
    assert_eq!(other.predictions(&rows[0]).await, [None, None]);
}

#[tokio::test]
async fn a_repair_that_finds_no_doubt_does_not_pass_for_one_that_made_what_is_gone() {
    let first = Fixture::of(&["a"], &["night"]);
    let rows = first.rows_of(&Arc::new(doubting("a"))).await;
    let goal = Goal::Repair { rows: rows.clone() };
    let untroubled = Arc::new(FakeEngine::default());
    let go_on = AtomicBool::new(false);
    let gone = Fixture::of(&["a"], &["night"]);
    let outcome = gone.attempt_at(&goal, &untroubled, &go_on).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
    let told = error.to_string();
    for words in [
        "predictions/contents/night/a.png is gone",
        "not found doubtful",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    // Nothing is to be made where both are there.
    let outcome = first.attempt_at(&goal, &untroubled, &go_on).await;
    assert!(matches!(outcome, Ok(ShardOutcome::Committed(_))));
}

/// Stores something in the place of a prediction.
async fn put(fixture: &Fixture, key: &ArtifactKey, bytes: Vec<u8>) {
    let created = fixture.storage.create(key, bytes.into()).await;
    created.expect("memory takes it");
}

/// Returns the keys of what is predicted for content `a` in a style, for the output first.
fn keys_of(fixture: &Fixture, style: &str) -> [ArtifactKey; 2] {
    let (run, style) = (&fixture.run.record.run, style.to_owned());
    let content = "a".to_owned();
    let item = ItemId { style, content };
    [
        ArtifactKey::OutputPrediction(run.clone(), item.clone()),
        ArtifactKey::ContentPrediction(run.clone(), item),
    ]
}

#[tokio::test]
async fn a_prediction_of_another_device_is_kept_and_the_row_speaks_of_it() {
    let fixture = Fixture::of(&["a"], &["night"]);
    let mut expected = Vec::new();
    for (train_id, key) in (0..).zip(keys_of(&fixture, "night")) {
        let predicted = Array2::from_elem((SIZE.height, SIZE.width), train_id);
        let png = encode_train_ids(predicted.view()).expect("a picture");
        expected.push(digest::sha256(&png));
        put(&fixture, &key, png).await;
    }
    let rows = fixture.rows_of(&Arc::new(doubting("a"))).await;
    let quality = rows[0].quality.clone().expect("figures");
    let told = quality.predictions.expect("what was predicted");
    assert_eq!([told.output_sha256, told.content_sha256], expected[..]);
    let stored = fixture.predictions(&rows[0]).await;
    assert_eq!(stored.map(Option::unwrap), expected[..]);
}

#[tokio::test]
async fn shards_of_one_content_that_two_devices_make_are_both_committed() {
    let first = Fixture::of(&["a"], &["night"]);
    let _ = first.rows_of(&Arc::new(doubting("a"))).await;
    // All that the shards of a content have in common is its label, but for what is predicted.
    let second = Fixture::of(&["a"], &["snow"]);
    let label = ArtifactKey::Label(first.run.record.run.clone(), "a".to_owned());
    for key in keys_of(&first, "night").into_iter().chain([label]) {
        let bytes = first.storage.read(&key).await.expect("it is stored");
        put(&second, &key, bytes.to_vec()).await;
    }
    let engine = Arc::new(FakeEngine {
        segmenter: "of another device",
        ..doubting("a")
    });
    let outcome = second.attempt(&engine).await;
    assert!(matches!(outcome, Ok(ShardOutcome::Committed(_))));
}

#[tokio::test]
async fn what_is_no_prediction_in_the_place_of_one_fails_the_attempt_by_name() {
    for (at, of) in [(0, "outputs"), (1, "contents")] {
        let fixture = Fixture::of(&["a"], &["night"]);
        let key = &keys_of(&fixture, "night")[at];
        put(&fixture, key, b"of another content".to_vec()).await;
        let outcome = fixture.attempt(&Arc::new(doubting("a"))).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.class(), FailureClass::Transient);
        let path = format!("predictions/{of}/night/a.png");
        assert!(error.to_string().contains(&path), "{error}");
        assert_eq!(fixture.run.committed(&fixture.storage).await, None);
    }
}
