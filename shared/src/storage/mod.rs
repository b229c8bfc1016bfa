//! Objects under keys: records and results of runs. What is stored here is the truth.
//!
//! - [`LocalStorage`]: a folder; [`S3Storage`]: a bucket; [`MemoryStorage`]: this process, for tests and simulations
//! - `conformance`: the contract as tests, with the feature of that name

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use tempfile::NamedTempFile;

use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::ids::RunId;
use crate::location::Location;
use crate::read_file::{self, max_bytes};
use crate::s3::S3Settings;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod local;
mod memory;
mod s3;
pub mod scratch;
pub(crate) mod walk;

pub use local::{DiskListener, DiskStep, LocalStorage};
pub use memory::MemoryStorage;
pub use s3::S3Storage;

pub use crate::storage_error::disk::disk_error;
pub use crate::storage_error::{StorageError, StorageErrorKind};

/// How many objects a page of a listing holds at most; S3 gives no more at once.
pub const PAGE_LENGTH: usize = 1000;

/// Creates of one object at once that [`Storage::check_writable`] tries: exactly one of them may succeed.
pub const CREATES_AT_ONCE: usize = 8;

/// Returns the storage at a location; a bucket is reached as the SDK's environment says (`AWS_*`).
///
/// Nothing is written and nothing asked; [`Storage::check_writable`] does.
///
/// # Errors
///
/// `Denied` if the environment does not say where the bucket is.
pub async fn open(location: &Location) -> Result<Arc<dyn Storage>, StorageError> {
    match location {
        Location::Folder(folder) => Ok(Arc::new(LocalStorage::new(folder))),
        Location::Bucket(at) => {
            let storage = S3Storage::open(at, &S3Settings::from_env()).await?;
            Ok(Arc::new(storage))
        }
    }
}

/// Returns the most bytes that an object can have: what is larger is no object of ours.
pub(crate) fn max_bytes_of(key: &ArtifactKey) -> u64 {
    match key {
        ArtifactKey::Image(..)
        | ArtifactKey::Label(..)
        | ArtifactKey::OutputPrediction(..)
        | ArtifactKey::ContentPrediction(..)
        | ArtifactKey::Prior(..)
        | ArtifactKey::ComparisonSheet(_) => max_bytes::DATA,
        ArtifactKey::Decision(..) | ArtifactKey::Comparison(_) => max_bytes::DECISION,
        ArtifactKey::FailedAttempt(..) => max_bytes::ATTEMPT,
        ArtifactKey::RunRecord(_)
        | ArtifactKey::Plan(..)
        | ArtifactKey::Shard(..)
        | ArtifactKey::ShardRevision(..)
        | ArtifactKey::Making(..)
        | ArtifactKey::Manifest(_)
        | ArtifactKey::Report(_)
        | ArtifactKey::FeatureStatistics(..)
        | ArtifactKey::Tally(_)
        | ArtifactKey::ContactSheet(_)
        | ArtifactKey::ComparisonPage(_) => max_bytes::OBJECT,
    }
}

/// Returns bytes of which there are not too many.
pub(crate) fn within(
    bytes: Bytes,
    max_bytes: u64,
    path: impl FnOnce() -> String,
) -> Result<Bytes, StorageError> {
    match read_file::check_size(bytes.len() as u64, max_bytes) {
        Ok(()) => Ok(bytes),
        Err(refused) => Err(StorageError {
            kind: StorageErrorKind::NotFound,
            operation: "read",
            path: path(),
            source: Some(Box::new(std::io::Error::from(refused))),
        }),
    }
}

/// What a create found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// The same bytes were there already: this work was done earlier.
    AlreadyThere,
}

/// Returns the path of a key below the storage root.
///
/// # Errors
///
/// `Denied` if a name in it would lead elsewhere.
pub(crate) fn path_of(
    key: &ArtifactKey,
    operation: &'static str,
    locate: impl Fn(&ArtifactKey) -> String,
) -> Result<String, StorageError> {
    match key.check() {
        Ok(()) => Ok(key.path()),
        Err(error) => Err(StorageError {
            kind: StorageErrorKind::Denied,
            operation,
            path: locate(key),
            source: Some(Box::new(error)),
        }),
    }
}

/// An object's path below the root and its size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectMeta {
    /// Path below the storage root.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// Objects in pages of at most [`PAGE_LENGTH`], sorted by the bytes of their paths, fetched as they are asked for.
pub type Pages = BoxStream<'static, Result<Vec<ObjectMeta>, StorageError>>;

/// Returns all objects below a prefix at once; for prefixes that hold few.
///
/// # Errors
///
/// `Denied` or `Unavailable`.
pub async fn list_all(
    storage: &dyn Storage,
    prefix: &ArtifactPrefix,
) -> Result<Vec<ObjectMeta>, StorageError> {
    storage.list(prefix).try_concat().await
}

/// A store of whole, immutable objects.
///
/// The contract, which every implementation passes a test suite for:
///
/// - An object becomes visible under its key with all its bytes or not at all, whatever is killed and whenever.
/// - `create` writes only if the key is free. If it is taken, the bytes there are compared with those given:
///   equal is [`Created::AlreadyThere`], different is [`StorageErrorKind::Conflict`]. Of two creates at once, one is
///   new and the other finds it.
/// - In the place of a picture (an image, a label or a prediction) an object without a byte, and on a disk what is no file, counts as
///   none: `create` writes over it, in one step. Elsewhere it is an object with other bytes.
/// - When `create` or `replace` has returned, the object survives a crash of the machine. What is only found may not: its
///   writer may have been killed before that. It does once `settle` has returned.
/// - `list` shows whole objects only, sorted by the bytes of their paths (`a-b/c` before `a/b`); a prefix without objects is an empty list.
/// - `replace` is for objects that can be rebuilt; readers see the old bytes or the new ones.
/// - A key whose name the medium does not take, such as one that is too long, is `Invalid` to every operation.
/// - A key with a name that is not one part of a path (see [`ArtifactKey::check`]) is `Denied` to every operation, and
///   nothing outside the run is looked at.
#[async_trait]
pub trait Storage: Send + Sync + fmt::Debug {
    /// Writes an object if its key is free.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::Conflict`] if it exists with other bytes, `Full`, `Denied`, `Invalid` or `Unavailable`.
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError>;

    /// Writes an object, over an older one if there is one.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError>;

    /// Writes an object of any size from a file, over an older one if there is one, without holding it in memory.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError>;

    /// Returns the bytes of an object.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::NotFound`] if there is none, `Denied`, `Invalid` or `Unavailable`.
    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError>;

    /// Returns the bytes of an object of at most `max_bytes`; a larger one counts as none.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    async fn read_within(&self, key: &ArtifactKey, max_bytes: u64) -> Result<Bytes, StorageError> {
        let bytes = self.read(key).await?;
        within(bytes, max_bytes, || self.locate(key))
    }

    /// Returns whether an object is there.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`.
    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError>;

    /// Returns once an object that was found, and all that was beside it, survive a crash of the machine, whichever process wrote them.
    /// Whatever is built upon what was found, such as a commit, comes after. In a store whose objects survive as soon as they
    /// are seen it does nothing.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    async fn settle(&self, _key: &ArtifactKey) -> Result<(), StorageError> {
        Ok(())
    }

    /// Returns the objects below a prefix, at any depth, in pages, sorted by the bytes of their paths. A page that cannot be had is the
    /// last one: `Denied` or `Unavailable`.
    fn list(&self, prefix: &ArtifactPrefix) -> Pages;

    /// Returns the paths of the links below a prefix, at any depth, sorted: what a link leads to lies elsewhere. A store that
    /// knows no links has none.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`.
    async fn links(&self, _prefix: &ArtifactPrefix) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    /// Returns the runs of which anything is stored, sorted.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`.
    async fn runs(&self) -> Result<Vec<RunId>, StorageError>;

    /// Proves before any work that all that the contract says can be done here, by doing it: objects are created, a second
    /// create is noticed, of several at once exactly one succeeds, what is replaced is read back. Nothing is left of it.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    async fn check_writable(&self) -> Result<(), StorageError>;

    /// Returns an empty file for what is made before [`Storage::replace_from_file`] stores it, near its place if that is
    /// on this machine.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    fn temporary_file(&self) -> Result<NamedTempFile, StorageError> {
        let made = NamedTempFile::new();
        made.map_err(|e| {
            crate::storage_error::disk::io_error(
                "make a temporary file in",
                &std::env::temp_dir(),
                e,
            )
        })
    }

    /// Returns where a person finds an object.
    fn locate(&self, key: &ArtifactKey) -> String;
}
