//! Storage in a folder: temporary file, fsync, then a hard link or a rename into place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::NamedTempFile;

use super::{Created, Listed, Storage, StorageError, StorageErrorKind};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::digest;

/// Unfinished files begin with this and are never listed.
const TEMPORARY_PREFIX: &str = ".writing-";

/// Objects as files below a folder.
#[derive(Debug, Clone)]
pub struct LocalStorage {
    root: PathBuf,
}

impl LocalStorage {
    /// Returns storage below `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the folder below which everything is stored.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn file(&self, key: &ArtifactKey) -> PathBuf {
        self.root.join(key.path())
    }

    fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    fn create_file(path: &Path, bytes: &[u8]) -> Result<Created, StorageError> {
        let temporary =
            Self::write_temporary(path, bytes).map_err(|e| io_error("create", path, e))?;
        match temporary.persist_noclobber(path) {
            Ok(_) => {
                sync_folder(path).map_err(|e| io_error("create", path, e))?;
                Ok(Created::New)
            }
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                let there =
                    digest::sha256_of_file(path).map_err(|e| io_error("compare", path, e))?;
                if there == digest::sha256(bytes) {
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
            Err(error) => Err(io_error("create", path, error.error)),
        }
    }

    fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
        let temporary =
            Self::write_temporary(path, bytes).map_err(|e| io_error("write", path, e))?;
        temporary
            .persist(path)
            .map_err(|e| io_error("write", path, e.error))?;
        sync_folder(path).map_err(|e| io_error("write", path, e))
    }
}

#[async_trait]
impl Storage for LocalStorage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        let path = self.file(key);
        blocking(move || Self::create_file(&path, &bytes)).await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.file(key);
        blocking(move || Self::replace_file(&path, &bytes)).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        let path = self.file(key);
        blocking(move || {
            fs::read(&path)
                .map(Bytes::from)
                .map_err(|e| io_error("read", &path, e))
        })
        .await
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        let path = self.file(key);
        blocking(move || {
            path.try_exists()
                .map_err(|e| io_error("look for", &path, e))
        })
        .await
    }

    async fn list(&self, prefix: &ArtifactPrefix) -> Result<Vec<Listed>, StorageError> {
        let (root, folder) = (self.root.clone(), self.root.join(prefix.path()));
        blocking(move || {
            let mut found = Vec::new();
            walk(&root, &folder, &mut found).map_err(|e| io_error("list", &folder, e))?;
            found.sort();
            Ok(found)
        })
        .await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        let probe = self.root.join("runs").join("probe");
        blocking(move || {
            Self::write_temporary(&probe, b"synth2real")
                .map(drop)
                .map_err(|e| io_error("write below", &probe, e))
        })
        .await
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.file(key).display().to_string()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A new name is durable only when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Listed>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(TEMPORARY_PREFIX)
        {
            continue;
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            walk(root, &entry.path(), found)?;
        } else {
            let path = entry.path();
            let relative = path.strip_prefix(root).unwrap_or(&path);
            found.push(Listed {
                path: relative.to_string_lossy().into_owned(),
                size_bytes: metadata.len(),
            });
        }
    }
    Ok(())
}

fn io_error(operation: &'static str, path: &Path, source: io::Error) -> StorageError {
    let kind = match source.kind() {
        io::ErrorKind::NotFound => StorageErrorKind::NotFound,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StorageErrorKind::Full
        }
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory => StorageErrorKind::Denied,
        _ => StorageErrorKind::Unavailable,
    };
    StorageError {
        kind,
        operation,
        path: path.display().to_string(),
        source: Some(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;

    #[tokio::test]
    async fn local_storage_keeps_the_contract() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        conformance::check(&LocalStorage::new(folder.path().join("not/yet/there"))).await;
    }

    #[tokio::test]
    async fn an_unfinished_file_is_never_listed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let storage = LocalStorage::new(folder.path());
        let run: crate::ids::RunId = "demo".parse().expect("a valid name");
        let key = ArtifactKey::Shard(run.clone(), crate::ids::ShardId(1));
        let half =
            LocalStorage::write_temporary(&storage.file(&key), b"half").expect("a writable folder");
        assert_eq!(
            storage
                .list(&ArtifactPrefix::Shards(run))
                .await
                .expect("a listing"),
            vec![]
        );
        assert!(half.path().exists());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_named() {
        let storage = LocalStorage::new("/proc/synth2real");
        let error = storage
            .check_writable()
            .await
            .expect_err("nobody can write there");
        assert!(error.to_string().contains("/proc/synth2real"), "{error}");
    }
}
