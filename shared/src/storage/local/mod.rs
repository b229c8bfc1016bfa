//! Storage in a folder: temporary file, fsync, then its name.
//!
//! - `naming`: how a file gets its name where none is
//! - `probe`: the proof that a folder can keep results; `cause`, `mounts`: why one cannot, and what it is
//! - `steps`: what is done to the disk, told as it is done

mod cause;
mod mounts;
mod naming;
mod probe;
mod steps;

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use rustix::io::Errno;
use tempfile::NamedTempFile;

use self::naming::Naming;
use self::steps::Steps;
pub use self::steps::{DiskListener, DiskStep};
use super::disk::{error_of_making, io_error, is};
use super::walk::{Found, Walk, links_below};
use super::{
    Created, ObjectMeta, Pages, Storage, StorageError, StorageErrorKind, max_bytes_of, path_of,
};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::blocking;
use crate::digest;
use crate::ids::RunId;
use crate::read_file::{self, Refused};

/// Unfinished files lie in this folder of the root, away from the images that people train on.
const TEMPORARY_FOLDER: &str = ".writing";
/// Unfinished files older than this were left by a process that was killed.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Objects as files below a folder.
#[derive(Debug, Clone)]
pub struct LocalStorage {
    root: PathBuf,
    naming: Naming,
    /// Makes the names in a folder survive a crash: the system's call, or that of a test.
    sync_folder: fn(&Path) -> io::Result<()>,
    /// Folders whose own names do, and those of all above them, as far as this process saw to it.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
    /// What is done to the disk.
    steps: Steps,
}

impl LocalStorage {
    /// Returns storage below `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            naming: Naming::SYSTEM,
            sync_folder,
            durable: Arc::default(),
            steps: Steps::default(),
        }
    }

    /// Returns storage below `root` that tells a listener of each step once it is done.
    #[cfg(any(test, feature = "conformance"))]
    #[must_use]
    pub fn telling(root: impl Into<PathBuf>, listener: DiskListener) -> Self {
        Self {
            steps: Steps::told_to(listener),
            ..Self::new(root)
        }
    }

    /// Returns the folder below which everything is stored.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the file of an object.
    fn file(&self, key: &ArtifactKey, operation: &'static str) -> Result<PathBuf, StorageError> {
        let path = path_of(key, operation, |key| self.locate(key))?;
        Ok(self.root.join(path))
    }

    /// Returns an empty file that is not yet under its name.
    fn new_temporary(&self) -> io::Result<NamedTempFile> {
        let folder = self.root.join(TEMPORARY_FOLDER);
        fs::create_dir_all(&folder)?;
        // Temporary files are private by default; what is stored is as readable as the umask lets it be.
        tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
    }

    /// Returns a file with these bytes, safe from a crash and not yet under its name.
    fn write_temporary(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let mut file = self.new_temporary()?;
        file.write_all(bytes)?;
        self.sync_bytes(&file)?;
        Ok(file)
    }

    /// Makes the bytes of a file survive a crash.
    fn sync_bytes(&self, file: &NamedTempFile) -> io::Result<()> {
        file.as_file().sync_all()?;
        self.steps.done(DiskStep::BytesSynced(file.path()));
        Ok(())
    }

    /// Writes a temporary file and makes the folder it will go to.
    fn prepare(&self, path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
        self.make_folder(path.parent().unwrap_or(path))?;
        self.write_temporary(bytes)
    }

    /// Makes a folder and those above it; returns once the names of all of them survive a crash.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
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
    fn sync_name(&self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |folder| self.sync(folder))
    }

    fn create_file(&self, path: &Path, bytes: &[u8]) -> Result<Created, StorageError> {
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
    fn create_picture(&self, path: &Path, bytes: &[u8]) -> Result<Created, StorageError> {
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

    fn replace_file(&self, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
        let temporary = self
            .prepare(path, bytes)
            .map_err(|e| error_of_making("write", path, e))?;
        let named = self.rename_over(temporary, path);
        named.map_err(|e| error_of_making("write", path, e))
    }

    /// Gives a finished file its name, whatever has it; returns once that survives a crash.
    fn rename_over(&self, temporary: NamedTempFile, path: &Path) -> io::Result<()> {
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

    /// Makes a name that was found survive a crash, with those of all folders above it. Who reads what is gone meanwhile
    /// tells that better.
    fn settle_file(&self, path: &Path) -> Result<(), StorageError> {
        let settled = match self.sync_name(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(()) => self.make_folder(path.parent().unwrap_or(path)),
            failed => failed,
        };
        settled.map_err(|e| io_error("settle", path, e))
    }

    /// Returns an error with what a person can do about it where the system's own words do not say.
    fn explained(&self, error: io::Error, path: &Path) -> io::Error {
        if error.kind() == io::ErrorKind::CrossesDevices {
            return cause::other_file_system(&self.root.join(TEMPORARY_FOLDER), path);
        }
        error
    }
}

#[async_trait]
impl Storage for LocalStorage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        let path = self.file(key, "create")?;
        let (storage, is_picture) = (self.clone(), key.is_picture());
        blocking::run(move || {
            if is_picture {
                storage.create_picture(&path, &bytes)
            } else {
                storage.create_file(&path, &bytes)
            }
        })
        .await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        let (storage, path) = (self.clone(), self.file(key, "write")?);
        blocking::run(move || storage.replace_file(&path, &bytes)).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        let (path, file) = (self.file(key, "write")?, file.to_owned());
        let storage = self.clone();
        blocking::run(move || {
            let copy = || -> io::Result<()> {
                let mut temporary = storage.prepare(&path, b"")?;
                io::copy(&mut read_file::open(&file)?, temporary.as_file_mut())?;
                storage.sync_bytes(&temporary)?;
                storage.rename_over(temporary, &path)
            };
            copy().map_err(|e| error_of_making("write", &path, e))
        })
        .await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        self.read_within(key, max_bytes_of(key)).await
    }

    async fn read_within(&self, key: &ArtifactKey, max_bytes: u64) -> Result<Bytes, StorageError> {
        let path = self.file(key, "read")?;
        blocking::run(move || {
            let read = read_file::read(&path, max_bytes);
            let bytes = read.map_err(|e| io_error("read", &path, told_of_links(e, &path)))?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        let path = self.file(key, "look for")?;
        blocking::run(move || match path.try_exists() {
            Err(error) if is(&error, Errno::LOOP) => Ok(false),
            looked => looked.map_err(|e| io_error("look for", &path, e)),
        })
        .await
    }

    async fn settle(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        let (storage, path) = (self.clone(), self.file(key, "settle")?);
        blocking::run(move || storage.settle_file(&path)).await
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        let walk = Walk::new(self.root.clone(), Path::new(&prefix.path()));
        futures::stream::try_unfold(walk, |mut walk| {
            blocking::run(move || {
                let page = walk
                    .next_page()
                    .map_err(|(path, e)| io_error("list", &path, e))?;
                let page: Vec<_> = page.into_iter().map(listed).collect();
                Ok((!page.is_empty()).then_some((page, walk)))
            })
        })
        .boxed()
    }

    async fn links(&self, prefix: &ArtifactPrefix) -> Result<Vec<String>, StorageError> {
        let (root, folder) = (self.root.clone(), prefix.path());
        blocking::run(move || {
            let links = links_below(&root, Path::new(&folder));
            let links = links.map_err(|(path, e)| io_error("list", &path, e))?;
            let paths = links.iter().map(|path| path.to_string_lossy().into_owned());
            Ok(paths.collect())
        })
        .await
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        let folder = self.root.join(ArtifactPrefix::Runs.path());
        blocking::run(move || {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(io_error("list", &folder, error)),
            };
            let mut runs = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|e| io_error("list", &folder, e))?;
                runs.extend(
                    entry
                        .file_name()
                        .to_str()
                        .and_then(|name| name.parse().ok()),
                );
            }
            runs.sort();
            Ok(runs)
        })
        .await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking::run(move || {
            probe::run(&storage)?;
            remove_abandoned(&storage.root.join(TEMPORARY_FOLDER), "");
            for folder in ["", &ArtifactPrefix::Runs.path()] {
                remove_abandoned(&storage.root.join(folder), probe::PREFIX);
            }
            Ok(())
        })
        .await
    }

    fn temporary_file(&self) -> Result<NamedTempFile, StorageError> {
        let made = self.new_temporary();
        made.map_err(|e| io_error("write below", &self.root, e))
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.root.join(key.path()).display().to_string()
    }
}

fn listed(found: Found) -> ObjectMeta {
    ObjectMeta {
        path: found.path.to_string_lossy().into_owned(),
        size_bytes: found.size_bytes,
    }
}

/// A new name is durable only when its folder is. A file system that knows no such thing for folders (SMB, some of
/// FUSE) has its own way, so that is no error.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if is(&error, Errno::INVAL) || is(&error, Errno::OPNOTSUPP) => Ok(()),
        synced => synced,
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

/// What is in the place of a picture.
enum Place {
    /// Nothing.
    Free,
    /// A file without a byte, a link that leads to no file, a pipe or a device.
    Hollow,
    /// What holds anything.
    Taken,
}

fn place(path: &Path) -> io::Result<Place> {
    let itself = match fs::symlink_metadata(path) {
        Ok(itself) => itself,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Free),
        Err(error) => return Err(error),
    };
    let is_hollow = match fs::metadata(path) {
        Ok(target) if target.is_file() => target.len() == 0,
        Ok(target) if target.is_dir() => itself.is_symlink(),
        Ok(_) => true,
        Err(error) => itself.is_symlink() && leads_nowhere(&error),
    };
    Ok(if is_hollow {
        Place::Hollow
    } else {
        Place::Taken
    })
}

/// Returns whether a link leads to nothing, and not to what cannot be reached just now.
fn leads_nowhere(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    kinds.contains(&error.kind()) || is(error, Errno::LOOP)
}

/// Returns an error of reading a file; that of a link to nothing says so: something is there, though it cannot be read.
fn told_of_links(error: io::Error, path: &Path) -> io::Error {
    let is_link = || fs::symlink_metadata(path).is_ok_and(|itself| itself.is_symlink());
    if leads_nowhere(&error) && is_link() {
        Refused::LeadsNowhere.into()
    } else {
        error
    }
}

/// Leftovers only cost space, so one that cannot be removed is left.
fn remove_abandoned(folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let age = age.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED_AFTER) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_folder {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
        }
    }
}

#[cfg(test)]
mod tests;
