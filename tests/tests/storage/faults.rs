//! Trouble with requests: each ends well or says that trying again may help, and never with a wrong answer.

use bytes::Bytes;
use futures::TryStreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::ids::{ItemId, ShardId};
use shared::storage::{Created, Storage, StorageErrorKind, list_all};
use tests::s3_server::{Asked, Fault, S3Server};

use crate::{chain, rows, shard, storage};

/// What a client bears without noticing, if it does not last.
const PASSING: [Fault; 4] = [
    Fault::SlowDown,
    Fault::InternalError,
    Fault::CutBefore,
    Fault::CutAfter,
];
/// More than the attempts that are made.
const LASTING: usize = 100;

fn picture(content: &str) -> ArtifactKey {
    let item = ItemId {
        style: "night".to_owned(),
        content: content.to_owned(),
    };
    ArtifactKey::Image("demo".parse().unwrap(), item)
}

fn manifest() -> ArtifactKey {
    ArtifactKey::Manifest("demo".parse().unwrap())
}

fn shards() -> ArtifactPrefix {
    ArtifactPrefix::Shards("demo".parse().unwrap())
}

#[tokio::test]
async fn a_passing_fault_is_not_noticed() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    for (number, fault) in PASSING.into_iter().enumerate() {
        let key = shard(number as u32);
        server.fail(Asked::Put, fault, 2);
        let created = storage.create(&key, rows()).await.unwrap();
        // The object that an unanswered attempt left is found by the next one.
        let left = fault == Fault::CutAfter;
        let expected = if left {
            Created::AlreadyThere
        } else {
            Created::New
        };
        assert_eq!(created, expected, "{fault:?}");

        let bytes = Bytes::from(format!("{fault:?}"));
        server.fail(Asked::Put, fault, 2);
        storage.replace(&manifest(), bytes.clone()).await.unwrap();
        server.fail(Asked::Get, fault, 2);
        assert_eq!(storage.read(&manifest()).await.unwrap(), bytes, "{fault:?}");
        server.fail(Asked::Head, fault, 2);
        assert!(storage.exists(&key).await.unwrap());
        server.fail(Asked::List, fault, 2);
        let listed = list_all(&storage, &shards()).await.unwrap();
        assert_eq!(listed.len(), number + 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_lasting_fault_is_said_to_be_worth_another_try() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    storage.replace(&manifest(), rows()).await.unwrap();
    for fault in PASSING {
        for asked in [Asked::Put, Asked::Get, Asked::Head, Asked::List] {
            server.fail(asked, fault, LASTING);
        }
        let errors = [
            storage.create(&shard(1), rows()).await.map(drop),
            storage.replace(&shard(2), rows()).await,
            storage.read(&manifest()).await.map(drop),
            storage.exists(&manifest()).await.map(drop),
            list_all(&storage, &shards()).await.map(drop),
            storage.check_writable().await,
        ];
        for error in errors {
            let error = error.expect_err("the fault lasts");
            assert_eq!(error.kind, StorageErrorKind::Unavailable, "{fault:?}");
        }
    }
    for asked in [Asked::Put, Asked::Get, Asked::Head, Asked::List] {
        server.fail(asked, Fault::SlowDown, 0);
    }
    let created = storage.create(&shard(1), rows()).await.unwrap();
    assert_eq!(created, Created::AlreadyThere);
    storage.check_writable().await.unwrap();
}

#[tokio::test]
async fn a_conflict_is_seen_through_faults() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    storage.create(&shard(1), rows()).await.unwrap();
    for fault in PASSING {
        for asked in [Asked::Put, Asked::Head] {
            server.fail(asked, fault, 1);
        }
        let error = storage.create(&shard(1), "other rows".into()).await;
        let error = error.expect_err("other bytes are there");
        assert_eq!(error.kind, StorageErrorKind::Conflict, "{fault:?}");
        assert_eq!(storage.read(&shard(1)).await.unwrap(), rows());
    }
}

#[tokio::test]
async fn an_empty_object_whose_answer_was_lost_is_found_done() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    let attempt = |number| ArtifactKey::FailedAttempt("demo".parse().unwrap(), ShardId(0), number);
    for (number, key) in [attempt(1), picture("1")].into_iter().enumerate() {
        server.fail(Asked::Put, Fault::CutAfter, 1);
        let created = storage.create(&key, Bytes::new()).await.unwrap();
        assert_eq!(created, Created::AlreadyThere, "{number}");
        let again = storage.create(&key, Bytes::new()).await.unwrap();
        assert_eq!(again, Created::AlreadyThere, "{number}");
        assert_eq!(storage.read(&key).await.unwrap(), "");
    }
}

/// Empties an object on the server's disk.
fn empty(server: &S3Server, key: &ArtifactKey) {
    let file = server.folder().join("some/prefix").join(key.path());
    assert!(file.is_file());
    std::fs::write(file, "").unwrap();
}

#[tokio::test]
async fn an_emptied_picture_is_filled_through_faults_and_never_removed() {
    // What cannot be removed cannot be missing in between either.
    let server = S3Server::start_keeping();
    let storage = storage(&server).await;
    for (number, fault) in PASSING.into_iter().enumerate() {
        let key = picture(&number.to_string());
        storage.create(&key, rows()).await.unwrap();
        empty(&server, &key);
        server.fail(Asked::Put, fault, 1);
        server.fail(Asked::Head, fault, 1);
        let created = storage.create(&key, rows()).await.unwrap();
        assert_eq!(created, Created::New, "{fault:?}");
        assert_eq!(storage.read(&key).await.unwrap(), rows(), "{fault:?}");
        let again = storage.create(&key, rows()).await.unwrap();
        assert_eq!(again, Created::AlreadyThere, "{fault:?}");
    }
    assert_eq!(server.requests(Asked::Other), 0, "nothing was removed");
}

#[tokio::test]
async fn writers_that_meet_over_an_emptied_picture_leave_it_whole_and_other_bytes_are_refused() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    let key = picture("1");
    storage.create(&key, rows()).await.unwrap();
    empty(&server, &key);
    let create = || storage.create(&key, rows());
    let created = futures::future::join_all([create(), create(), create()]).await;
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    assert_eq!(storage.read(&key).await.unwrap(), rows());
    let error = storage.create(&key, "other rows".into()).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Conflict);
    assert_eq!(storage.read(&key).await.unwrap(), rows());
}

#[tokio::test]
async fn an_emptied_shard_is_taken_neither_for_whole_nor_for_none() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    storage.create(&shard(1), rows()).await.unwrap();
    empty(&server, &shard(1));
    let error = storage.create(&shard(1), rows()).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Conflict);
    // Whoever removes it, as the error says, has it made again.
    let file = server.folder().join("some/prefix").join(shard(1).path());
    std::fs::remove_file(file).unwrap();
    let created = storage.create(&shard(1), rows()).await.unwrap();
    assert_eq!(created, Created::New);
}

#[tokio::test]
async fn a_contended_create_is_tried_again() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    server.fail(Asked::Put, Fault::Contended, 3);
    let created = storage.create(&shard(1), rows()).await.unwrap();
    assert_eq!(created, Created::New);
    server.fail(Asked::Put, Fault::Contended, LASTING);
    let error = storage.create(&shard(2), rows()).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Unavailable);
}

#[tokio::test]
async fn a_download_that_breaks_off_is_begun_again() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    let bytes = Bytes::from(vec![7; 100_000]);
    storage.replace(&manifest(), bytes.clone()).await.unwrap();
    server.fail(Asked::Get, Fault::CutInside, 2);
    assert_eq!(storage.read(&manifest()).await.unwrap(), bytes);
    server.fail(Asked::Get, Fault::CutInside, LASTING);
    let error = storage.read(&manifest()).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Unavailable);
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_an_error_and_no_short_listing() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    for number in 0..1001 {
        let file = server
            .folder()
            .join("some/prefix")
            .join(shard(number).path());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
    }
    let mut pages = storage.list(&shards());
    let first = pages.try_next().await.unwrap().unwrap();
    assert_eq!(first.len(), 1000);
    server.fail(Asked::List, Fault::SlowDown, LASTING);
    assert!(pages.try_next().await.is_err());
    server.fail(Asked::List, Fault::CutInside, 1);
    assert_eq!(list_all(&storage, &shards()).await.unwrap().len(), 1001);
}

/// More than a connection takes at once.
const LARGE: usize = 5_000_011;

/// What can happen to a put, in whatever part of it.
const OF_A_PUT: [Fault; 7] = [
    Fault::Busy,
    Fault::SlowDown,
    Fault::InternalError,
    Fault::ErrorInSuccess,
    Fault::CutBefore,
    Fault::CutMidway,
    Fault::CutAfter,
];

/// Returns a large file of one byte.
fn large(byte: u8) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![byte; LARGE]).unwrap();
    file
}

#[tokio::test]
async fn a_large_object_is_the_old_one_or_the_new_one_whatever_happens_to_its_put() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    let replace = async |byte: u8| {
        let file = large(byte);
        storage.replace_from_file(&manifest(), file.path()).await
    };
    let is_of = |bytes: &Bytes, byte: u8| bytes.len() == LARGE && bytes.iter().all(|b| *b == byte);
    replace(0).await.unwrap();
    for (number, fault) in OF_A_PUT.into_iter().enumerate() {
        let (old, lost, new) = (2 * number as u8, 2 * number as u8 + 1, 2 * number as u8 + 2);
        server.fail(Asked::Put, fault, LASTING);
        let error = replace(lost).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Unavailable, "{fault:?}");
        server.fail(Asked::Put, fault, 0);
        let there = storage.read(&manifest()).await.unwrap();
        // It was stored where only the answer was lost.
        let expected = if fault == Fault::CutAfter { lost } else { old };
        assert!(is_of(&there, expected), "{fault:?}");

        // A connection that was cut may be met once more.
        server.fail(Asked::Put, fault, 1);
        replace(new).await.unwrap();
        let there = storage.read(&manifest()).await.unwrap();
        assert!(is_of(&there, new), "{fault:?}");
    }
}

#[tokio::test]
async fn a_create_is_new_once_whatever_happens_to_its_put() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    let bytes = Bytes::from(vec![7; LARGE]);
    for (number, fault) in OF_A_PUT.into_iter().enumerate() {
        let key = shard(number as u32);
        server.fail(Asked::Put, fault, LASTING);
        let created = storage.create(&key, bytes.clone()).await;
        // Where only the answer was lost, what is there tells.
        let was_stored = fault == Fault::CutAfter;
        let kind = created.map_err(|error| error.kind);
        let expected = match was_stored {
            true => Ok(Created::AlreadyThere),
            false => Err(StorageErrorKind::Unavailable),
        };
        assert_eq!(kind, expected, "{fault:?}");
        assert_eq!(storage.exists(&key).await.unwrap(), was_stored, "{fault:?}");

        // A connection that was cut may be met once more.
        server.fail(Asked::Put, fault, 1);
        let created = storage.create(&key, bytes.clone()).await.unwrap();
        let expected = if was_stored {
            Created::AlreadyThere
        } else {
            Created::New
        };
        assert_eq!(created, expected, "{fault:?}");
        assert!(storage.read(&key).await.unwrap() == bytes, "{fault:?}");

        server.fail(Asked::Put, fault, 1);
        let error = storage.create(&key, rows()).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Conflict, "{fault:?}");
        assert!(storage.read(&key).await.unwrap() == bytes, "{fault:?}");
    }
}

#[tokio::test]
async fn a_success_that_holds_an_error_or_nothing_is_said_to_be_none() {
    for (fault, said) in [
        (Fault::ErrorInSuccess, "answers 200 InternalError"),
        (Fault::EmptySuccess, "without the ETag"),
    ] {
        let server = S3Server::start();
        let storage = storage(&server).await;
        server.fail(Asked::Put, fault, LASTING);
        let error = storage.create(&shard(1), rows()).await.unwrap_err();
        let told = chain(&error);
        for words in ["cannot create", "bucket synth2real", said] {
            assert!(told.contains(words), "{told}");
        }
        assert!(!storage.exists(&shard(1)).await.unwrap());
    }
}

#[tokio::test]
async fn a_writer_that_is_gone_in_the_middle_of_a_put_leaves_nothing() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    let before = server.requests(Asked::Put);
    server.fail(Asked::Put, Fault::Silence, 1);
    let writer = tokio::spawn({
        let (storage, bytes) = (storage.clone(), Bytes::from(vec![7; LARGE]));
        async move { storage.create(&shard(1), bytes).await }
    });
    while server.requests(Asked::Put) == before {
        tokio::task::yield_now().await;
    }
    writer.abort();
    assert!(writer.await.unwrap_err().is_cancelled());
    assert!(!storage.exists(&shard(1)).await.unwrap());
    let created = storage.create(&shard(1), rows()).await.unwrap();
    assert_eq!(created, Created::New);
    assert_eq!(list_all(&storage, &shards()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_object_larger_than_a_put_may_be_is_refused_before_anything_is_sent() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    // It takes no room: nothing is written into it.
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len((5 << 30) + 1).unwrap();
    let replaced = storage.replace_from_file(&manifest(), file.path()).await;
    let error = replaced.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Denied);
    let told = chain(&error);
    let address = storage.locate(&manifest());
    for words in [
        address.as_str(),
        "5368709121 bytes",
        "5368709120 (5 GiB)",
        "a folder as its root",
    ] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    assert_eq!(server.requests(Asked::Put), 0);
}
