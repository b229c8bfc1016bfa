//! Files that are not yet under their names: written and synced away from every run, and removed when the process that wrote
//! them is gone, or where that cannot be known they are old.

use std::fs::{self, DirEntry, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::owner::{self, Writer};
use super::{DiskStep, LocalStorage, TEMPORARY_FOLDER};
use crate::storage::StorageError;
use crate::storage_error::disk::io_error;

/// How often the folder of unfinished files may vanish while one is made in it.
const MAX_VANISHED: usize = 5;

/// Unfinished files older than this were left by a process that was killed, unless it is known to run.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

impl LocalStorage {
    /// Returns the folder in which unfinished files lie.
    pub(super) fn unfinished_folder(&self) -> PathBuf {
        self.root.join(TEMPORARY_FOLDER)
    }

    /// Returns an empty file that is not yet under its name.
    pub(crate) fn new_temporary(&self) -> io::Result<NamedTempFile> {
        let folder = self.unfinished_folder();
        let prefix = owner::prefix();
        let mut made = Err(io::ErrorKind::NotFound.into());
        for _ in 0..MAX_VANISHED {
            fs::create_dir_all(&folder)?;
            // Temporary files are private by default; what is stored is as readable as the umask lets it be.
            made = tempfile::Builder::new()
                .prefix(&prefix)
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(&folder);
            // Another process may have removed the folder, in which nothing was.
            let has_vanished = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
            if !made.as_ref().is_err_and(has_vanished) {
                break;
            }
        }
        made
    }

    /// Removes what processes that are gone left unfinished, and the folder of such files if nothing else is in it.
    pub(crate) fn remove_unfinished(&self) -> Result<(), StorageError> {
        let folder = self.unfinished_folder();
        // Where nothing can be written not even nothing can be removed.
        if !folder.is_dir() {
            return Ok(());
        }
        remove_abandoned(&folder, "");
        match fs::remove_dir(&folder) {
            Err(error) if is_missing_or_in_use(&error) => Ok(()),
            removed => removed.map_err(|e| io_error("remove", &folder, e)),
        }
    }

    /// Returns a file with these bytes, safe from a crash and not yet under its name.
    pub(super) fn write_temporary(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let mut file = self.new_temporary()?;
        file.write_all(bytes)?;
        self.sync_bytes(&file)?;
        Ok(file)
    }

    /// Makes the bytes of a file survive a crash.
    pub(super) fn sync_bytes(&self, file: &NamedTempFile) -> io::Result<()> {
        file.as_file().sync_all()?;
        self.steps.done(DiskStep::BytesSynced(file.path()));
        Ok(())
    }

    /// Writes a temporary file and makes the folder it will go to.
    pub(super) fn prepare(&self, path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
        self.make_folder(path.parent().unwrap_or(path))?;
        self.write_temporary(bytes)
    }
}

/// Returns whether a folder is gone, or has something in it.
fn is_missing_or_in_use(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
    )
}

fn is_old(entry: &DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age > ABANDONED_AFTER)
}

/// Removes what lies in a folder under names with a prefix, and was left by a process that was killed: one of this machine
/// that is gone, or one of which nothing is known, long ago. What a process writes that runs stays whatever the time is: a
/// clock may have been set.
///
/// Leftovers only cost space, so one that cannot be removed is left.
pub(super) fn remove_abandoned(folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some(of_owner) = name.strip_prefix(prefix) else {
            continue;
        };
        let is_abandoned = match Writer::of_file(of_owner) {
            Writer::Gone => true,
            Writer::Running => false,
            Writer::Unknown => is_old(&entry),
        };
        if is_abandoned {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_folder {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
        }
    }
}
