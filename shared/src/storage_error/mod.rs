//! Errors of storage: what a caller can do about one, whatever medium it comes from.
//!
//! - `disk`: the kinds of a disk's errors

pub(crate) mod disk;

use crate::read_file;

/// What a caller can do about a storage error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageErrorKind {
    /// There is no such object.
    NotFound,
    /// The object exists with other bytes. Two writers disagree: never to be hidden.
    Conflict,
    /// The medium has no room left, or none for so large a file.
    Full,
    /// This process may not read or write there.
    Denied,
    /// No such object can ever be there: the medium takes no such name, or has something else in its place. Trying again
    /// never helps, and other objects are as they were.
    Invalid,
    /// Anything else: trying again may help.
    Unavailable,
}

/// A storage operation that did not happen.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}{}", advice(*.kind, .source.as_deref()))]
pub struct StorageError {
    /// What a caller can do about it.
    pub kind: StorageErrorKind,
    /// The operation, as a verb: "create", "read", "list", ...
    pub operation: &'static str,
    /// The full path or address of the object.
    pub path: String,
    /// The cause as the medium gave it; for a bucket with what to do about it. It never holds credentials.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a bucket or an unsuitable file system refuses has many reasons, so their causes say what to do.
fn advice(
    kind: StorageErrorKind,
    source: Option<&(dyn std::error::Error + Send + Sync + 'static)>,
) -> &'static str {
    let of_disk = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    match kind {
        StorageErrorKind::NotFound if of_disk.is_some_and(read_file::is_refused) => "",
        StorageErrorKind::NotFound => ": it is not there",
        StorageErrorKind::Conflict => {
            ": it exists with other bytes; outputs are a function of model, settings and inputs, \
             so this storage holds results of something else or is damaged"
        }
        StorageErrorKind::Full => match of_disk.map(std::io::Error::kind) {
            Some(std::io::ErrorKind::FileTooLarge) => {
                ": it may not be as large; raise the limit on the size of files (ulimit -f) and run again to resume"
            }
            Some(_) | None => ": no space is left; free some and run again to resume",
        },
        StorageErrorKind::Denied => match of_disk.map(std::io::Error::kind) {
            Some(std::io::ErrorKind::PermissionDenied) => {
                ": not permitted; check the owner and mode of the folder"
            }
            Some(std::io::ErrorKind::ReadOnlyFilesystem) => {
                ": what is mounted there cannot be written; mount it anew, or choose another folder"
            }
            Some(std::io::ErrorKind::NotADirectory) => ": a file is in the place of a folder",
            Some(_) | None => "",
        },
        StorageErrorKind::Invalid => disk::advice_on_invalid(of_disk.map(std::io::Error::kind)),
        StorageErrorKind::Unavailable => "",
    }
}

impl StorageError {
    /// Returns whether nothing is there. What is there and refused, as it is too large or no file, counts as none and says so.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.kind == StorageErrorKind::NotFound && self.refused().is_none()
    }

    /// Returns why what is there is not read, whatever may be tried: it is too large, or no file; nothing if that is not why.
    #[must_use]
    pub fn refused(&self) -> Option<&std::io::Error> {
        let source = self.source.as_deref();
        let of_disk = source.and_then(|source| source.downcast_ref::<std::io::Error>());
        of_disk.filter(|error| read_file::is_refused(error))
    }
}
