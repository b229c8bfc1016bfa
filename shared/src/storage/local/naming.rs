//! Publishes a finished file under its name, only if that is free.
//!
//! A rename that replaces nothing does it in one step, where the file system has it; a hard link does elsewhere. Both
//! happen whole or not at all. Where there is neither, nothing else is safe: a file that is made under its name and then
//! filled is half there after a crash, and a look before a rename is no lock.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::cause::Cause;
use crate::storage_error::disk::is;

/// What gives a file its name: the system's calls, or those of a test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming {
    /// Renames where nothing is.
    pub(super) rename: fn(&Path, &Path) -> io::Result<()>,
    /// Gives a file a second name.
    pub(super) link: fn(&Path, &Path) -> io::Result<()>,
}

impl Naming {
    /// The system's calls.
    pub(super) const SYSTEM: Self = Self {
        rename: rename_new,
        link: |from, to| fs::hard_link(from, to),
    };

    /// Gives a finished file its name if that is free.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if it is not, [`Cause::NoCreateOnly`] if the file system has no way.
    pub(super) fn publish(self, file: NamedTempFile, path: &Path) -> io::Result<()> {
        match (self.rename)(file.path(), path) {
            Ok(()) => {
                // It has lost its first name already, so there is nothing to remove.
                let _ = file.keep();
                Ok(())
            }
            Err(error) if is_unknown(&error) => match (self.link)(file.path(), path) {
                Err(error) if is_unknown(&error) || is(&error, Errno::PERM) => {
                    Err(Cause::NoCreateOnly.at(path))
                }
                linked => linked,
            },
            Err(error) => Err(error),
        }
    }
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Returns whether the system or the file system does not know the call.
fn is_unknown(error: &io::Error) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP]
        .into_iter()
        .any(|number| is(error, number))
}
