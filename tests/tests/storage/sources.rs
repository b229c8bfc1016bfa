//! Files that are read from buckets.

use std::fs;
use std::path::{Path, PathBuf};

use shared::digest;
use shared::location::Location;
use shared::source::{BucketSource, CachedSource, LocalSource, Source, local_folder};
use shared::storage::StorageErrorKind;
use tests::s3_server::{Asked, Fault, S3Server};

use crate::impatient;

/// A dataset; hidden files and folders' markers are not part of it.
const FILES: [(&str, &str); 5] = [
    ("images-2/c.png", "c"),
    ("images/a b.png", "a"),
    ("images/é/b.png", "b"),
    ("labels/a b.png", "label"),
    ("model.json", "{}"),
];

fn write(root: &Path) {
    for (path, text) in FILES
        .into_iter()
        .chain([("images/.hidden", ""), (".git/x", "")])
    {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Returns a server with the dataset below `data/`, and the source there.
async fn dataset() -> (S3Server, BucketSource) {
    let server = S3Server::start();
    write(&server.folder().join("data"));
    fs::create_dir_all(server.folder().join("data2")).unwrap();
    fs::write(server.folder().join("data2/other"), "").unwrap();
    let source = BucketSource::open(&server.bucket("data/"), &impatient(&server)).await;
    (server, source.unwrap())
}

async fn reads_a_dataset(source: &dyn Source) {
    let listed = source.list(Path::new("")).await.unwrap();
    let paths: Vec<_> = listed
        .iter()
        .map(|file| file.path.to_str().unwrap())
        .collect();
    assert_eq!(paths, FILES.map(|(path, _)| path));
    for (file, (path, text)) in listed.iter().zip(FILES) {
        assert_eq!(file.size_bytes, text.len() as u64, "{path}");
        assert_eq!(source.read(&file.path).await.unwrap(), text);
    }
    for folder in ["images", "images/"] {
        assert_eq!(source.list(Path::new(folder)).await.unwrap().len(), 2);
    }
    assert_eq!(source.list(Path::new("no such")).await.unwrap(), []);

    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy");
    source
        .fetch(Path::new("images/é/b.png"), &to)
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "b");
    let missing = Path::new("images/none.png");
    for error in [
        source.read(missing).await.unwrap_err(),
        source.fetch(missing, &to).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, StorageErrorKind::NotFound);
        assert!(
            error.to_string().contains(&source.locate(missing)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_folder_a_bucket_and_a_cached_bucket_are_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    reads_a_dataset(&LocalSource::new(folder.path())).await;
    let (_server, bucket) = dataset().await;
    reads_a_dataset(&bucket).await;
    let cached = CachedSource::new(bucket, folder.path(), 1 << 20);
    reads_a_dataset(&cached).await;
    reads_a_dataset(&cached).await;
}

/// Returns the only copy of a cache.
fn copy(cache: &Path) -> PathBuf {
    let mut copies = fs::read_dir(cache.join("objects")).unwrap();
    copies.next().unwrap().unwrap().path()
}

#[tokio::test]
async fn a_copy_is_read_until_the_object_changes_or_the_copy_is_damaged() {
    let (server, bucket) = dataset().await;
    let cache = tempfile::tempdir().unwrap();
    let source = CachedSource::new(bucket, cache.path(), 1 << 20);
    let path = Path::new("images/a b.png");
    let got = async |text: &str, gets: usize| {
        assert_eq!(source.read(path).await.unwrap(), text);
        assert_eq!(server.requests(Asked::Get), gets, "{text}");
    };
    got("a", 1).await;
    got("a", 1).await;

    let damaged = copy(cache.path());
    let mut bytes = fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() = b'z';
    fs::write(&damaged, bytes).unwrap();
    got("a", 2).await;
    got("a", 2).await;

    // The same length: only the tag tells.
    fs::write(server.folder().join("data").join(path), "A").unwrap();
    got("A", 3).await;
    fs::remove_dir_all(cache.path().join("objects")).unwrap();
    got("A", 4).await;
    got("A", 4).await;
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_costs_only_time() {
    let (server, bucket) = dataset().await;
    let source = CachedSource::new(bucket, Path::new("/proc/synth2real"), 1 << 20);
    for _ in 0..2 {
        assert_eq!(source.read(Path::new("images/a b.png")).await.unwrap(), "a");
    }
    assert_eq!(server.requests(Asked::Get), 2);
}

#[tokio::test]
async fn a_model_in_a_bucket_is_fetched_once_by_many() {
    let (server, source) = dataset().await;
    let cache = tempfile::tempdir().unwrap();
    let location = Location::Bucket(server.bucket("data/"));
    // A process that fetched the same model was killed.
    let name = format!(".fetching-{}-killed", digest::sha256(b"{}"));
    let leftover = cache.path().join("models").join(name);
    fs::create_dir_all(&leftover).unwrap();
    server.fail(Asked::Get, Fault::CutInside, 2);
    let asks = (0..4).map(|_| local_folder(&location, &source, "model.json", cache.path()));
    let folders = futures::future::try_join_all(asks).await.unwrap();

    let model = cache.path().join("models").join(digest::sha256(b"{}"));
    assert!(folders.iter().all(|folder| *folder == model));
    assert!(!leftover.exists());
    for (path, text) in FILES {
        assert_eq!(fs::read_to_string(model.join(path)).unwrap(), text);
    }
    // Four read the contract, one fetches the other files, and two downloads broke off.
    assert_eq!(server.requests(Asked::Get), 4 + (FILES.len() - 1) + 2);
    let beside = fs::read_dir(cache.path().join("models")).unwrap();
    let beside = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(beside.into_iter().all(|name| !name.starts_with('.')));
}

#[tokio::test]
async fn a_model_that_is_fetched_in_part_is_no_model() {
    let (server, source) = dataset().await;
    let cache = tempfile::tempdir().unwrap();
    let location = Location::Bucket(server.bucket("data/"));
    server.fail(Asked::List, Fault::SlowDown, 100);
    let error = local_folder(&location, &source, "model.json", cache.path())
        .await
        .unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Unavailable);
    server.fail(Asked::List, Fault::SlowDown, 0);
    let model = local_folder(&location, &source, "model.json", cache.path())
        .await
        .unwrap();
    assert!(model.join("model.json").exists() && model.join("images/a b.png").exists());
}

#[tokio::test]
async fn a_model_in_a_folder_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    let source = LocalSource::new(folder.path());
    let model = local_folder(
        &location,
        &source,
        "model.json",
        Path::new("/no/such/cache"),
    )
    .await
    .unwrap();
    assert_eq!(model, folder.path());
}
