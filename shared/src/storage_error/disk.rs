//! Kinds of I/O errors of a disk: one table, for results, for datasets and for models.
//!
//! What passes by itself is tried again; what a person mends in one place (room, permissions, a mount) stops every worker
//! there; what can never work, however often it is tried, concerns the one object that it is about.

use std::error::Error;
use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::{StorageError, StorageErrorKind};
use crate::read_file;

/// Returns what a caller can do about a disk's error.
fn kind_of(error: &io::Error) -> StorageErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => StorageErrorKind::NotFound,
        // In the place of an object is something that is none.
        _ if read_file::is_refused(error) => StorageErrorKind::NotFound,
        // A link that leads to itself leads nowhere, as a broken one does.
        _ if is(error, Errno::LOOP) => StorageErrorKind::NotFound,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StorageErrorKind::Full
        }
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::Unsupported
        | io::ErrorKind::NotADirectory => StorageErrorKind::Denied,
        // A name that is too long with its ending, one with a byte that no name has, a folder where a file is to be.
        io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::IsADirectory => StorageErrorKind::Invalid,
        _ => StorageErrorKind::Unavailable,
    }
}

/// Returns what a person can do about an object that can never be at its place.
pub(crate) fn advice_on_invalid(error: Option<io::ErrorKind>) -> &'static str {
    match error {
        Some(io::ErrorKind::InvalidFilename) => {
            ": its name is longer than the file system takes; shorten it"
        }
        Some(io::ErrorKind::IsADirectory) => ": a folder is in its place; move the folder away",
        Some(_) | None => ": no file can have this name; give it another one",
    }
}

/// Returns the error of an operation on a path.
pub(crate) fn io_error(operation: &'static str, path: &Path, source: io::Error) -> StorageError {
    StorageError {
        kind: kind_of(&source),
        operation,
        path: path.display().to_string(),
        source: Some(Box::new(source)),
    }
}

/// Returns the error of an operation on a file of this machine by means of a library, which may hide the disk's own error
/// among the causes of its own: what a caller can do is told by the disk's.
#[must_use]
pub fn disk_error(operation: &'static str, path: &Path, error: io::Error) -> StorageError {
    io_error(operation, path, own_error(&error).unwrap_or(error))
}

/// Returns the disk's own error among an error and its causes, if it is there.
fn own_error(error: &io::Error) -> Option<io::Error> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let of_io = error.downcast_ref::<io::Error>();
        if let Some(number) = of_io.and_then(io::Error::raw_os_error) {
            return Some(io::Error::from_raw_os_error(number));
        }
        next = match of_io {
            Some(of_io) => made_of(of_io),
            None => error.source(),
        };
    }
    None
}

/// Returns what an I/O error was made of, whose own source it passes over.
fn made_of(error: &io::Error) -> Option<&(dyn Error + 'static)> {
    let inner: &(dyn Error + 'static) = error.get_ref()?;
    Some(inner)
}

/// Returns the error of an operation that makes something at a path: there a link that leads to itself is no object that
/// is away, but a place where nothing can ever be.
pub(crate) fn error_of_making(
    operation: &'static str,
    path: &Path,
    source: io::Error,
) -> StorageError {
    let leads_nowhere = is(&source, Errno::LOOP);
    let error = io_error(operation, path, source);
    StorageError {
        kind: if leads_nowhere {
            StorageErrorKind::Denied
        } else {
            error.kind
        },
        ..error
    }
}

pub(crate) fn is(error: &io::Error, number: Errno) -> bool {
    error.raw_os_error() == Some(number.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::StorageErrorKind::{Denied, Full, Invalid, NotFound, Unavailable};
    use super::*;

    #[test]
    fn each_error_of_a_disk_has_one_meaning() {
        for (number, kind) in [
            (Errno::NOENT, NotFound),
            (Errno::LOOP, NotFound),
            (Errno::NOSPC, Full),
            (Errno::DQUOT, Full),
            (Errno::FBIG, Full),
            (Errno::ACCESS, Denied),
            (Errno::PERM, Denied),
            (Errno::ROFS, Denied),
            (Errno::OPNOTSUPP, Denied),
            (Errno::NOTDIR, Denied),
            (Errno::NAMETOOLONG, Invalid),
            (Errno::INVAL, Invalid),
            (Errno::ISDIR, Invalid),
            (Errno::IO, Unavailable),
            (Errno::STALE, Unavailable),
            (Errno::TIMEDOUT, Unavailable),
            (Errno::INTR, Unavailable),
            (Errno::MFILE, Unavailable),
            (Errno::NOMEM, Unavailable),
        ] {
            let error = io::Error::from(number);
            assert_eq!(kind_of(&error), kind, "{error}");
        }
        let refused = read_file::Refused::NoFile;
        assert_eq!(kind_of(&refused.into()), NotFound);
    }

    #[test]
    fn the_error_of_a_disk_is_found_among_the_causes_of_others() {
        let of_disk = || io::Error::from(Errno::NOSPC);
        let of_library = StorageError {
            source: Some(Box::new(of_disk())),
            ..io_error("encode", Path::new("b"), io::Error::other("it"))
        };
        for hidden in [
            of_disk(),
            io::Error::other(of_disk()),
            io::Error::other(of_library),
        ] {
            let told = crate::failure::chain(&disk_error("write", Path::new("a"), hidden));
            let expected = format!(
                "cannot write a: no space is left; free some and run again to resume: {}",
                of_disk()
            );
            assert_eq!(told, expected);
        }
        let other = disk_error("write", Path::new("a"), io::Error::other("no picture"));
        assert_eq!(other.kind, Unavailable);
        assert_eq!(crate::failure::chain(&other), "cannot write a: no picture");
    }

    #[test]
    fn a_file_that_may_not_be_as_large_is_told_from_a_disk_without_room() {
        for (number, words) in [
            (Errno::NOSPC, "no space is left"),
            (Errno::FBIG, "limit on the size of files (ulimit -f)"),
        ] {
            let error = io_error("create", Path::new("a"), number.into());
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn what_a_name_can_never_be_says_so_in_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        for (name, words) in [
            ("x".repeat(300), "longer than the file system takes"),
            ("a\0b".to_owned(), "no file can have this name"),
        ] {
            let path = folder.path().join(name);
            let error = io_error("read", &path, fs::read(&path).unwrap_err());
            assert_eq!(error.kind, Invalid, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = io_error("read", folder.path(), fs::read(folder.path()).unwrap_err());
        assert!(
            error.to_string().contains("a folder is in its place"),
            "{error}"
        );
        assert_eq!(error.kind, Invalid);
    }

    #[test]
    fn nothing_can_be_made_behind_a_link_that_leads_to_itself() {
        let error = error_of_making("create", Path::new("a"), Errno::LOOP.into());
        assert_eq!(error.kind, Denied);
    }
}
