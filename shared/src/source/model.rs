//! An exported network as a folder of this machine, wherever it lies.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::{Source, SourceFile};
use crate::blocking;
use crate::digest;
use crate::location::Location;
use crate::storage::StorageError;
use crate::storage_error::disk::io_error;

/// Files that are fetched at the same time.
const AT_ONCE: usize = 4;
/// How often to see whether the process that fetches the same model is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Returns a folder that holds the network at a location: the location itself, or a copy of the bucket's files.
///
/// `contract` is the file that makes the folder a network and holds the digests of its other files: `model.json`,
/// `features.json`, ... Copies lie below `cache_dir/models`, one for each contract by its SHA-256, and are made once,
/// however many processes ask. Their digests are checked where the network is loaded.
///
/// # Errors
///
/// `NotFound` if there is no model, `Denied`, `Unavailable`, or `Full` if it does not fit here.
pub async fn local_folder(
    location: &Location,
    source: &dyn Source,
    contract: &str,
    cache_dir: &Path,
) -> Result<PathBuf, StorageError> {
    if let Location::Folder(folder) = location {
        return Ok(folder.clone());
    }
    let contract = Contract {
        path: PathBuf::from(contract),
        bytes: source.read(Path::new(contract)).await?,
    };
    let models = cache_dir.join("models");
    let folder = models.join(digest::sha256(&contract.bytes));
    if folder.is_dir() {
        return Ok(folder);
    }
    let made = tokio::fs::create_dir_all(&models).await;
    made.map_err(|e| io_error("create", &models, e))?;
    let lock = lock(&folder.with_extension("lock")).await;
    if folder.is_dir() {
        return Ok(folder);
    }
    if lock.is_some() {
        remove_unfinished(&folder);
    }
    fetch_all(source, contract, &folder).await?;
    Ok(folder)
}

struct Contract {
    path: PathBuf,
    bytes: Bytes,
}

async fn fetch_all(
    source: &dyn Source,
    contract: Contract,
    folder: &Path,
) -> Result<(), StorageError> {
    let models = folder.parent().unwrap_or(folder);
    let unfinished = tempfile::Builder::new()
        .prefix(&unfinished_prefix(folder))
        .tempdir_in(models);
    let unfinished = unfinished.map_err(|e| io_error("create", models, e))?;
    let mut files = source.list(Path::new("")).await?;
    files.retain(|file| file.path != contract.path);
    futures::stream::iter(files)
        .map(|file| fetch(source, file, unfinished.path()))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;

    let folder = folder.to_owned();
    blocking::run(move || {
        let finish = || {
            let path = unfinished.path().join(&contract.path);
            fs::write(&path, &contract.bytes)?;
            File::open(&path)?.sync_all()?;
            // Another process that could not see our lock may have been faster; what is there is whole.
            match fs::rename(unfinished.path(), &folder) {
                Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
                _ => Ok(()),
            }
        };
        finish().map_err(|e| io_error("create", &folder, e))
    })
    .await
}

async fn fetch(source: &dyn Source, file: SourceFile, below: &Path) -> Result<(), StorageError> {
    let to = below.join(&file.path);
    let folder = to.parent().unwrap_or(below);
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|e| io_error("create", folder, e))?;
    source.fetch(&file.path, &to).await
}

/// Returns how the names of folders begin in which a model is being made.
fn unfinished_prefix(folder: &Path) -> String {
    let sha256 = folder.file_name().unwrap_or_default().to_string_lossy();
    format!(".fetching-{sha256}-")
}

/// Leftovers of processes that were killed only cost space, so one that cannot be removed is left.
fn remove_unfinished(folder: &Path) {
    let (prefix, models) = (unfinished_prefix(folder), folder.parent().unwrap_or(folder));
    for entry in fs::read_dir(models).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns a lock once it is ours; nothing where files cannot be locked. It ends with the process that holds it.
async fn lock(path: &Path) -> Option<File> {
    let file = File::create(path).ok()?;
    loop {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(TryLockError::Error(_)) => return None,
        }
    }
}
