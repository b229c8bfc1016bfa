//! One try at a shard: what it commits, finds, quarantines and does when memory runs out.

mod fakes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use imaging::encode_train_ids;
use ndarray::Array2;
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::decision::ChangedInputs;
use shared::digest;
use shared::failure::FailureClass;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Predictions, Status};
use shared::storage::{MemoryStorage, Storage};
use worker::attempt::{Attempt, AttemptError, Goal, Provenance, ShardOutcome};

use self::fakes::{FakeEngine, FakeRun, SIZE, STYLE_EVALUATIONS};

/// A run and the storage root that its shard is made in.
struct Fixture {
    run: FakeRun,
    storage: MemoryStorage,
}

impl Fixture {
    fn of(contents: &[&str], styles: &[&str]) -> Self {
        Self {
            run: FakeRun::of(contents, styles),
            storage: MemoryStorage::new(),
        }
    }

    /// Makes an attempt with an engine.
    async fn attempt(&self, engine: &Arc<FakeEngine>) -> Result<ShardOutcome, AttemptError> {
        self.attempt_until(engine, &AtomicBool::new(false)).await
    }

    /// Makes an attempt with an engine, which is to stop as soon as `stop` is set.
    async fn attempt_until(
        &self,
        engine: &Arc<FakeEngine>,
        stop: &AtomicBool,
    ) -> Result<ShardOutcome, AttemptError> {
        self.attempt_at(&Goal::Shard, engine, stop).await
    }

    /// Makes an attempt at something of the shard.
    async fn attempt_at(
        &self,
        goal: &Goal,
        engine: &Arc<FakeEngine>,
        stop: &AtomicBool,
    ) -> Result<ShardOutcome, AttemptError> {
        let (record, plan) = (&self.run.record, &self.run.plan);
        let (task, context) = (self.run.task(), engine.context());
        let planned = plan.inputs(&plan.shards[0], &ChangedInputs::default());
        let known = BTreeMap::new();
        let provenance = Provenance {
            worker: "worker".to_owned(),
            device: "fake".to_owned(),
            seed: record.frozen.method.seed,
            config_hash: record.frozen.config_hash(),
            model_sha256: record.frozen.model.sha256.clone(),
            plan_hash: record.plan_hash.clone(),
        };
        let attempt = Attempt {
            task: &task,
            planned: &planned,
            goal,
            known: &known,
            number: 1,
            patience: Duration::ZERO,
            storage: &self.storage,
            context: &context,
            provenance: &provenance,
            progress: Arc::new(()),
            clock: &SystemClock,
            stop,
        };
        attempt.make().await
    }

    /// Makes an attempt that commits, and returns its rows as they are stored.
    async fn rows_of(&self, engine: &Arc<FakeEngine>) -> Vec<ManifestRow> {
        let outcome = self.attempt(engine).await.expect("an attempt that ends");
        let ShardOutcome::Committed(rows) = outcome else {
            panic!("it stopped");
        };
        let stored = self.run.committed(&self.storage).await;
        let stored = stored.expect("a shard that is committed");
        assert_eq!(states(&stored), states(&rows));
        stored
    }

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

    /// Returns whether there is an image of an item.
    async fn has_image(&self, row: &ManifestRow) -> bool {
        let key = ArtifactKey::Image(self.run.record.run.clone(), row.item.clone());
        self.storage.exists(&key).await.expect("memory answers")
    }
}

/// Returns how items ended, by style and content: each with its status and the class of its failure.
fn states(rows: &[ManifestRow]) -> Vec<(&str, &str, Status, Option<FailureClass>)> {
    let mut states: Vec<_> = rows
        .iter()
        .map(|row| {
            let (style, content) = (row.item.style.as_str(), row.item.content.as_str());
            (style, content, row.status, row.error_class)
        })
        .collect();
    states.sort_by_key(|&(style, content, ..)| (style, content));
    states
}

#[tokio::test]
async fn an_attempt_commits_a_row_for_each_item_that_is_done_or_quarantined() {
    let fixture = Fixture::of(&["a", "bad"], &["night", "snow"]);
    let engine = Arc::new(FakeEngine {
        bad_inputs: vec!["bad"],
        ..FakeEngine::default()
    });
    let rows = fixture.rows_of(&engine).await;
    let bad = Some(FailureClass::BadInput);
    let expected = [
        ("night", "a", Status::Done, None),
        ("night", "bad", Status::Quarantined, bad),
        ("snow", "a", Status::Done, None),
        ("snow", "bad", Status::Quarantined, bad),
    ];
    assert_eq!(states(&rows), expected);
    for row in &rows {
        let is_done = row.status == Status::Done;
        let told = (!is_done).then_some("bad is damaged");
        assert_eq!(row.error.as_deref(), told, "{:?}", row.item);
        assert_eq!(fixture.has_image(row).await, is_done, "{:?}", row.item);
    }
}

#[tokio::test]
async fn items_that_an_earlier_attempt_stored_are_found_and_not_made_again() {
    let fixture = Fixture::of(&["a", "b"], &["night"]);
    let failing = Arc::new(FakeEngine {
        failing: vec!["b"],
        ..FakeEngine::default()
    });
    let error = fixture.attempt(&failing).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(fixture.run.committed(&fixture.storage).await, None);

    let engine = Arc::new(FakeEngine::default());
    let rows = fixture.rows_of(&engine).await;
    assert_eq!(engine.conversions(), [("b".to_owned(), 1)]);
    let has_work: Vec<bool> = rows.iter().map(|row| row.work.is_some()).collect();
    assert_eq!(has_work, [false, true], "the first was found");
    assert!(rows.iter().all(|row| row.status == Status::Done));
}

#[tokio::test]
async fn running_out_of_memory_halves_the_batch_and_the_attempt_goes_on() {
    let styles = ["day", "fog", "night", "rain", "snow"];
    let fixture = Fixture::of(&["a", "b"], &styles);
    let engine = Arc::new(FakeEngine {
        fits: Some(2),
        ..FakeEngine::default()
    });
    let rows = fixture.rows_of(&engine).await;
    assert!(rows.iter().all(|row| row.status == Status::Done));
    let conversions = engine.conversions();
    let batches: Vec<usize> = conversions.iter().map(|(_, styles)| *styles).collect();
    // What the first content has shown holds for the second.
    assert_eq!(batches, [5, 2, 2, 1, 2, 2, 1]);
}

#[tokio::test]
async fn an_output_that_does_not_fit_in_memory_alone_fails_the_attempt() {
    let fixture = Fixture::of(&["a"], &["night", "snow"]);
    let engine = Arc::new(FakeEngine {
        fits: Some(0),
        ..FakeEngine::default()
    });
    let error = fixture.attempt(&engine).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Resources);
    assert_eq!(fixture.run.committed(&fixture.storage).await, None);
}

#[tokio::test]
async fn a_style_that_cannot_be_recorded_quarantines_its_items_and_no_others() {
    let fixture = Fixture::of(&["a", "b"], &["night", "snow"]);
    let engine = Arc::new(FakeEngine {
        unusable_styles: vec!["snow"],
        ..FakeEngine::default()
    });
    let rows = fixture.rows_of(&engine).await;
    let unusable = Some(FailureClass::BadOutput);
    let expected = [
        ("night", "a", Status::Done, None),
        ("night", "b", Status::Done, None),
        ("snow", "a", Status::Quarantined, unusable),
        ("snow", "b", Status::Quarantined, unusable),
    ];
    assert_eq!(states(&rows), expected);
}

#[tokio::test]
async fn a_style_whose_files_are_damaged_quarantines_its_items_and_no_others() {
    let fixture = Fixture::of(&["a"], &["night", "snow"]);
    let engine = Arc::new(FakeEngine {
        bad_inputs: vec!["snow"],
        ..FakeEngine::default()
    });
    let rows = fixture.rows_of(&engine).await;
    let bad = Some(FailureClass::BadInput);
    let expected = [
        ("night", "a", Status::Done, None),
        ("snow", "a", Status::Quarantined, bad),
    ];
    assert_eq!(states(&rows), expected);
}

#[tokio::test]
async fn the_recording_of_a_style_is_accounted_for_by_its_first_item_alone() {
    let fixture = Fixture::of(&["a", "b"], &["night"]);
    let rows = fixture.rows_of(&Arc::new(FakeEngine::default())).await;
    let evaluations: Vec<f64> = rows
        .iter()
        .map(|row| row.work.expect("the work of an item").style_evaluations)
        .collect();
    assert_eq!(evaluations, [STYLE_EVALUATIONS as f64, 0.0]);
}

#[tokio::test]
async fn an_attempt_that_is_told_to_stop_commits_nothing() {
    let fixture = Fixture::of(&["a"], &["night"]);
    let engine = Arc::new(FakeEngine::default());
    let outcome = fixture.attempt_until(&engine, &AtomicBool::new(true)).await;
    assert!(matches!(outcome, Ok(ShardOutcome::Stopped)));
    assert!(engine.conversions().is_empty());
    assert_eq!(fixture.run.committed(&fixture.storage).await, None);
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
