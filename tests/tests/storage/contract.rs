//! The contract on S3 servers that have nothing in common.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;

use shared::location::BucketPrefix;
use shared::s3::{S3Credentials, S3Settings};
use shared::storage::{Created, S3Storage, Storage, StorageErrorKind, conformance};
use tests::promised;
use tests::s3_server::{Asked, S3Server, bucket};

use crate::{chain, rows, shard, storage};

async fn check(at: &BucketPrefix, settings: &S3Settings) {
    let storage = S3Storage::open(at, settings).await.unwrap();
    conformance::check(&storage).await;
}

/// Returns how to reach moto, which asks for no keys, and a new bucket there.
fn moto() -> Option<(S3Settings, String)> {
    let how = "run the tests as infra/with-servers.sh cargo test ..., which starts one";
    let endpoint = env::var("MOTO_ENDPOINT").ok();
    let endpoint = promised::or_left_out("moto, an S3 server (MOTO_ENDPOINT)", how, endpoint)?;
    let keys = S3Credentials {
        access_key_id: "any".to_owned(),
        secret_access_key: "any".to_owned(),
    };
    let name = format!("bucket-{}", uuid());
    let host = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!(
        "PUT /{name} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
    Some((S3Settings::at(endpoint, keys), name))
}

/// Returns how to reach SeaweedFS, and the name of a bucket that it makes at the first write.
fn seaweedfs() -> Option<(S3Settings, String)> {
    let how = "run the tests as infra/with-servers.sh cargo test ..., which starts one";
    let endpoint = env::var("SEAWEEDFS_ENDPOINT").ok();
    let what = "SeaweedFS, an S3 server (SEAWEEDFS_ENDPOINT)";
    let endpoint = promised::or_left_out(what, how, endpoint)?;
    let keys = S3Credentials {
        access_key_id: "tests".to_owned(),
        secret_access_key: "secret-of-tests".to_owned(),
    };
    let name = format!("bucket-{}", uuid());
    Some((S3Settings::at(endpoint, keys), name))
}

/// Returns a name that no test had before.
fn uuid() -> String {
    let folder = tempfile::Builder::new().prefix("").tempdir().unwrap();
    let name = folder.path().file_name().unwrap().to_string_lossy();
    format!("{}-{}", std::process::id(), name.to_lowercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract() {
    let server = S3Server::start();
    check(&server.bucket(""), &server.settings()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_in_a_bucket_keeps_the_contract() {
    let server = S3Server::start();
    check(&server.bucket("a b/c+d/"), &server.settings()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_moto_keeps_the_contract() {
    if let Some((settings, name)) = moto() {
        check(&bucket(&name, "a/b/"), &settings).await;
    }
}

/// Of listings it does not: what is in a folder comes before what has the folder's name with more behind it, `night/1.png`
/// before `night-2/1.png`. A run with such styles would stop at its first listing, so every start refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_seaweedfs_keeps_the_contract_of_objects_and_is_refused_for_its_order() {
    if let Some((settings, name)) = seaweedfs() {
        let at = bucket(&name, "a/b/");
        let storage = S3Storage::open(&at, &settings).await.unwrap();
        conformance::check_objects(&storage).await;

        let error = storage.check_writable().await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Denied);
        let told = chain(&error);
        let words = format!("bucket {name} lists its objects in another order than S3 does");
        assert!(told.contains(&words), "{told}");
    }
}

/// `S3_ENDPOINT` and `S3_BUCKET` name a store, `AWS_*` its keys.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a store of your own: S3_ENDPOINT, S3_BUCKET and AWS_* in the environment"]
async fn a_bucket_of_the_given_store_keeps_the_contract() {
    let given = |variable| env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"));
    let settings = S3Settings {
        endpoint: Some(given("S3_ENDPOINT")),
        ..S3Settings::from_env()
    };
    let at = bucket(&given("S3_BUCKET"), &format!("tests/{}/", uuid()));
    check(&at, &settings).await;
}

#[tokio::test]
async fn what_is_there_is_compared_by_its_digest_and_read_only_if_it_has_none() {
    let server = S3Server::start();
    let storage = storage(&server).await;
    storage.create(&shard(1), rows()).await.unwrap();
    let again = storage.create(&shard(1), rows()).await.unwrap();
    assert_eq!(again, Created::AlreadyThere);
    assert_eq!(server.requests(Asked::Get), 0);

    let copied = server.folder().join("some/prefix").join(shard(2).path());
    std::fs::write(copied, rows()).unwrap();
    let again = storage.create(&shard(2), rows()).await.unwrap();
    assert_eq!(again, Created::AlreadyThere);
    let other = vec![b'x'; rows().len()];
    let error = storage.create(&shard(2), other.into()).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Conflict);
    assert_eq!(server.requests(Asked::Get), 2);
}

/// `s3s-fs` makes a bucket that is missing; S3 and moto refuse.
#[tokio::test]
async fn a_bucket_that_is_missing_is_named() {
    if let Some((settings, _)) = moto() {
        let at = bucket("no-such-bucket", "");
        let storage = S3Storage::open(&at, &settings).await.unwrap();
        let writable = storage.check_writable().await.unwrap_err();
        let created = storage.create(&shard(1), rows()).await.unwrap_err();
        let read = storage.read(&shard(1)).await.unwrap_err();
        for error in [writable, created, read] {
            assert_eq!(error.kind, StorageErrorKind::Denied);
            let text = chain(&error);
            assert!(
                text.contains("bucket no-such-bucket answers 404 NoSuchBucket"),
                "{text}"
            );
            assert!(text.contains("AWS_ENDPOINT_URL_S3"), "{text}");
        }
    }
}
