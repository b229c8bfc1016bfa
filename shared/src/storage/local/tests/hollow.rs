//! A picture is created over what holds nothing, in one step, and over nothing else.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::storage::local::LocalStorage;
use crate::storage::local::naming::Naming;
use crate::storage::{Created, Storage, StorageErrorKind};

#[tokio::test]
async fn a_picture_is_created_over_what_is_no_file_and_over_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let key = ArtifactKey::Label("demo".parse().unwrap(), "1".to_owned());
    let path = folder.path().join(key.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    let link = |target: &Path| std::os::unix::fs::symlink(target, &path).unwrap();
    let mkfifo = || {
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
    };
    let places: [(&str, &dyn Fn()); 6] = [
        ("an empty file", &|| fs::write(&path, "").unwrap()),
        ("a broken link", &|| link(Path::new("/no/such/file"))),
        ("a link to itself", &|| link(Path::new("1.png"))),
        ("a link to a folder", &|| link(Path::new("/"))),
        ("a link to an empty file", &|| link(&elsewhere)),
        ("a pipe", &mkfifo),
    ];
    for (what, place) in places {
        place();
        let created = storage.create(&key, Bytes::from_static(b"label")).await;
        assert_eq!(created.unwrap(), Created::New, "{what}");
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{what}");
        assert_eq!(storage.read(&key).await.unwrap(), "label", "{what}");
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(
        fs::read(&elsewhere).unwrap(),
        b"",
        "only the link is removed"
    );

    fs::write(&elsewhere, "other").unwrap();
    link(&elsewhere);
    let error = storage.create(&key, Bytes::from_static(b"label")).await;
    assert_eq!(error.unwrap_err().kind, StorageErrorKind::Conflict);
    assert_eq!(fs::read(&elsewhere).unwrap(), b"other");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = storage.create(&key, Bytes::from_static(b"label")).await;
    assert!(error.is_err() && path.is_dir());
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_something_that_cannot_be_read_and_not_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let key = ArtifactKey::Tally("demo".parse().unwrap());
    let path = folder.path().join(key.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let nothing = storage.read(&key).await.unwrap_err();
    assert!(nothing.is_absent(), "{nothing}");
    for target in ["/no/such/file", "tally.json", "/etc/passwd/file"] {
        std::os::unix::fs::symlink(target, &path).unwrap();
        let error = storage.read(&key).await.unwrap_err();
        let told = crate::failure::chain(&error);
        assert!(!error.is_absent(), "{told}");
        assert_eq!(error.kind, StorageErrorKind::NotFound, "{told}");
        assert!(told.contains("a link that leads nowhere"), "{told}");
        let run = ArtifactPrefix::Run("demo".parse().unwrap());
        assert_eq!(storage.links(&run).await.unwrap(), [key.path()]);
        fs::remove_file(&path).unwrap();
    }
}

/// A writer that is ended between two steps, or comes after another one that filled the place, takes nothing from anybody.
#[tokio::test]
async fn the_place_of_an_emptied_picture_is_filled_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let key = ArtifactKey::Label("demo".parse().unwrap(), "1".to_owned());
    let path = folder.path().join(key.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    let unless_free = |from: &Path, to: &Path| {
        if fs::symlink_metadata(to).is_err() {
            return Err(io::Error::other("what was there is gone"));
        }
        (Naming::SYSTEM.rename)(from, to)
    };
    let storage = LocalStorage {
        naming: Naming {
            rename: unless_free,
            ..Naming::SYSTEM
        },
        ..LocalStorage::new(folder.path())
    };
    let create = || storage.create(&key, Bytes::from_static(b"label"));
    assert_eq!(create().await.unwrap(), Created::New);
    assert_eq!(storage.read(&key).await.unwrap(), "label");
    assert_eq!(create().await.unwrap(), Created::AlreadyThere);
}
