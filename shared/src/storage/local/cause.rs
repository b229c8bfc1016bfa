//! Why a folder that can be written cannot keep results: its file system lacks something.

use std::io;
use std::path::{Path, PathBuf};

use super::mounts;

/// What a file system does not do, or does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It can only write over what is there.
    NoCreateOnly,
    /// A second create of a name was not noticed.
    Overwrites,
    /// More than one, or none, of several creates at once took the name.
    Races {
        /// How many did.
        winners: usize,
    },
    /// What is read is not what was written.
    ReadsOther,
}

impl Cause {
    /// Returns the error of an operation on a file.
    pub(super) fn at(self, path: &Path) -> io::Error {
        let file_system = mounts::file_system_of(path).unwrap_or_else(|| "unknown".to_owned());
        let unsuitable = Unsuitable {
            cause: self,
            file_system,
        };
        io::Error::new(io::ErrorKind::Unsupported, unsuitable)
    }
}

/// A file system that cannot keep results.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} (its file system is {file_system}), so two workers could overwrite each other; use a folder on a local disk or on \
     NFS, or a bucket",
    what(.cause)
)]
struct Unsuitable {
    cause: Cause,
    file_system: String,
}

fn what(cause: &Cause) -> String {
    match cause {
        Cause::NoCreateOnly => {
            "it has neither hard links nor a rename that replaces nothing".to_owned()
        }
        Cause::Overwrites => "it does not notice that a file is there already".to_owned(),
        Cause::Races { winners } => {
            format!("of eight creates of one file at once {winners} succeeded, and exactly one may")
        }
        Cause::ReadsOther => "it does not give back what was written".to_owned(),
    }
}

/// Returns a path that a file is moved between file systems for.
pub(super) fn other_file_system(from: &Path, to: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        OtherFileSystem {
            from: from.to_owned(),
            to: to.to_owned(),
        },
    )
}

/// A folder of the root that lies elsewhere.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} lies on another file system than {}, where files are finished before they get their names; mount or link the \
     whole root there, not a folder in it",
    .to.display(),
    .from.display()
)]
struct OtherFileSystem {
    from: PathBuf,
    to: PathBuf,
}
