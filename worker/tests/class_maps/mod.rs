//! The class maps of styles without labels: made once, stored before the items, and kept.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use imaging::encode_train_ids;
use ndarray::{Array2, Array3};
use shared::artifact::{ArtifactKey, Writing};
use shared::digest;
use shared::failure::FailureClass;
use shared::manifest::Status;
use shared::model::ImageSize;
use shared::storage::{MemoryStorage, Storage, StorageErrorKind};
use shared::warning::WarningKind;
use worker::attempt::{AttemptError, ClassMapper, Goal, ShardOutcome};

use crate::fakes::{FakeEngine, SIZE};
use crate::{Fixture, states};

/// Says of every photograph that one class is everywhere.
#[derive(Default)]
struct OneClass {
    class: u8,
    num_learnt: AtomicUsize,
    mapped: Mutex<usize>,
    /// Set once it has mapped a photograph.
    has_mapped: AtomicBool,
    /// What another worker stores while it maps one, and where.
    rival: Option<(MemoryStorage, ArtifactKey, Bytes)>,
}

#[async_trait]
impl ClassMapper for OneClass {
    fn image_size(&self) -> ImageSize {
        SIZE
    }

    fn num_learnt(&self) -> usize {
        self.num_learnt.load(Ordering::Relaxed)
    }

    async fn learn(&self, _: Array3<u8>, _: Array2<u8>) -> Result<(), AttemptError> {
        self.num_learnt.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn map(&self, _: Array3<u8>) -> Result<Array2<u8>, AttemptError> {
        *self.mapped.lock().expect("no holder panics") += 1;
        self.has_mapped.store(true, Ordering::Relaxed);
        if let Some((storage, key, map)) = &self.rival {
            storage.create(key, map.clone()).await?;
        }
        Ok(map_of(self.class))
    }
}

fn map_of(class: u8) -> Array2<u8> {
    Array2::from_elem((SIZE.height, SIZE.width), class)
}

fn picture_of(class: u8) -> Bytes {
    Bytes::from(encode_train_ids(map_of(class).view()).expect("a small map"))
}

fn mapper(class: u8) -> Arc<OneClass> {
    Arc::new(OneClass {
        class,
        ..OneClass::default()
    })
}

fn engine(mapper: &Arc<OneClass>) -> Arc<FakeEngine> {
    Arc::new(FakeEngine {
        class_maps: Some(Arc::clone(mapper) as Arc<dyn ClassMapper>),
        ..FakeEngine::default()
    })
}

/// Returns a run whose style night has no label, and whose contents are its prototypes.
fn fixture() -> Fixture {
    let mut fixture = Fixture::of(&["a", "b"], &["night", "snow"]);
    fixture.run.plan.styles[0].label = None;
    fixture.run.plan.prototypes = vec![0, 1];
    fixture
}

fn key(fixture: &Fixture) -> ArtifactKey {
    ArtifactKey::Prior(fixture.run.record.run.clone(), "night".to_owned())
}

#[tokio::test]
async fn a_style_without_a_label_has_one_map_for_all_its_items_and_their_rows_have_its_digest() {
    let fixture = fixture();
    let mapper = mapper(3);
    let rows = fixture.rows_of(&engine(&mapper)).await;
    assert_eq!(mapper.num_learnt(), 2);
    assert_eq!(*mapper.mapped.lock().unwrap(), 1);
    let stored = fixture.storage.read(&key(&fixture)).await.unwrap();
    assert_eq!(stored, picture_of(3));
    for row in &rows {
        let is_night = row.item.style == "night";
        let expected = is_night.then(|| digest::sha256(&stored));
        assert_eq!(row.prior_sha256, expected, "{:?}", row.item);
        let is_warned = row.warning_kinds == [WarningKind::UniformClassMap];
        assert_eq!(is_warned, is_night, "{:?}", row.item);
    }
    let snow = ArtifactKey::Prior(fixture.run.record.run.clone(), "snow".to_owned());
    assert!(!fixture.storage.exists(&snow).await.unwrap());
}

#[tokio::test]
async fn a_map_that_is_stored_is_the_one_that_holds_whoever_made_it() {
    let fixture = fixture();
    let other = picture_of(7);
    let created = fixture.storage.create(&key(&fixture), other.clone()).await;
    created.unwrap();
    let mapper = mapper(3);
    let rows = fixture.rows_of(&engine(&mapper)).await;
    assert_eq!(mapper.num_learnt(), 0);
    assert_eq!(*mapper.mapped.lock().unwrap(), 0);
    let told = rows.iter().filter_map(|row| row.prior_sha256.as_deref());
    let told: Vec<&str> = told.collect();
    assert_eq!(told, [digest::sha256(&other).as_str(); 2]);
}

#[tokio::test]
async fn a_damaged_map_is_refused_by_storage_and_never_written_over() {
    let fixture = fixture();
    let damaged = picture_of(3).slice(..40);
    let key_of_map = key(&fixture);
    let created = fixture.storage.create(&key_of_map, damaged.clone());
    created.await.unwrap();
    let failed = fixture.attempt(&engine(&mapper(3))).await;
    let Err(AttemptError::Storage(error)) = failed else {
        panic!("it went on");
    };
    assert_eq!(error.kind, StorageErrorKind::Conflict);
    let stored = fixture.storage.read(&key(&fixture)).await.unwrap();
    assert_eq!(stored, damaged);
}

#[tokio::test]
async fn a_prototype_that_cannot_be_read_quarantines_what_needs_it_and_says_so() {
    let fixture = fixture();
    let engine = Arc::new(FakeEngine {
        bad_inputs: vec!["b"],
        class_maps: Some(mapper(3)),
        ..FakeEngine::default()
    });
    let rows = fixture.rows_of(&engine).await;
    let bad = (Status::Quarantined, Some(FailureClass::BadInput));
    let done = (Status::Done, None);
    let found: Vec<_> = states(&rows)
        .into_iter()
        .map(|(style, content, status, class)| ((style, content), (status, class)))
        .collect();
    let expected = [
        (("night", "a"), bad),
        (("night", "b"), bad),
        (("snow", "a"), done),
        (("snow", "b"), bad),
    ];
    assert_eq!(found, expected);
    let told = rows.iter().find(|row| row.item.style == "night");
    let told = told.and_then(|row| row.error.clone()).unwrap();
    let expected = "content b, which is to show what classes look like: b is damaged";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_image_that_was_made_by_another_map_is_made_again() {
    let fixture = fixture();
    let failing = Arc::new(FakeEngine {
        failing: vec!["b"],
        class_maps: Some(mapper(3)),
        ..FakeEngine::default()
    });
    fixture.attempt(&failing).await.unwrap_err();
    let without_map = self::fixture();
    for (path, bytes) in fixture.storage.snapshot() {
        let copied = ArtifactKey::parse(&path).unwrap();
        let storage = &without_map.storage;
        match copied.writing() {
            _ if copied == key(&fixture) => {}
            Writing::CreateOnly => drop(storage.create(&copied, bytes).await.unwrap()),
            Writing::Rebuildable => storage.replace(&copied, bytes).await.unwrap(),
        }
    }
    let engine = engine(&mapper(4));
    without_map.rows_of(&engine).await;
    // Of the content that was made, the style with a label is kept.
    let expected = [("a".to_owned(), 1), ("b".to_owned(), 2)];
    assert_eq!(engine.conversions(), expected);
}

#[tokio::test]
async fn a_repair_makes_a_lost_map_again_and_stores_none_that_its_rows_do_not_speak_of() {
    let first = fixture();
    let rows = first.rows_of(&engine(&mapper(3))).await;
    let goal = Goal::Repair { rows };
    let go_on = AtomicBool::new(false);

    let again = fixture();
    let outcome = again.attempt_at(&goal, &engine(&mapper(3)), &go_on).await;
    assert!(matches!(outcome, Ok(ShardOutcome::Committed(_))));
    let stored = again.storage.read(&key(&again)).await.unwrap();
    assert_eq!(stored, picture_of(3));

    let other = fixture();
    let error = other.attempt_at(&goal, &engine(&mapper(4)), &go_on).await;
    let told = error.unwrap_err().to_string();
    assert!(told.contains("priors/night.png came out with"), "{told}");
    assert!(!other.storage.exists(&key(&other)).await.unwrap());

    let unreadable = Arc::new(FakeEngine {
        bad_inputs: vec!["night"],
        class_maps: Some(mapper(3)),
        ..FakeEngine::default()
    });
    let error = fixture().attempt_at(&goal, &unreadable, &go_on).await;
    let told = error.unwrap_err().to_string();
    let words = "or the class map of its style, is gone";
    assert!(told.contains(words), "{told}");
}

#[tokio::test]
async fn an_attempt_that_is_told_to_stop_maps_no_other_style() {
    let mut fixture = fixture();
    fixture.run.plan.styles[1].label = None;
    let mapper = mapper(3);
    let engine = engine(&mapper);
    let outcome = fixture.attempt_until(&engine, &mapper.has_mapped).await;
    assert!(matches!(outcome, Ok(ShardOutcome::Stopped)));
    assert_eq!(*mapper.mapped.lock().unwrap(), 1);
    assert!(fixture.storage.exists(&key(&fixture)).await.unwrap());
    assert!(engine.conversions().is_empty());
}

#[tokio::test]
async fn a_repair_whose_map_another_worker_stored_first_takes_none_that_its_rows_do_not_speak_of() {
    let first = fixture();
    let rows = first.rows_of(&engine(&mapper(3))).await;
    let goal = Goal::Repair { rows };
    let go_on = AtomicBool::new(false);
    for (theirs, is_that_of_its_rows) in [(3, true), (7, false)] {
        let again = fixture();
        let mapper = Arc::new(OneClass {
            class: 3,
            rival: Some((again.storage.clone(), key(&again), picture_of(theirs))),
            ..OneClass::default()
        });
        let outcome = again.attempt_at(&goal, &engine(&mapper), &go_on).await;
        match outcome {
            Ok(_) => assert!(is_that_of_its_rows),
            Err(error) => {
                assert!(!is_that_of_its_rows, "{error}");
                let told = error.to_string();
                assert!(told.contains("priors/night.png came out with"), "{told}");
            }
        }
        let stored = again.storage.read(&key(&again)).await.unwrap();
        assert_eq!(stored, picture_of(theirs), "nothing is written over");
    }
}
