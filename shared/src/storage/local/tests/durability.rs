//! What is stored survives a crash, with every name on the way to it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::artifact::ArtifactKey;
use crate::storage::local::durability::sync_folder;
use crate::storage::local::{DiskStep, LocalStorage};
use crate::storage::{Created, Storage, StorageErrorKind};

/// What was synced, with the names that were in it then.
static SYNCED: Mutex<Vec<(PathBuf, Vec<String>)>> = Mutex::new(Vec::new());

fn recording(folder: &Path) -> io::Result<()> {
    let names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let names: io::Result<Vec<_>> = names.collect();
    let names = names?
        .into_iter()
        .map(|name| name.to_string_lossy().into_owned());
    let synced = (folder.to_owned(), names.collect());
    SYNCED.lock().unwrap().push(synced);
    sync_folder(folder)
}

/// Returns what was synced below a folder since the last time, as `folder/name` for each name that was there.
fn synced_below(folder: &Path) -> HashSet<PathBuf> {
    let mut synced = SYNCED.lock().unwrap();
    let of_folder = synced.extract_if(.., |(path, _)| path.starts_with(folder));
    of_folder
        .flat_map(|(path, names)| names.into_iter().map(move |name| path.join(name)))
        .collect()
}

#[tokio::test]
async fn when_create_has_returned_every_name_on_the_way_to_the_object_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("not/yet");
    let new = || LocalStorage {
        sync_folder: recording,
        ..LocalStorage::new(&root)
    };
    let image = |style: &str, content: &str| {
        let item = crate::ids::ItemId {
            style: style.to_owned(),
            content: content.to_owned(),
        };
        ArtifactKey::Image("demo".parse().unwrap(), item)
    };
    // Everything from the folder that was there to the object.
    let is_durable = |storage: &LocalStorage, key: &ArtifactKey, from: &Path| {
        let synced = synced_below(folder.path());
        let object = storage.file(key, "read").unwrap();
        for path in object.ancestors().take_while(|path| *path != from) {
            assert!(synced.contains(path), "{} is not synced", path.display());
        }
    };
    let bytes = Bytes::from_static(b"bytes");

    let storage = new();
    let first = image("fog", "1");
    let created = storage.create(&first, bytes.clone()).await;
    assert_eq!(created.unwrap(), Created::New);
    is_durable(&storage, &first, folder.path());

    let other_style = image("night", "1");
    storage.create(&other_style, bytes.clone()).await.unwrap();
    is_durable(&storage, &other_style, &root.join("runs/demo/images"));

    // The folders are known by now.
    let second = image("fog", "2");
    storage.create(&second, bytes.clone()).await.unwrap();
    let fog = root.join("runs/demo/images/fog");
    let expected: HashSet<PathBuf> = ["1.png", "2.png"].map(|name| fog.join(name)).into();
    assert_eq!(synced_below(folder.path()), expected);

    let created = storage.create(&second, bytes.clone()).await;
    assert_eq!(created.unwrap(), Created::AlreadyThere);
    assert_eq!(synced_below(folder.path()), expected);

    // What another process made, it may not have synced.
    let other_process = new();
    let created = other_process.create(&second, bytes.clone()).await;
    assert_eq!(created.unwrap(), Created::AlreadyThere);
    is_durable(&other_process, &second, &root);

    fs::remove_dir_all(root.join("runs")).unwrap();
    storage.replace(&second, bytes).await.unwrap();
    is_durable(&storage, &second, &root);

    // Nor what is found there, with other bytes or with none that anybody asks about.
    let created = new().create(&second, Bytes::from_static(b"other")).await;
    assert_eq!(created.unwrap_err().kind, StorageErrorKind::Conflict);
    is_durable(&storage, &second, &root);
    new().settle(&second).await.unwrap();
    is_durable(&storage, &second, &root);
}

#[test]
fn a_link_that_is_found_is_synced_before_it_is_said_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let storage = LocalStorage {
        sync_folder: recording,
        ..LocalStorage::new(&root)
    };
    let file = folder.path().join("file");
    fs::write(&file, b"bytes").unwrap();
    let link = root.join("link");
    for expected in [Created::New, Created::AlreadyThere] {
        assert_eq!(storage.link_new(&file, &link).unwrap(), expected);
        let synced = synced_below(folder.path());
        assert!(synced.contains(&link), "{expected:?}: {synced:?}");
    }
}

#[tokio::test]
async fn what_is_gone_is_settled_without_a_word_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let key = ArtifactKey::Manifest("demo".parse().unwrap());
    storage.settle(&key).await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn each_step_is_told_once_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let listen = move |step: DiskStep<'_>| {
        let step = match step {
            DiskStep::BytesSynced(file) => ("bytes", fs::read(file).unwrap() == b"rows"),
            DiskStep::Renamed { from, to } => ("name", !from.exists() && to.exists()),
            DiskStep::NamesSynced(folder) => ("folder", folder.is_dir()),
        };
        listener.lock().unwrap().push(step);
    };
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let storage = LocalStorage::telling(&root, Arc::new(listen));
    let key = ArtifactKey::Manifest("demo".parse().unwrap());
    let rows = Bytes::from_static(b"rows");
    storage.replace(&key, rows.clone()).await.unwrap();
    let done = |what: &'static str| (what, true);
    let folders = [done("folder"); 3];
    let object = ["bytes", "name", "folder"].map(done);
    let first: Vec<_> = folders.into_iter().chain(object).collect();
    assert_eq!(*told.lock().unwrap(), first);

    told.lock().unwrap().clear();
    storage.create(&key, rows).await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["bytes", "folder"].map(done));
}

#[tokio::test]
async fn a_folder_around_the_root_that_cannot_be_read_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage {
        sync_folder: |_| Err(io::ErrorKind::PermissionDenied.into()),
        ..LocalStorage::new(folder.path().join("root"))
    };
    storage.make_folder(&folder.path().join("root")).unwrap();
    let below = storage.make_folder(&folder.path().join("root/runs"));
    assert_eq!(below.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
}
