//! Datasets and models in a folder of this machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use super::walk::{WalkLimits, files_below};
use super::{Source, SourceFile, Tree};
use crate::blocking;
use crate::globs::Globs;
use crate::read_file::{self, max_bytes};
use crate::storage::{StorageError, StorageErrorKind};
use crate::storage_error::disk::io_error;

/// Files below a folder. Links are followed, each folder once.
#[derive(Debug, Clone)]
pub struct LocalSource {
    root: PathBuf,
}

impl LocalSource {
    /// Returns the files below `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl Source for LocalSource {
    async fn list(&self, folder: &Path) -> Result<Vec<SourceFile>, StorageError> {
        let tree = self.list_except(folder, &Globs::default()).await?;
        Ok(tree.files)
    }

    async fn list_except(&self, folder: &Path, excluded: &Globs) -> Result<Tree, StorageError> {
        let (root, folder) = (self.root.clone(), folder.to_owned());
        let limits = WalkLimits {
            excluded: excluded.clone(),
            ..WalkLimits::default()
        };
        blocking::run(move || files_below(&root, &folder, limits)).await
    }

    async fn read(&self, path: &Path) -> Result<Bytes, StorageError> {
        self.read_within(path, max_bytes::DATA).await
    }

    async fn read_within(&self, path: &Path, max_bytes: u64) -> Result<Bytes, StorageError> {
        let path = self.root.join(path);
        blocking::run(move || {
            let read = read_file::read(&path, max_bytes);
            let bytes = read.map_err(|e| read_error(&path, e))?;
            Ok(bytes.into())
        })
        .await
    }

    async fn fetch(&self, path: &Path, to: &Path) -> Result<(), StorageError> {
        let (path, to) = (self.root.join(path), to.to_owned());
        blocking::run(move || {
            let from = read_file::open(&path).map_err(|e| io_error("read", &path, e))?;
            let copy = || {
                let mut file = fs::File::create(&to)?;
                std::io::copy(&mut &from, &mut file)?;
                file.sync_all()
            };
            copy().map_err(|e| io_error("write", &to, e))
        })
        .await
    }

    fn locate(&self, path: &Path) -> String {
        self.root.join(path).display().to_string()
    }
}

/// Returns why a file cannot be read. A folder of its name is not the file.
fn read_error(path: &Path, error: io::Error) -> StorageError {
    let is_folder = error.kind() == io::ErrorKind::IsADirectory;
    let error = io_error("read", path, error);
    StorageError {
        kind: if is_folder {
            StorageErrorKind::NotFound
        } else {
            error.kind
        },
        ..error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_link_that_leads_to_itself_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("self.png", root.path().join("self.png")).unwrap();
        let source = LocalSource::new(root.path());
        let error = source.read(Path::new("self.png")).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::NotFound);
        assert!(error.to_string().contains("self.png"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_claims_to_be_larger_than_any_picture_takes_no_memory() {
        let root = tempfile::tempdir().unwrap();
        let sparse = fs::File::create(root.path().join("sparse.png")).unwrap();
        sparse.set_len(6 << 30).unwrap();
        let source = LocalSource::new(root.path());
        let error = source.read(Path::new("sparse.png")).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::NotFound);
        let message = crate::failure::chain(&error);
        assert!(message.contains("6442450944 bytes"), "{message}");
        assert!(!message.contains("not there"), "{message}");
    }

    #[tokio::test]
    async fn a_pipe_or_device_in_place_of_a_file_is_refused_at_once() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe.png");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", root.path().join("device.png")).unwrap();
        let source = LocalSource::new(root.path());
        for name in ["pipe.png", "device.png"] {
            let error = source.read(Path::new(name)).await.unwrap_err();
            let message = crate::failure::chain(&error);
            assert!(
                message.contains(name) && message.contains("no file"),
                "{message}"
            );
        }
    }
}
