//! Stores that must not be used, and what a person is told.

use shared::s3::{S3Credentials, S3Settings};
use shared::storage::{Created, S3Storage, Storage, StorageError, StorageErrorKind};
use tests::s3_server::S3Server;

use crate::{chain, impatient, rows, shard, storage};

/// Returns what a store says that is reached with these settings.
async fn refusals(server: &S3Server, settings: &S3Settings) -> Vec<StorageError> {
    let at = server.bucket("p/");
    let storage = S3Storage::open(&at, settings).await.unwrap();
    vec![
        storage.check_writable().await.unwrap_err(),
        storage.create(&shard(1), rows()).await.unwrap_err(),
        storage.read(&shard(1)).await.unwrap_err(),
        storage.exists(&shard(1)).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() {
    let server = S3Server::start_lying();
    let error = storage(&server).await.check_writable().await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Denied);
    assert_eq!(
        chain(&error),
        "cannot use s3://synth2real/some/prefix: bucket synth2real ignores If-None-Match, so two workers could \
         overwrite each other; use a store with conditional writes (AWS S3, MinIO of November 2024 or later, ...)"
    );
    assert_eq!(server.objects_below("some/prefix/.probe").len(), 0);
}

#[tokio::test]
async fn a_store_that_lets_several_creates_at_once_succeed_is_refused() {
    let server = S3Server::start_racing();
    let storage = storage(&server).await;
    // One after the other it heeds the condition, which is all that two writes in sequence show.
    let created = storage.create(&shard(1), rows()).await.unwrap();
    assert_eq!(created, Created::New);
    let again = storage.create(&shard(1), "other rows".into()).await;
    assert_eq!(again.unwrap_err().kind, StorageErrorKind::Conflict);

    let error = storage.check_writable().await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Denied);
    let told = chain(&error);
    for words in [
        "bucket synth2real let ",
        "of 8 creates of one object at once succeed",
        "conditional writes are atomic",
    ] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(server.objects_below("some/prefix/.probe").len(), 0);
}

#[tokio::test]
async fn a_store_that_lets_nothing_be_removed_is_used_again_and_again() {
    let server = S3Server::start_keeping();
    let storage = storage(&server).await;
    for trials in 1..=2 {
        storage.check_writable().await.unwrap();
        let left = server.objects_below("some/prefix/.probe");
        assert_eq!(left.len(), 3 * trials);
    }
    // What is left is below no run.
    assert_eq!(storage.runs().await.unwrap(), []);
}

#[tokio::test]
async fn wrong_keys_are_denied_without_being_shown() {
    let server = S3Server::start();
    for id in ["tests", "somebody else"] {
        let credentials = S3Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: "hush-hush".to_owned(),
        };
        let settings = S3Settings {
            credentials: Some(credentials),
            ..impatient(&server)
        };
        for error in refusals(&server, &settings).await {
            assert_eq!(error.kind, StorageErrorKind::Denied);
            let text = chain(&error);
            assert!(text.contains("bucket synth2real answers 403"), "{text}");
            assert!(text.contains("AWS_ACCESS_KEY_ID"), "{text}");
            assert!(!text.contains("hush") && !format!("{error:?}").contains("hush"));
        }
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_worth_another_try() {
    let server = S3Server::start();
    let settings = S3Settings {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        ..impatient(&server)
    };
    for error in refusals(&server, &settings).await {
        assert_eq!(error.kind, StorageErrorKind::Unavailable);
        let text = chain(&error);
        assert!(
            text.contains("no answer from the store") && text.contains("AWS_ENDPOINT_URL_S3"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_at_once() {
    let server = S3Server::start();
    let settings = S3Settings {
        endpoint: Some("127.0.0.1:9000".to_owned()),
        ..impatient(&server)
    };
    let error = S3Storage::open(&server.bucket("p/"), &settings).await;
    let error = error.expect_err("it has no scheme");
    assert_eq!(error.kind, StorageErrorKind::Denied);
    assert!(
        chain(&error).contains("AWS_ENDPOINT_URL_S3 must be"),
        "{}",
        chain(&error)
    );
}
