//! One try at a shard: what it commits, finds, quarantines and does when memory runs out.

mod class_maps;
mod fakes;
mod predictions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::decision::ChangedInputs;
use shared::failure::FailureClass;
use shared::manifest::{ManifestRow, Status};
use shared::platform::Platform;
use shared::storage::{MemoryStorage, Storage};
use worker::attempt::{Attempt, AttemptError, Goal, Provenance, ShardOutcome};

use self::fakes::{FakeEngine, FakeRun, STYLE_EVALUATIONS};

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
            platform: Platform::default(),
            seed: record.frozen.method.seed(),
            config_hash: record.frozen.config_hash(),
            model_sha256: record.frozen.model_sha256().to_owned(),
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

/// Fewer outputs would meet the same peak: they are evaluated one after the other.
#[tokio::test]
async fn a_content_that_does_not_fit_in_memory_fails_the_attempt_at_once() {
    let fixture = Fixture::of(&["a"], &["night", "snow"]);
    let engine = Arc::new(FakeEngine {
        is_full: true,
        ..FakeEngine::default()
    });
    let error = fixture.attempt(&engine).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Resources);
    assert_eq!(engine.conversions(), [("a".to_owned(), 2)]);
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
