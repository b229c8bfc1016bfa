//! Objects get their names: where none is, over what holds nothing, or over whatever is there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::hollow::{Place, place};
use super::{DiskStep, LocalStorage, TEMPORARY_FOLDER, cause};
use crate::digest;
use crate::read_file;
use crate::storage::{Created, StorageError, StorageErrorKind};
use crate::storage_error::disk::{error_of_making, io_error, is};

impl LocalStorage {
    /// Creates a file with these bytes if its name is free.
    pub(crate) fn create_file(&self, path: &Path, bytes: &[u8]) -> Result<Created, StorageError> {
        let temporary = self
            .prepare(path, bytes)
            .map_err(|e| error_of_making("create", path, e))?;
        self.name_new(temporary, path, || holds(path, bytes))
    }

    /// Gives a file that was made as [`Self::new_temporary`] makes them its name if that is free.
    pub(crate) fn create_from(
        &self,
        file: NamedTempFile,
        path: &Path,
    ) -> Result<Created, StorageError> {
        let ready = || -> io::Result<File> {
            self.make_folder(path.parent().unwrap_or(path))?;
            self.sync_bytes(&file)?;
            file.reopen()
        };
        let own = ready().map_err(|e| error_of_making("create", path, e))?;
        self.name_new(file, path, || is_same(path, own))
    }

    /// Gives a file a second name if that is free: a hard link, and where there can be none a symbolic one.
    pub(crate) fn link_new(&self, file: &Path, path: &Path) -> Result<Created, StorageError> {
        let link = || -> io::Result<Created> {
            self.make_folder(path.parent().unwrap_or(path))?;
            let linked = match fs::hard_link(file, path) {
                Err(error) if cannot_be_linked(&error) => std::os::unix::fs::symlink(file, path),
                linked => linked,
            };
            match linked {
                Ok(()) => {
                    self.sync_name(path)?;
                    Ok(Created::New)
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let is_same = is_same(path, read_file::open(file)?)?;
                    // As where a file gets its name: who linked it may not be there any more to sync it.
                    self.sync_name(path)?;
                    if is_same {
                        Ok(Created::AlreadyThere)
                    } else {
                        Err(error)
                    }
                }
                Err(error) => Err(error),
            }
        };
        link().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => conflict(path),
            _ => error_of_making("link", path, error),
        })
    }

    /// Gives a finished file its name if that is free; `holds` says whether what has it is the same.
    fn name_new(
        &self,
        temporary: NamedTempFile,
        path: &Path,
        holds: impl FnOnce() -> io::Result<bool>,
    ) -> Result<Created, StorageError> {
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
                let is_same = holds().map_err(|e| io_error("compare", path, e))?;
                // Who named it a moment ago may not be there any more to sync it, and other bytes count as well: they may
                // be a commit.
                self.sync_name(path)
                    .map_err(|e| io_error("create", path, e))?;
                if is_same {
                    Ok(Created::AlreadyThere)
                } else {
                    Err(conflict(path))
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

/// Returns whether a file holds what an open one does.
fn is_same(path: &Path, own: File) -> io::Result<bool> {
    let there = read_file::open(path)?;
    if there.metadata()?.len() != own.metadata()?.len() {
        return Ok(false);
    }
    Ok(digest::sha256_of_open(there)? == digest::sha256_of_open(own)?)
}

/// Returns whether a file system has no hard links, or none from there to here.
fn cannot_be_linked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::CrossesDevices
        || [Errno::PERM, Errno::MLINK, Errno::NOSYS, Errno::OPNOTSUPP]
            .into_iter()
            .any(|number| is(error, number))
}

fn conflict(path: &Path) -> StorageError {
    StorageError {
        kind: StorageErrorKind::Conflict,
        operation: "create",
        path: path.display().to_string(),
        source: None,
    }
}
