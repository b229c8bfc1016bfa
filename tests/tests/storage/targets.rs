//! Files of any size that are written into buckets: what is there is known by the store's own digest, and read where it
//! keeps none.

use std::fs;
use std::io::Write;

use shared::digest;
use shared::storage::{Created, StorageErrorKind};
use shared::target::{BucketTarget, Target};
use tempfile::NamedTempFile;
use tests::s3_server::{Asked, Fault, S3Server};

use crate::impatient;

async fn target(server: &S3Server) -> BucketTarget {
    let at = server.bucket("sets/");
    BucketTarget::open(&at, &impatient(server)).await.unwrap()
}

fn made(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[tokio::test]
async fn a_file_that_is_there_is_compared_by_the_digest_of_the_store_and_not_read() {
    let server = S3Server::start();
    let target = target(&server).await;
    let create = |bytes: &[u8]| target.create_from("a.tar", made(bytes));
    assert_eq!(create(b"items").await.unwrap(), Created::New);
    assert_eq!(create(b"items").await.unwrap(), Created::AlreadyThere);
    server.fail(Asked::Put, Fault::CutAfter, 1);
    assert_eq!(create(b"items").await.unwrap(), Created::AlreadyThere);
    for other in [&b"other"[..], b"longer ones", b""] {
        let refused = create(other).await.unwrap_err();
        assert_eq!(refused.kind, StorageErrorKind::Conflict);
    }
    let stored = target.stored_sha256("a.tar").await.unwrap();
    assert_eq!(stored, digest::sha256(b"items"));
    assert_eq!(server.requests(Asked::Get), 0, "it was read");
}

#[tokio::test]
async fn a_file_of_which_the_store_keeps_no_digest_is_read() {
    let server = S3Server::start();
    let target = target(&server).await;
    fs::create_dir_all(server.folder().join("sets")).unwrap();
    fs::write(server.folder().join("sets/a.tar"), "items").unwrap();
    let create = |bytes: &[u8]| target.create_from("a.tar", made(bytes));
    assert_eq!(create(b"items").await.unwrap(), Created::AlreadyThere);
    let refused = create(b"other").await.unwrap_err();
    assert_eq!(refused.kind, StorageErrorKind::Conflict);
    let stored = target.stored_sha256("a.tar").await.unwrap();
    assert_eq!(stored, digest::sha256(b"items"));
    assert_eq!(server.requests(Asked::Get), 3);
    let absent = target.stored_sha256("b.tar").await.unwrap_err();
    assert!(absent.is_absent(), "{absent}");
}

#[tokio::test]
async fn a_digest_is_of_all_bytes_also_when_reading_breaks_off() {
    let server = S3Server::start();
    let target = target(&server).await;
    let bytes = vec![7; 3_000_017];
    let _ = target.create_from("a.tar", made(&bytes)).await.unwrap();
    server.fail(Asked::Get, Fault::CutInside, 2);
    let read = target.sha256("a.tar").await.unwrap();
    assert_eq!(read, digest::sha256(&bytes));
    assert_eq!(server.requests(Asked::Get), 3);
    server.fail(Asked::Get, Fault::CutInside, 100);
    let broken = target.sha256("a.tar").await.unwrap_err();
    assert_eq!(broken.kind, StorageErrorKind::Unavailable);
}
