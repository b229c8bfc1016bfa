//! A folder of this machine, or one that is mounted here.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Source, SourceFile};
use crate::blocking;
use crate::storage::StorageError;
use crate::storage::local::io_error;
use crate::storage::walk::Walk;

/// Files below a folder. Links are followed.
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
        let mut walk = Walk::new(self.root.clone(), folder, true);
        blocking::run(move || {
            let mut files = Vec::new();
            loop {
                let page = walk.next_page();
                let page = page.map_err(|(path, e)| io_error("list", &path, e))?;
                if page.is_empty() {
                    return Ok(files);
                }
                files.extend(page.into_iter().map(|found| SourceFile {
                    path: found.path,
                    size_bytes: found.size_bytes,
                }));
            }
        })
        .await
    }

    async fn read(&self, path: &Path) -> Result<Bytes, StorageError> {
        let path = self.root.join(path);
        blocking::run(move || {
            let bytes = fs::read(&path).map_err(|e| io_error("read", &path, e))?;
            Ok(bytes.into())
        })
        .await
    }

    async fn fetch(&self, path: &Path, to: &Path) -> Result<(), StorageError> {
        let (path, to) = (self.root.join(path), to.to_owned());
        blocking::run(move || {
            let from = fs::File::open(&path).map_err(|e| io_error("read", &path, e))?;
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
