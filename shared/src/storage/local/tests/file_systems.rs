//! File systems that lack what creates rely on: one is used in another way, or refused with what helps.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use rustix::io::Errno;

use crate::artifact::ArtifactKey;
use crate::storage::local::naming::Naming;
use crate::storage::local::{LocalStorage, TEMPORARY_FOLDER, mounts};
use crate::storage::{Storage, StorageErrorKind, conformance};

/// A file system on which renames and links end with these errors, or are the system's own.
fn on(
    rename: Option<fn(&Path, &Path) -> io::Result<()>>,
    link: Option<fn(&Path, &Path) -> io::Result<()>>,
) -> (tempfile::TempDir, LocalStorage) {
    let folder = tempfile::tempdir().unwrap();
    let mut storage = LocalStorage::new(folder.path());
    storage.naming = Naming {
        rename: rename.unwrap_or(Naming::SYSTEM.rename),
        link: link.unwrap_or(Naming::SYSTEM.link),
    };
    (folder, storage)
}

fn unknown(_: &Path, _: &Path) -> io::Result<()> {
    Err(Errno::INVAL.into())
}

fn not_permitted(_: &Path, _: &Path) -> io::Result<()> {
    Err(Errno::PERM.into())
}

fn overwrites(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Looks and then renames, as a file system without a lock.
fn looks_before(from: &Path, to: &Path) -> io::Result<()> {
    static ALL_LOOKED: std::sync::Barrier = std::sync::Barrier::new(8);
    if to.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if to.ends_with("contended") {
        ALL_LOOKED.wait();
    }
    fs::rename(from, to)
}

fn loses(from: &Path, to: &Path) -> io::Result<()> {
    if to.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::write(from, "torn")?;
    fs::rename(from, to)
}

async fn refused(storage: &LocalStorage) -> String {
    let error = storage
        .check_writable()
        .await
        .expect_err("it cannot keep results");
    assert_eq!(error.kind, StorageErrorKind::Denied);
    let left: Vec<_> = fs::read_dir(storage.root()).unwrap().flatten().collect();
    assert_eq!(
        left.len(),
        1,
        "only the folder for unfinished files: {left:?}"
    );
    let told = crate::failure::chain(&error);
    let root = storage.root().display();
    assert!(
        told.starts_with(&format!("cannot store results in {root}: ")),
        "{told}"
    );
    told
}

#[tokio::test]
async fn a_file_system_without_renames_that_replace_nothing_is_used_by_hard_links() {
    let (_folder, storage) = on(Some(unknown), None);
    conformance::check(&storage).await;
    let unfinished = storage.root().join(TEMPORARY_FOLDER);
    assert_eq!(fs::read_dir(unfinished).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_system_without_hard_links_is_used_by_renames() {
    let (_folder, storage) = on(None, Some(not_permitted));
    conformance::check(&storage).await;
}

#[tokio::test]
async fn a_file_system_with_neither_is_refused_by_its_name_and_with_what_helps() {
    for link in [unknown, not_permitted] {
        let (folder, storage) = on(Some(unknown), Some(link));
        let told = refused(&storage).await;
        let name = mounts::file_system_of(folder.path()).unwrap();
        for words in [
            "neither hard links nor a rename that replaces nothing",
            &format!("its file system is {name}"),
            "a local disk or on NFS, or a bucket",
        ] {
            assert!(told.contains(words), "{told}");
        }
        assert!(!told.contains("owner and mode"), "{told}");
        let key = ArtifactKey::Manifest("demo".parse().unwrap());
        let created = storage.create(&key, Bytes::from_static(b"rows")).await;
        assert_eq!(created.unwrap_err().kind, StorageErrorKind::Denied);
    }
}

#[tokio::test]
async fn a_file_system_that_overwrites_is_refused() {
    let (_folder, storage) = on(Some(overwrites), None);
    let told = refused(&storage).await;
    assert!(
        told.contains("does not notice that a file is there"),
        "{told}"
    );
}

#[tokio::test]
async fn a_file_system_that_lets_several_creates_at_once_succeed_is_refused() {
    let (_folder, storage) = on(Some(looks_before), None);
    let told = refused(&storage).await;
    assert!(
        told.contains("of eight creates of one file at once"),
        "{told}"
    );
}

#[tokio::test]
async fn a_file_system_that_gives_back_other_bytes_is_refused() {
    let (_folder, storage) = on(Some(loses), None);
    let told = refused(&storage).await;
    assert!(
        told.contains("does not give back what was written"),
        "{told}"
    );
}
