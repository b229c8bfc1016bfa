//! Storage in a folder keeps the contract, and says what to do where it cannot.

mod durability;
mod file_systems;
mod hollow;
mod unfinished;

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::storage::{StorageErrorKind, conformance};

#[tokio::test]
async fn local_storage_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    conformance::check(&LocalStorage::new(folder.path().join("not/yet/there"))).await;
}

#[tokio::test]
async fn what_is_stored_is_as_readable_as_any_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let key = ArtifactKey::Manifest("demo".parse().unwrap());
    storage
        .replace(&key, Bytes::from_static(b"rows"))
        .await
        .unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, b"rows").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&storage.file(&key, "read").unwrap()), mode(&plain));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let storage = LocalStorage::new("/proc/synth2real");
    let error = storage
        .check_writable()
        .await
        .expect_err("nobody can write there");
    assert!(error.to_string().contains("/proc/synth2real"), "{error}");
}

#[test]
fn what_a_disk_refuses_says_what_to_do_about_it() {
    for (error, words) in [
        (Errno::ACCESS, "check the owner and mode"),
        (Errno::ROFS, "cannot be written; mount it anew"),
        (Errno::NOTDIR, "a file is in the place of a folder"),
        (Errno::NOSPC, "no space is left"),
    ] {
        let error = io_error("create", Path::new("/out/a"), error.into());
        assert!(error.to_string().contains(words), "{error}");
    }
    let elsewhere =
        LocalStorage::new("/out").explained(Errno::XDEV.into(), Path::new("/out/runs/a"));
    let told = crate::failure::chain(&io_error("create", Path::new("/out/runs/a"), elsewhere));
    for words in ["another file system than /out/.writing", "the whole root"] {
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn a_name_that_is_too_long_with_its_ending_is_no_outage() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let key = ArtifactKey::Label("demo".parse().unwrap(), "x".repeat(255));
    let created = storage.create(&key, Bytes::new()).await.map(drop);
    let read = storage.read(&key).await.map(drop);
    let found = storage.exists(&key).await.map(drop);
    for done in [created, read, found] {
        let error = done.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("shorten it"), "{error}");
    }
}
