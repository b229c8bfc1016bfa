use super::*;
use crate::storage::{conformance, list_all};

#[tokio::test]
async fn local_storage_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    conformance::check(&LocalStorage::new(folder.path().join("not/yet/there"))).await;
}

#[tokio::test]
async fn an_unfinished_file_lies_away_from_every_run_and_goes_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let new = storage.write_temporary(b"half").unwrap();
    let old = storage.write_temporary(b"half").unwrap();
    let two_days_ago = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
    old.as_file().set_modified(two_days_ago).unwrap();
    assert_eq!(
        list_all(&storage, &ArtifactPrefix::Runs).await.unwrap(),
        vec![]
    );
    storage.check_writable().await.unwrap();
    assert!(new.path().exists() && !old.path().exists());
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

#[tokio::test]
async fn a_trial_that_was_killed_is_no_run_and_is_removed_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let places = [
        ".trial-old",
        "runs/.trial-old",
        "runs/.trial-new",
        "runs/kept",
    ];
    for place in places {
        fs::create_dir_all(folder.path().join(place)).unwrap();
        fs::write(folder.path().join(place).join("created"), "x").unwrap();
    }
    let two_days_ago = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
    for place in places.iter().filter(|place| !place.ends_with("new")) {
        let place = File::open(folder.path().join(place)).unwrap();
        place.set_modified(two_days_ago).unwrap();
    }
    storage.check_writable().await.unwrap();
    let there = |place: &&str| folder.path().join(place).exists();
    let left: Vec<_> = places.into_iter().filter(|place| there(place)).collect();
    assert_eq!(left, ["runs/.trial-new", "runs/kept"]);
    assert_eq!(storage.runs().await.unwrap(), ["kept".parse().unwrap()]);
}

#[tokio::test]
async fn a_file_for_what_is_to_be_stored_lies_beside_unfinished_ones() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let file = storage.temporary_file().unwrap();
    assert_eq!(
        file.path().parent().unwrap(),
        folder.path().join(TEMPORARY_FOLDER)
    );
    let error = LocalStorage::new("/proc/synth2real")
        .temporary_file()
        .unwrap_err();
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
