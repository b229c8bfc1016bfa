//! Objects get their names: where none is, over what holds nothing, or over whatever is there.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use super::hollow::{Place, place};
use super::{DiskStep, LocalStorage, TEMPORARY_FOLDER, cause};
use crate::digest;
use crate::read_file;
use crate::storage::{Created, StorageError, StorageErrorKind};
use crate::storage_error::disk::{error_of_making, io_error};

impl LocalStorage {
    pub(super) fn create_file(&self, path: &Path, bytes: &[u8]) -> Result<Created, StorageError> {
        let temporary = self
            .prepare(path, bytes)
            .map_err(|e| error_of_making("create", path, e))?;
        let from = temporary.path().to_owned();
        match self.naming.publish(temporary, path) {
            Ok(()) => {
                self.steps.done(DiskStep::Renamed {
                    from: &from,
                    to: path,
                });
                self.sync_name(path)
                    .map_err(|e| io_error("create", path, e))?;
                Ok(Created::New)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_same = holds(path, bytes).map_err(|e| io_error("compare", path, e))?;
                // Who named it a moment ago may not be there any more to sync it, and other bytes count as well: they may
                // be a commit.
                self.sync_name(path)
                    .map_err(|e| io_error("create", path, e))?;
                if is_same {
                    Ok(Created::AlreadyThere)
                } else {
                    Err(StorageError {
                        kind: StorageErrorKind::Conflict,
                        operation: "create",
                        path: path.display().to_string(),
                        source: None,
                    })
                }
            }
            Err(error) => Err(io_error("create", path, self.explained(error, path))),
        }
    }

    /// Creates a picture, also where something is that holds nothing.
    pub(super) fn create_picture(
        &self,
        path: &Path,
        bytes: &[u8],
    ) -> Result<Created, StorageError> {
        let refused = match self.create_file(path, bytes) {
            Ok(created) => return Ok(created),
            Err(error) => error,
        };
        let is_taken = match refused.kind {
            StorageErrorKind::Conflict
            | StorageErrorKind::NotFound
            | StorageErrorKind::Unavailable => true,
            // A link to a folder may be in its place.
            StorageErrorKind::Invalid => path.is_dir(),
            StorageErrorKind::Full | StorageErrorKind::Denied => false,
        };
        if !is_taken {
            return Err(refused);
        }
        match place(path).map_err(|e| io_error("look for", path, e))? {
            Place::Free => self.create_file(path, bytes),
            // In one step: another writer may have filled the place meanwhile and count on it, and this one may end at any
            // moment. Writers bring the same bytes.
            Place::Hollow => {
                self.replace_file(path, bytes)?;
                Ok(Created::New)
            }
            Place::Taken => Err(refused),
        }
    }

    pub(super) fn replace_file(&self, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
        let temporary = self
            .prepare(path, bytes)
            .map_err(|e| error_of_making("write", path, e))?;
        let named = self.rename_over(temporary, path);
        named.map_err(|e| error_of_making("write", path, e))
    }

    /// Gives a finished file its name, whatever has it; returns once that survives a crash.
    pub(super) fn rename_over(&self, temporary: NamedTempFile, path: &Path) -> io::Result<()> {
        let from = temporary.path().to_owned();
        temporary
            .persist(path)
            .map_err(|e| self.explained(e.error, path))?;
        self.steps.done(DiskStep::Renamed {
            from: &from,
            to: path,
        });
        self.sync_name(path)
    }

    /// Returns an error with what a person can do about it where the system's own words do not say.
    pub(super) fn explained(&self, error: io::Error, path: &Path) -> io::Error {
        if error.kind() == io::ErrorKind::CrossesDevices {
            return cause::other_file_system(&self.root.join(TEMPORARY_FOLDER), path);
        }
        error
    }
}

/// Returns whether a file holds these bytes.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let file = read_file::open(path)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    Ok(digest::sha256_of_open(file)? == digest::sha256(bytes))
}
