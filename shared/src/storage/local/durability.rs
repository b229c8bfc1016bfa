//! Names that survive a crash: a new one is durable only when its folder is, and all those above it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{DiskStep, LocalStorage};
use crate::storage::StorageError;
use crate::storage_error::disk::{io_error, is};

impl LocalStorage {
    /// Makes a folder and those above it; returns once the names of all of them survive a crash.
    pub(super) fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if self.durable().contains(folder) && folder.is_dir() {
            return Ok(());
        }
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
        fs::create_dir_all(folder)?;
        for named in folder.ancestors() {
            // Another process may have made one of ours a moment ago, and not be there any more to sync it.
            if !named.starts_with(&self.root) && !missing.contains(&named) {
                break;
            }
            let Some(above) = named.parent() else {
                break;
            };
            match self.sync(above) {
                // The folder around the root need not be one that can be read.
                Err(error)
                    if error.kind() == io::ErrorKind::PermissionDenied
                        && !above.starts_with(&self.root) => {}
                synced => synced?,
            }
        }
        self.durable().insert(folder.to_owned());
        Ok(())
    }

    fn durable(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the names in a folder survive a crash.
    fn sync(&self, folder: &Path) -> io::Result<()> {
        let is_here = folder.as_os_str().is_empty();
        let folder = if is_here { Path::new(".") } else { folder };
        (self.sync_folder)(folder)?;
        self.steps.done(DiskStep::NamesSynced(folder));
        Ok(())
    }

    /// Makes the name of a file survive a crash.
    pub(super) fn sync_name(&self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |folder| self.sync(folder))
    }

    /// Makes a name that was found survive a crash, with those of all folders above it. Who reads what is gone meanwhile
    /// tells that better.
    pub(super) fn settle_file(&self, path: &Path) -> Result<(), StorageError> {
        let settled = match self.sync_name(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(()) => self.make_folder(path.parent().unwrap_or(path)),
            failed => failed,
        };
        settled.map_err(|e| io_error("settle", path, e))
    }
}

/// A new name is durable only when its folder is. A file system that knows no such thing for folders (SMB, some of
/// FUSE) has its own way, so that is no error.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if is(&error, Errno::INVAL) || is(&error, Errno::OPNOTSUPP) => Ok(()),
        synced => synced,
    }
}
