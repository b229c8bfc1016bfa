//! The storage contract as tests, run against every implementation.

use bytes::Bytes;

use super::{Created, Storage, StorageErrorKind};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::ids::{RunId, ShardId};

/// Checks every sentence of the contract of [`Storage`] on an empty storage.
pub(crate) async fn check(storage: &dyn Storage) {
    let run: RunId = "conformance".parse().expect("a valid name");
    storage
        .check_writable()
        .await
        .expect("an empty storage is writable");
    an_empty_prefix_lists_nothing(storage, &run).await;
    a_create_is_new_once_and_then_compares(storage, &run).await;
    of_many_creates_at_once_one_is_new(storage, &run).await;
    a_replaced_object_has_the_last_bytes(storage, &run).await;
    a_missing_object_is_not_found(storage, &run).await;
    a_listing_is_sorted_and_whole(storage, &run).await;
}

async fn an_empty_prefix_lists_nothing(storage: &dyn Storage, run: &RunId) {
    assert_eq!(
        storage
            .list(&ArtifactPrefix::Shards(run.clone()))
            .await
            .expect("a listing"),
        vec![]
    );
}

async fn a_create_is_new_once_and_then_compares(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Shard(run.clone(), ShardId(0));
    assert!(!storage.exists(&key).await.expect("an answer"));
    assert_eq!(
        storage
            .create(&key, Bytes::from_static(b"one"))
            .await
            .expect("a create"),
        Created::New
    );
    assert!(storage.exists(&key).await.expect("an answer"));
    assert_eq!(
        storage
            .create(&key, Bytes::from_static(b"one"))
            .await
            .expect("a create"),
        Created::AlreadyThere
    );
    let error = storage
        .create(&key, Bytes::from_static(b"two"))
        .await
        .expect_err("other bytes");
    assert_eq!(error.kind, StorageErrorKind::Conflict);
    assert_eq!(storage.read(&key).await.expect("an object"), "one");
}

async fn of_many_creates_at_once_one_is_new(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Shard(run.clone(), ShardId(1));
    let bytes = Bytes::from(vec![7; 100_000]);
    let (a, b, c) = tokio::join!(
        storage.create(&key, bytes.clone()),
        storage.create(&key, bytes.clone()),
        storage.create(&key, bytes.clone())
    );
    let new = [a, b, c]
        .into_iter()
        .filter(|created| matches!(created, Ok(Created::New)))
        .count();
    assert_eq!(new, 1);
    assert_eq!(storage.read(&key).await.expect("an object"), bytes);
}

async fn a_replaced_object_has_the_last_bytes(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Manifest(run.clone());
    for bytes in ["old", "new"] {
        storage
            .replace(&key, Bytes::from_static(bytes.as_bytes()))
            .await
            .expect("a write");
        assert_eq!(storage.read(&key).await.expect("an object"), bytes);
    }
}

async fn a_missing_object_is_not_found(storage: &dyn Storage, run: &RunId) {
    let key = ArtifactKey::Shard(run.clone(), ShardId(999));
    let error = storage.read(&key).await.expect_err("no such object");
    assert_eq!(error.kind, StorageErrorKind::NotFound);
}

async fn a_listing_is_sorted_and_whole(storage: &dyn Storage, run: &RunId) {
    for shard in [12, 3, 100_000] {
        let key = ArtifactKey::Shard(run.clone(), ShardId(shard));
        storage
            .create(&key, Bytes::from(vec![0; 10]))
            .await
            .expect("a create");
    }
    let listed = storage
        .list(&ArtifactPrefix::Shards(run.clone()))
        .await
        .expect("a listing");
    let names: Vec<_> = listed
        .iter()
        .map(|object| object.path.rsplit('/').next().unwrap_or_default())
        .collect();
    assert_eq!(
        names,
        [
            "000000.parquet",
            "000001.parquet",
            "000003.parquet",
            "000012.parquet",
            "100000.parquet"
        ]
    );
    assert_eq!(listed[2].size_bytes, 10);
}
