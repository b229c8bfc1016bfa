//! The storage contract as tests, run against every implementation.

use std::io::Write;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::{Created, PAGE_LENGTH, Storage, StorageErrorKind, list_all};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::ids::{ItemId, RunId, ShardId};

/// More than two pages.
const MANY: usize = 2 * PAGE_LENGTH + 500;
/// Size of a file that is no single write anywhere.
const LARGE: usize = 5_000_011;
/// Writers at once.
const WRITERS: usize = 16;

/// Checks every sentence of the contract of [`Storage`] on an empty storage.
///
/// # Panics
///
/// If a sentence does not hold.
pub async fn check(storage: &dyn Storage) {
    let run: RunId = "conformance".parse().expect("a valid name");
    storage
        .check_writable()
        .await
        .expect("an empty storage is writable");
    an_empty_prefix_lists_nothing(storage, &run).await;
    check_objects(storage).await;
    a_listing_is_sorted_and_whole(storage, &run).await;
    neighbours_with_a_common_beginning_are_told_apart(storage, &run).await;
    a_key_that_would_leave_its_run_is_refused(storage, &run).await;
    many_objects_are_listed_in_pages(storage).await;
    runs_are_told_by_what_is_stored_of_them(storage, &run).await;
    storage
        .check_writable()
        .await
        .expect("a storage in use is writable");
}

/// Checks what the contract says of single objects, of which storage has none yet: all of it but listings.
///
/// # Panics
///
/// If a sentence does not hold.
pub async fn check_objects(storage: &dyn Storage) {
    let run: RunId = "conformance".parse().expect("a valid name");
    a_create_is_new_once_and_then_compares(storage, &run).await;
    of_many_equal_creates_at_once_one_is_new(storage, &run).await;
    of_many_different_creates_at_once_one_is_there(storage, &run).await;
    an_object_may_be_empty(storage, &run).await;
    in_the_place_of_a_picture_nothing_is_none(storage).await;
    a_replaced_object_has_the_last_bytes(storage, &run).await;
    a_large_file_is_stored_whole(storage, &run).await;
    a_missing_object_is_not_found(storage, &run).await;
}

async fn an_empty_prefix_lists_nothing(storage: &dyn Storage, run: &RunId) {
    assert_eq!(listed(storage, &ArtifactPrefix::Runs).await, [""; 0]);
    let shards = ArtifactPrefix::Shards(run.clone());
    assert_eq!(listed(storage, &shards).await, [""; 0]);
    assert_eq!(storage.runs().await.expect("the runs"), []);
}

async fn runs_are_told_by_what_is_stored_of_them(storage: &dyn Storage, run: &RunId) {
    let next: RunId = "conformance-2".parse().expect("a valid name");
    let key = ArtifactKey::RunRecord(next.clone());
    let record = Bytes::from_static(b"{}");
    storage.create(&key, record).await.expect("a create");
    let runs = storage.runs().await.expect("the runs");
    assert!(runs.contains(run) && runs.contains(&next), "{runs:?}");
    assert!(runs.is_sorted_by(|a, b| a < b), "{runs:?}");
}

async fn a_create_is_new_once_and_then_compares(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Shard(run.clone(), ShardId(0));
    assert!(!storage.exists(&key).await.expect("an answer"));
    let create = |bytes: &'static str| storage.create(&key, Bytes::from(bytes));
    assert_eq!(create("one").await.expect("a create"), Created::New);
    assert!(storage.exists(&key).await.expect("an answer"));
    for _ in 0..3 {
        let again = create("one").await.expect("a create");
        assert_eq!(again, Created::AlreadyThere);
    }
    for other in ["two", "longer", ""] {
        let error = create(other).await.expect_err("other bytes");
        assert_eq!(error.kind, StorageErrorKind::Conflict);
        assert!(error.to_string().contains(&storage.locate(&key)), "{error}");
    }
    assert_eq!(storage.read(&key).await.expect("an object"), "one");
}

async fn of_many_equal_creates_at_once_one_is_new(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Shard(run.clone(), ShardId(1));
    let bytes = Bytes::from(vec![7; 100_000]);
    let creates = (0..WRITERS).map(|_| storage.create(&key, bytes.clone()));
    let created = futures::future::try_join_all(creates).await;
    let created = created.expect("equal bytes never conflict");
    let new = created.iter().filter(|created| **created == Created::New);
    assert_eq!(new.count(), 1);
    assert_eq!(storage.read(&key).await.expect("an object"), bytes);
}

async fn of_many_different_creates_at_once_one_is_there(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Shard(run.clone(), ShardId(2));
    let bytes = |writer| Bytes::from(vec![writer as u8; 1000]);
    let creates = (0..WRITERS).map(|writer| storage.create(&key, bytes(writer)));
    let created = futures::future::join_all(creates).await;
    let mut new = Vec::new();
    for (writer, created) in created.into_iter().enumerate() {
        match created {
            Ok(created) => {
                assert_eq!(created, Created::New);
                new.push(writer);
            }
            Err(error) => assert_eq!(error.kind, StorageErrorKind::Conflict),
        }
    }
    assert_eq!(new.len(), 1);
    assert_eq!(storage.read(&key).await.expect("an object"), bytes(new[0]));
}

async fn an_object_may_be_empty(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::FailedAttempt(run.clone(), ShardId(0), 1);
    let create = || storage.create(&key, Bytes::new());
    assert_eq!(create().await.expect("a create"), Created::New);
    assert_eq!(create().await.expect("a create"), Created::AlreadyThere);
    assert_eq!(storage.read(&key).await.expect("an object"), "");
}

async fn in_the_place_of_a_picture_nothing_is_none(storage: &dyn Storage) {
    let run: RunId = "conformance-empty".parse().expect("a valid name");
    let item = ItemId {
        style: "night".to_owned(),
        content: "1".to_owned(),
    };
    let keys = [
        ArtifactKey::Image(run.clone(), item),
        ArtifactKey::Label(run, "1".to_owned()),
    ];
    for key in keys {
        storage.replace(&key, Bytes::new()).await.expect("a write");
        let create = |bytes: &'static str| storage.create(&key, Bytes::from(bytes));
        assert_eq!(create("one").await.expect("a create"), Created::New);
        assert_eq!(storage.read(&key).await.expect("an object"), "one");
        assert_eq!(
            create("one").await.expect("a create"),
            Created::AlreadyThere
        );
        let error = create("two").await.expect_err("other bytes");
        assert_eq!(error.kind, StorageErrorKind::Conflict);
    }
}

async fn a_replaced_object_has_the_last_bytes(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Manifest(run.clone());
    for bytes in ["old", "new", "newest"] {
        let replaced = storage.replace(&key, Bytes::from(bytes)).await;
        replaced.expect("a write");
        assert_eq!(storage.read(&key).await.expect("an object"), bytes);
    }
}

async fn a_large_file_is_stored_whole(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Manifest(run.clone());
    let bytes: Vec<u8> = (0..LARGE).map(|i| (i / 7 % 251) as u8).collect();
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&bytes).expect("a write");
    for _ in 0..2 {
        let replaced = storage.replace_from_file(&key, file.path()).await;
        replaced.expect("a write");
        let there = storage.read(&key).await.expect("an object");
        assert!(there == bytes, "{} other bytes", there.len());
    }
    let missing = storage.replace_from_file(&key, "/no/such/file".as_ref());
    missing.await.expect_err("there is no such file");
}

async fn a_missing_object_is_not_found(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Shard(run.clone(), ShardId(999));
    let error = storage.read(&key).await.expect_err("no such object");
    assert_eq!(error.kind, StorageErrorKind::NotFound);
    assert!(error.to_string().contains(&storage.locate(&key)), "{error}");
}

async fn a_listing_is_sorted_and_whole(storage: &dyn Storage, run: &RunId) {
    for shard in [12, 3, 100_000] {
        let key = ArtifactKey::Shard(run.clone(), ShardId(shard));
        create(storage, &key, 10).await;
    }
    let prefix = ArtifactPrefix::Shards(run.clone());
    let shards = [0, 1, 2, 3, 12, 100_000];
    let shards = shards.map(|shard| ArtifactKey::Shard(run.clone(), ShardId(shard)).path());
    assert_eq!(listed(storage, &prefix).await, shards);
    let objects = list_all(storage, &prefix).await.expect("a listing");
    assert_eq!(objects[3].size_bytes, 10);
}

async fn neighbours_with_a_common_beginning_are_told_apart(storage: &dyn Storage, run: &RunId) {
    let image = |style: &str, content: &str| {
        let (style, content) = (style.into(), content.into());
        ArtifactKey::Image(run.clone(), ItemId { style, content })
    };
    let mut paths = Vec::new();
    for style in [
        "night",
        "night-2",
        "night.b",
        "nightly",
        "Night",
        "nuit d'été",
    ] {
        for content in ["2", "10", "a b", "é"] {
            let key = image(style, content);
            create(storage, &key, 1).await;
            paths.push(key.path());
        }
    }
    paths.sort_unstable();
    let images = ArtifactPrefix::Images(run.clone());
    assert_eq!(listed(storage, &images).await, paths);

    for attempt in [1, 2] {
        let key = ArtifactKey::FailedAttempt(run.clone(), ShardId(12), attempt);
        create(storage, &key, 1).await;
    }
    let attempts = ArtifactPrefix::FailedAttempts(run.clone());
    let of_one = format!("{}000012/", attempts.path());
    let listed = listed(storage, &attempts).await;
    let of_one = listed.iter().filter(|path| path.starts_with(&of_one));
    assert_eq!(of_one.count(), 2);
}

async fn a_key_that_would_leave_its_run_is_refused(storage: &dyn Storage, run: &RunId) {
    let image = |style: &str, content: &str| {
        let (style, content) = (style.into(), content.into());
        ArtifactKey::Image(run.clone(), ItemId { style, content })
    };
    let before = listed(storage, &ArtifactPrefix::Runs).await;
    for name in ["../../conformance-2/labels/1", "..", "/elsewhere", "a\0b"] {
        for key in [
            image(name, "1"),
            image("night", name),
            ArtifactKey::Label(run.clone(), name.to_owned()),
            ArtifactKey::FeatureStatistics(run.clone(), name.to_owned()),
        ] {
            let bytes = Bytes::from_static(b"hostile");
            let errors = [
                storage.create(&key, bytes.clone()).await.err(),
                storage.replace(&key, bytes).await.err(),
                storage.read(&key).await.err(),
                storage.exists(&key).await.err(),
            ];
            for error in errors {
                let error = error.expect("a key that leaves its run");
                assert_eq!(error.kind, StorageErrorKind::Denied, "{error}");
                assert!(error.to_string().contains(&storage.locate(&key)), "{error}");
            }
        }
    }
    assert_eq!(listed(storage, &ArtifactPrefix::Runs).await, before);
}

async fn many_objects_are_listed_in_pages(storage: &dyn Storage) {
    let run: RunId = "conformance-many".parse().expect("a valid name");
    let key = |number: usize| ArtifactKey::Label(run.clone(), format!("{number:05}"));
    futures::stream::iter(0..MANY)
        .map(|number| {
            let key = key(number);
            async move { create(storage, &key, 1).await }
        })
        .buffer_unordered(WRITERS)
        .collect::<()>()
        .await;
    let labels = ArtifactPrefix::Labels(run.clone());
    let pages: Vec<_> = storage.list(&labels).try_collect().await.expect("pages");
    assert!(pages.iter().all(|page| page.len() <= PAGE_LENGTH));
    let paths: Vec<_> = (0..MANY).map(|number| key(number).path()).collect();
    assert_eq!(listed(storage, &labels).await, paths);
}

async fn create(storage: &dyn Storage, key: &ArtifactKey, length: usize) {
    let created = storage.create(key, Bytes::from(vec![0; length])).await;
    assert_eq!(created.expect("a create"), Created::New);
}

async fn listed(storage: &dyn Storage, prefix: &ArtifactPrefix) -> Vec<String> {
    let listed = list_all(storage, prefix).await.expect("a listing");
    listed.into_iter().map(|object| object.path).collect()
}
