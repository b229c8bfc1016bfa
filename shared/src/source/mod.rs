//! Trees of files that are only read: datasets and models, in a folder or a bucket.
//!
//! - [`LocalSource`]: a folder; [`BucketSource`]: a bucket; [`CachedSource`]: a bucket with copies on this machine's disk
//! - [`local_folder`]: a model as a folder of this machine, wherever it lies

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::globs::Globs;
use crate::location::Location;
use crate::s3::S3Settings;
use crate::storage::{StorageError, StorageErrorKind, within};

mod bucket;
mod cache;
mod disk_cache;
mod local;
mod model;
mod walk;

pub use bucket::BucketSource;
pub use cache::CachedSource;
pub use local::LocalSource;
pub use model::local_folder;

/// Returns the files at a location; a bucket is reached as the SDK's environment says (`AWS_*`).
///
/// # Errors
///
/// `Denied` if the environment does not say where the bucket is.
pub async fn open(location: &Location) -> Result<Arc<dyn Source>, StorageError> {
    match location {
        Location::Folder(folder) => Ok(Arc::new(LocalSource::new(folder))),
        Location::Bucket(at) => {
            let source = BucketSource::open(at, &S3Settings::from_env()).await?;
            Ok(Arc::new(source))
        }
    }
}

/// Returns the files at a location as [`open`] does, those of a bucket with copies of at most `max_bytes` in `cache_dir`.
///
/// # Errors
///
/// `Denied` if the environment does not say where the bucket is.
pub async fn open_cached(
    location: &Location,
    cache_dir: &Path,
    max_bytes: u64,
) -> Result<Arc<dyn Source>, StorageError> {
    match location {
        Location::Folder(_) => open(location).await,
        Location::Bucket(at) => {
            let source = BucketSource::open(at, &S3Settings::from_env()).await?;
            Ok(Arc::new(CachedSource::new(source, cache_dir, max_bytes)))
        }
    }
}

/// Returns the bytes of the file at a location.
///
/// # Errors
///
/// `NotFound` if it is not there or is no file, `Denied` or `Unavailable`.
pub async fn read_file(location: &Location) -> Result<Bytes, StorageError> {
    let Some((folder, name)) = location.split_file() else {
        return Err(StorageError {
            kind: StorageErrorKind::NotFound,
            operation: "read",
            path: location.to_string(),
            source: None,
        });
    };
    open(&folder).await?.read(Path::new(&name)).await
}

/// A file of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// Path below the root, with `/` between its parts.
    pub path: PathBuf,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// The files below a folder, as far as it can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The files, sorted by the bytes of their paths.
    pub files: Vec<SourceFile>,
    /// Folders that cannot be read, and need not be.
    pub unread: Vec<PathBuf>,
}

/// A tree of files that are only read.
///
/// Errors are [`crate::storage::StorageErrorKind::NotFound`], `Denied` or `Unavailable`.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// Returns the files at any depth below a folder (everything, if it is empty), sorted by the bytes of
    /// their paths; hidden ones and a system's (`lost+found`) are left out. A folder that does not exist has none.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`, also if there is more than any dataset has.
    async fn list(&self, folder: &Path) -> Result<Vec<SourceFile>, StorageError>;

    /// Returns the same, and goes past folders that cannot be read if everything below them is excluded.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`, as [`Self::list`].
    async fn list_except(&self, folder: &Path, _excluded: &Globs) -> Result<Tree, StorageError> {
        Ok(Tree {
            files: self.list(folder).await?,
            unread: Vec::new(),
        })
    }

    /// Returns the bytes of a file.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Denied` or `Unavailable`.
    async fn read(&self, path: &Path) -> Result<Bytes, StorageError>;

    /// Returns the bytes of a file of at most `max_bytes`; a larger one counts as none.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    async fn read_within(&self, path: &Path, max_bytes: u64) -> Result<Bytes, StorageError> {
        let bytes = self.read(path).await?;
        within(bytes, max_bytes, || self.locate(path))
    }

    /// Copies a file of any size to this machine's disk, without holding it in memory.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Denied`, `Unavailable`, or `Full` if it does not fit there.
    async fn fetch(&self, path: &Path, to: &Path) -> Result<(), StorageError>;

    /// Returns where a person finds a file.
    fn locate(&self, path: &Path) -> String;
}
