//! Storage in a folder: temporary file, fsync, then its name.
//!
//! - `unfinished`: temporary files, and what was left of some; `owner`: whose one is
//! - `naming`: how a file gets its name where none is; `create`: objects get theirs, and what is there already is looked at
//! - `hollow`: what is in the place of an object and holds nothing
//! - `durability`: names survive a crash, with those of all folders above them
//! - `probe`: the proof that a folder can keep results; `cause`, `mounts`: why one cannot, and what it is
//! - `steps`: what is done to the disk, told as it is done

mod cause;
mod create;
mod durability;
mod hollow;
mod mounts;
mod naming;
mod owner;
mod probe;
mod steps;
#[cfg(test)]
mod tests;
mod unfinished;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use rustix::io::Errno;
use tempfile::NamedTempFile;

use self::durability::sync_folder;
use self::hollow::told_of_links;
use self::naming::Naming;
use self::steps::Steps;
pub use self::steps::{DiskListener, DiskStep};
use self::unfinished::remove_abandoned;
use super::walk::{Found, Walk, links_below};
use super::{Created, ObjectMeta, Pages, Storage, StorageError, max_bytes_of, path_of};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::blocking;
use crate::ids::RunId;
use crate::read_file;
use crate::storage_error::disk::{error_of_making, io_error, is};

/// Unfinished files lie in this folder of the root, away from the images that people train on.
const TEMPORARY_FOLDER: &str = ".writing";

/// Objects as files below a folder.
#[derive(Debug, Clone)]
pub struct LocalStorage {
    root: PathBuf,
    naming: Naming,
    /// Makes the names in a folder survive a crash: the system's call, or that of a test.
    sync_folder: fn(&Path) -> io::Result<()>,
    /// Folders whose own names do, and those of all above them, as far as this process saw to it.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
    /// What is done to the disk.
    steps: Steps,
}

impl LocalStorage {
    /// Returns storage below `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            naming: Naming::SYSTEM,
            sync_folder,
            durable: Arc::default(),
            steps: Steps::default(),
        }
    }

    /// Returns storage below `root` that tells a listener of each step once it is done.
    #[cfg(any(test, feature = "conformance"))]
    #[must_use]
    pub fn telling(root: impl Into<PathBuf>, listener: DiskListener) -> Self {
        Self {
            steps: Steps::told_to(listener),
            ..Self::new(root)
        }
    }

    /// Returns the folder below which everything is stored.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the file of an object.
    fn file(&self, key: &ArtifactKey, operation: &'static str) -> Result<PathBuf, StorageError> {
        let path = path_of(key, operation, |key| self.locate(key))?;
        Ok(self.root.join(path))
    }
}

#[async_trait]
impl Storage for LocalStorage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        let path = self.file(key, "create")?;
        let (storage, is_picture) = (self.clone(), key.is_picture());
        blocking::run(move || {
            if is_picture {
                storage.create_picture(&path, &bytes)
            } else {
                storage.create_file(&path, &bytes)
            }
        })
        .await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        let (storage, path) = (self.clone(), self.file(key, "write")?);
        blocking::run(move || storage.replace_file(&path, &bytes)).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        let (path, file) = (self.file(key, "write")?, file.to_owned());
        let storage = self.clone();
        blocking::run(move || {
            let copy = || -> io::Result<()> {
                let mut temporary = storage.prepare(&path, b"")?;
                io::copy(&mut read_file::open(&file)?, temporary.as_file_mut())?;
                storage.sync_bytes(&temporary)?;
                storage.rename_over(temporary, &path)
            };
            copy().map_err(|e| error_of_making("write", &path, e))
        })
        .await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        self.read_within(key, max_bytes_of(key)).await
    }

    async fn read_within(&self, key: &ArtifactKey, max_bytes: u64) -> Result<Bytes, StorageError> {
        let path = self.file(key, "read")?;
        blocking::run(move || {
            let read = read_file::read(&path, max_bytes);
            let bytes = read.map_err(|e| io_error("read", &path, told_of_links(e, &path)))?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        let path = self.file(key, "look for")?;
        blocking::run(move || match path.try_exists() {
            Err(error) if is(&error, Errno::LOOP) => Ok(false),
            looked => looked.map_err(|e| io_error("look for", &path, e)),
        })
        .await
    }

    async fn settle(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        let (storage, path) = (self.clone(), self.file(key, "settle")?);
        blocking::run(move || storage.settle_file(&path)).await
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        let walk = Walk::new(self.root.clone(), Path::new(&prefix.path()));
        futures::stream::try_unfold(walk, |mut walk| {
            blocking::run(move || {
                let page = walk
                    .next_page()
                    .map_err(|(path, e)| io_error("list", &path, e))?;
                let page: Vec<_> = page.into_iter().map(listed).collect();
                Ok((!page.is_empty()).then_some((page, walk)))
            })
        })
        .boxed()
    }

    async fn links(&self, prefix: &ArtifactPrefix) -> Result<Vec<String>, StorageError> {
        let (root, folder) = (self.root.clone(), prefix.path());
        blocking::run(move || {
            let links = links_below(&root, Path::new(&folder));
            let links = links.map_err(|(path, e)| io_error("list", &path, e))?;
            let paths = links.iter().map(|path| path.to_string_lossy().into_owned());
            Ok(paths.collect())
        })
        .await
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        let folder = self.root.join(ArtifactPrefix::Runs.path());
        blocking::run(move || {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(io_error("list", &folder, error)),
            };
            let mut runs = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|e| io_error("list", &folder, e))?;
                runs.extend(
                    entry
                        .file_name()
                        .to_str()
                        .and_then(|name| name.parse().ok()),
                );
            }
            runs.sort();
            Ok(runs)
        })
        .await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking::run(move || {
            probe::run(&storage)?;
            remove_abandoned(&storage.root.join(TEMPORARY_FOLDER), "");
            for folder in ["", &ArtifactPrefix::Runs.path()] {
                remove_abandoned(&storage.root.join(folder), probe::PREFIX);
            }
            Ok(())
        })
        .await
    }

    fn temporary_file(&self) -> Result<NamedTempFile, StorageError> {
        let made = self.new_temporary();
        made.map_err(|e| io_error("write below", &self.root, e))
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.root.join(key.path()).display().to_string()
    }
}

fn listed(found: Found) -> ObjectMeta {
    ObjectMeta {
        path: found.path.to_string_lossy().into_owned(),
        size_bytes: found.size_bytes,
    }
}
