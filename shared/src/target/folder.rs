//! A folder as a target, written as results are: temporary file, fsync, then its name.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use tempfile::NamedTempFile;

use super::{Target, check_path, is_own};
use crate::blocking;
use crate::digest;
use crate::read_file;
use crate::storage::walk::Walk;
use crate::storage::{Created, LocalStorage, ObjectMeta, Pages, Storage, StorageError};
use crate::storage_error::disk::io_error;

/// Files below a folder.
#[derive(Debug, Clone)]
pub struct FolderTarget {
    storage: LocalStorage,
}

impl FolderTarget {
    /// Returns the target at `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            storage: LocalStorage::new(root),
        }
    }

    fn file(&self, path: &str, operation: &'static str) -> Result<PathBuf, StorageError> {
        check_path(path, operation, |path| self.locate(path))?;
        Ok(self.storage.root().join(path))
    }
}

#[async_trait]
impl Target for FolderTarget {
    async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, StorageError> {
        let (storage, file) = (self.storage.clone(), self.file(path, "create")?);
        blocking::run(move || storage.create_file(&file, &bytes)).await
    }

    async fn create_from(&self, path: &str, made: NamedTempFile) -> Result<Created, StorageError> {
        let (storage, file) = (self.storage.clone(), self.file(path, "create")?);
        blocking::run(move || storage.create_from(made, &file)).await
    }

    async fn link(&self, path: &str, to: &Path) -> Result<Created, StorageError> {
        let (storage, file) = (self.storage.clone(), self.file(path, "link")?);
        let to = to.to_owned();
        blocking::run(move || storage.link_new(&to, &file)).await
    }

    async fn read(&self, path: &str, max_bytes: u64) -> Result<Bytes, StorageError> {
        let file = self.file(path, "read")?;
        blocking::run(move || {
            let read = read_file::read(&file, max_bytes);
            let bytes = read.map_err(|e| io_error("read", &file, e))?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    async fn sha256(&self, path: &str) -> Result<String, StorageError> {
        let file = self.file(path, "read")?;
        blocking::run(move || {
            let sha256 = digest::sha256_of_file(&file);
            sha256.map_err(|e| io_error("read", &file, e))
        })
        .await
    }

    fn list(&self) -> Pages {
        let walk = Walk::new(self.storage.root().to_owned(), Path::new(""));
        futures::stream::try_unfold(walk, |mut walk| {
            blocking::run(move || {
                let page = walk
                    .next_page()
                    .map_err(|(path, e)| io_error("list", &path, e))?;
                if page.is_empty() {
                    return Ok(None);
                }
                let page = page.into_iter().map(|found| ObjectMeta {
                    path: found.path.to_string_lossy().into_owned(),
                    size_bytes: found.size_bytes,
                });
                let page: Vec<_> = page.filter(|file| !is_own(&file.path)).collect();
                Ok(Some((page, walk)))
            })
        })
        .boxed()
    }

    fn temporary_file(&self) -> Result<NamedTempFile, StorageError> {
        self.storage.temporary_file()
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        self.storage.check_writable().await
    }

    async fn remove_unfinished(&self) -> Result<(), StorageError> {
        let storage = self.storage.clone();
        blocking::run(move || storage.remove_unfinished()).await
    }

    fn locate(&self, path: &str) -> String {
        self.storage.root().join(path).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use futures::TryStreamExt;

    use super::*;
    use crate::storage::StorageErrorKind;

    fn made(target: &FolderTarget, bytes: &[u8]) -> NamedTempFile {
        let mut file = target.temporary_file().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    async fn listed(target: &FolderTarget) -> Vec<String> {
        let files: Vec<ObjectMeta> = target.list().try_concat().await.unwrap();
        files.into_iter().map(|file| file.path).collect()
    }

    #[tokio::test]
    async fn what_is_there_with_the_same_bytes_is_kept_and_with_others_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path().join("out"));
        assert_eq!(listed(&target).await, [""; 0]);
        let bytes = || Bytes::from_static(b"one");
        assert_eq!(target.create("a/b", bytes()).await.unwrap(), Created::New);
        let again = target.create("a/b", bytes()).await.unwrap();
        assert_eq!(again, Created::AlreadyThere);
        let same = target.create_from("a/b", made(&target, b"one")).await;
        assert_eq!(same.unwrap(), Created::AlreadyThere);
        for other in [&b"two"[..], b"longer"] {
            let from = target.create_from("a/b", made(&target, other)).await;
            assert_eq!(from.unwrap_err().kind, StorageErrorKind::Conflict);
            let bytes = Bytes::copy_from_slice(other);
            let refused = target.create("a/b", bytes).await.unwrap_err();
            assert_eq!(refused.kind, StorageErrorKind::Conflict);
        }
        let new = target.create_from("c", made(&target, b"three")).await;
        assert_eq!(new.unwrap(), Created::New);
        assert_eq!(target.read("c", 5).await.unwrap(), "three");
        let sha256 = digest::sha256(b"three");
        assert_eq!(target.sha256("c").await.unwrap(), sha256);
        assert_eq!(listed(&target).await, ["a/b", "c"]);

        let names = || fs::read_dir(folder.path().join("out")).unwrap().count();
        let being_written = made(&target, b"");
        target.remove_unfinished().await.unwrap();
        assert!(being_written.path().exists());
        assert_eq!(names(), 3, "a, c and what is being written");
        drop(being_written);
        target.remove_unfinished().await.unwrap();
        target.remove_unfinished().await.unwrap();
        assert_eq!(names(), 2, "a and c");
    }

    #[tokio::test]
    async fn a_link_is_the_file_itself_and_takes_no_name_that_another_file_has() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("image.png");
        fs::write(&source, "pixels").unwrap();
        let target = FolderTarget::new(folder.path().join("out"));
        assert_eq!(target.link("a/1", &source).await.unwrap(), Created::New);
        let again = target.link("a/1", &source).await.unwrap();
        assert_eq!(again, Created::AlreadyThere);
        assert_eq!(target.read("a/1", 6).await.unwrap(), "pixels");
        let other = Bytes::from_static(b"others");
        target.create("a/2", other).await.unwrap();
        let refused = target.link("a/2", &source).await.unwrap_err();
        assert_eq!(refused.kind, StorageErrorKind::Conflict);
    }

    #[tokio::test]
    async fn a_path_outside_is_denied_to_every_operation() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path().join("out"));
        let refused = [
            target.create("../a", Bytes::new()).await.err(),
            target.create_from("../a", made(&target, b"")).await.err(),
            target.link("../a", Path::new("/etc/hosts")).await.err(),
            target.read("../a", 1).await.err(),
            target.sha256("../a").await.err(),
        ];
        for error in refused {
            assert_eq!(error.unwrap().kind, StorageErrorKind::Denied);
        }
        assert!(!folder.path().join("a").exists());
    }
}
