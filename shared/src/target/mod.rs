//! Targets: where a set of files is written for others, such as an export, each under a path of its own.
//!
//! - [`FolderTarget`]: a folder; [`BucketTarget`]: a bucket
//!
//! What runs store is [`storage`](crate::storage), whose keys say what each object is. A target knows nothing of its files
//! but their paths.

mod bucket;
mod folder;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::NamedTempFile;

pub use self::bucket::BucketTarget;
pub use self::folder::FolderTarget;
use crate::ids::check_name;
use crate::location::Location;
use crate::s3::S3Settings;
use crate::storage::{Created, Pages, StorageError, StorageErrorKind};

/// What begins the paths of files that storage keeps for itself: unfinished ones, and those of probes.
const OWN: [&str; 3] = [".writing/", ".trial-", ".probe/"];

/// A place for files that are written once.
///
/// - A file becomes visible under its path with all its bytes or not at all, whatever is killed and whenever; when a create
///   has returned, it survives a crash of the machine.
/// - Creates write only where nothing is. What is there is compared by its bytes: equal is [`Created::AlreadyThere`],
///   different is [`StorageErrorKind::Conflict`].
/// - A path is made of names with `/` between them (see [`check_name`]); any other is `Denied`.
#[async_trait]
pub trait Target: Send + Sync + fmt::Debug {
    /// Writes a file if nothing has its path.
    ///
    /// # Errors
    ///
    /// `Conflict`, `Full`, `Denied`, `Invalid` or `Unavailable`.
    async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, StorageError>;

    /// Writes a file of any size, which was made in a [`Self::temporary_file`] and is removed, if nothing has its path.
    ///
    /// # Errors
    ///
    /// As [`Self::create`].
    async fn create_from(&self, path: &str, file: NamedTempFile) -> Result<Created, StorageError>;

    /// Gives a file of this machine a second name here, if nothing has it.
    ///
    /// # Errors
    ///
    /// As [`Self::create`]; `Denied` where there are no links.
    async fn link(&self, path: &str, file: &Path) -> Result<Created, StorageError>;

    /// Returns the bytes of a file of at most `max_bytes`; a larger one counts as none.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Denied`, `Invalid` or `Unavailable`.
    async fn read(&self, path: &str, max_bytes: u64) -> Result<Bytes, StorageError>;

    /// Returns the SHA-256 of a file of any size, which is read for that.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Denied`, `Invalid` or `Unavailable`.
    async fn sha256(&self, path: &str) -> Result<String, StorageError>;

    /// Returns the SHA-256 of a file of any size as its store keeps it, without reading the file; where it keeps none, as
    /// [`Self::sha256`] does.
    ///
    /// # Errors
    ///
    /// As [`Self::sha256`].
    async fn stored_sha256(&self, path: &str) -> Result<String, StorageError> {
        self.sha256(path).await
    }

    /// Returns the files that are there, but for those of writing itself, in pages and sorted by the bytes of their paths.
    /// A page that cannot be had is the last one: `Denied` or `Unavailable`.
    fn list(&self) -> Pages;

    /// Returns an empty file for [`Self::create_from`], near its place if that is on this machine.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    fn temporary_file(&self) -> Result<NamedTempFile, StorageError>;

    /// Proves before any work that files can be created here, by doing it. Nothing is left of it.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied`, `Invalid` or `Unavailable`.
    async fn check_writable(&self) -> Result<(), StorageError>;

    /// Removes what processes that are gone have left unfinished, and nothing that another one may be writing now.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`.
    async fn remove_unfinished(&self) -> Result<(), StorageError>;

    /// Returns where a person finds a file.
    fn locate(&self, path: &str) -> String;
}

/// Returns the target at a location; a bucket is reached as the SDK's environment says (`AWS_*`). Nothing is written and
/// nothing asked.
///
/// # Errors
///
/// `Denied` if the environment does not say where the bucket is.
pub async fn open(location: &Location) -> Result<Arc<dyn Target>, StorageError> {
    match location {
        Location::Folder(folder) => Ok(Arc::new(FolderTarget::new(folder))),
        Location::Bucket(at) => {
            let target = BucketTarget::open(at, &S3Settings::from_env()).await?;
            Ok(Arc::new(target))
        }
    }
}

/// Returns whether a path, with `/` at its end if it is a folder's, is of what storage keeps for itself below its root.
#[must_use]
pub fn is_own(path: &str) -> bool {
    OWN.iter().any(|own| path.starts_with(own))
}

/// Proves that a path stays below the root.
fn check_path(
    path: &str,
    operation: &'static str,
    locate: impl Fn(&str) -> String,
) -> Result<(), StorageError> {
    let wrong = path.split('/').find_map(|name| check_name(name).err());
    match wrong {
        None => Ok(()),
        Some(error) => Err(StorageError {
            kind: StorageErrorKind::Denied,
            operation,
            path: locate(path),
            source: Some(Box::new(error)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        let check = |path: &str| check_path(path, "create", str::to_owned);
        for path in ["a.png", "a/b c/é.png", ".hidden/a"] {
            assert!(check(path).is_ok(), "{path}");
        }
        for path in ["", "/a", "a//b", "a/", "../a", "a/../b", "a\\b", "a\nb"] {
            let error = check(path).unwrap_err();
            assert_eq!(error.kind, StorageErrorKind::Denied, "{path}");
        }
        assert!(is_own(".writing/.tmpa") && is_own(".probe/1") && is_own(".trial-a/b"));
        assert!(!is_own(".synth2real-export.json") && !is_own("writing/a"));
    }
}
