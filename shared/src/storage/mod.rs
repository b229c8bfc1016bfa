//! Objects under keys: the only thing that is durable.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::artifact::{ArtifactKey, ArtifactPrefix};

#[cfg(test)]
mod conformance;
mod local;

pub use local::LocalStorage;

/// What a create found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// The same bytes were there already: somebody did this work earlier.
    AlreadyThere,
}

/// What a caller can do about a storage error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageErrorKind {
    /// There is no such object.
    NotFound,
    /// The object exists with other bytes. Two writers disagree: never to be hidden.
    Conflict,
    /// The medium has no room left.
    Full,
    /// This process may not read or write there.
    Denied,
    /// Anything else: trying again may help.
    Unavailable,
}

/// A storage operation that did not happen.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}{}", advice(*.kind))]
pub struct StorageError {
    /// What a caller can do about it.
    pub kind: StorageErrorKind,
    /// The operation, as a verb: "create", "read", "list", ...
    pub operation: &'static str,
    /// The full path or address of the object.
    pub path: String,
    /// The cause as the medium gave it.
    #[source]
    pub source: Option<std::io::Error>,
}

fn advice(kind: StorageErrorKind) -> &'static str {
    match kind {
        StorageErrorKind::NotFound => ": it is not there",
        StorageErrorKind::Conflict => {
            ": it exists with other bytes; outputs are a function of model, settings and inputs, \
             so this storage holds results of something else or is damaged"
        }
        StorageErrorKind::Full => ": no space is left; free some and run again to resume",
        StorageErrorKind::Denied => ": not permitted; check the owner and mode of the folder",
        StorageErrorKind::Unavailable => "",
    }
}

/// An object's path below the root and its size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Path below the storage root.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// A store of whole, immutable objects.
///
/// The contract, which every implementation passes a test suite for:
///
/// - An object becomes visible under its key with all its bytes or not at all, whatever is killed and whenever.
/// - `create` writes only if the key is free. If it is taken, the bytes there are compared with those given:
///   equal is [`Created::AlreadyThere`], different is [`StorageErrorKind::Conflict`]. Of two creates at once, one is
///   new and the other finds it.
/// - When `create` or `replace` has returned, the object survives a crash of the machine.
/// - `list` shows whole objects only, sorted by path; a prefix without objects is an empty list.
/// - `replace` is for objects that can be rebuilt; readers see the old bytes or the new ones.
#[async_trait]
pub trait Storage: Send + Sync + fmt::Debug {
    /// Writes an object if its key is free.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::Conflict`] if it exists with other bytes, `Full`, `Denied` or `Unavailable`.
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError>;

    /// Writes an object, over an older one if there is one.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError>;

    /// Returns the bytes of an object.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::NotFound`] if there is none, `Denied` or `Unavailable`.
    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError>;

    /// Returns whether an object is there.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`.
    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError>;

    /// Returns the objects below a prefix, at any depth, sorted by path.
    ///
    /// # Errors
    ///
    /// `Denied` or `Unavailable`.
    async fn list(&self, prefix: &ArtifactPrefix) -> Result<Vec<Listed>, StorageError>;

    /// Proves before any work that objects can be created here.
    ///
    /// # Errors
    ///
    /// `Full`, `Denied` or `Unavailable`.
    async fn check_writable(&self) -> Result<(), StorageError>;

    /// Returns where a person finds an object.
    fn locate(&self, key: &ArtifactKey) -> String;
}
