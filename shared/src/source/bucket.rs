//! Datasets and models in a bucket.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;

use super::walk::{WalkError, WalkLimits, is_no_part};
use super::{Source, SourceFile};
use crate::location::BucketPrefix;
use crate::read_file::max_bytes;
use crate::s3::{Bucket, BucketObject, S3Settings};
use crate::storage::StorageError;

/// Objects of a bucket below a prefix, as files.
#[derive(Debug, Clone)]
pub struct BucketSource {
    pub(super) bucket: Bucket,
}

impl BucketSource {
    /// Returns the objects below a prefix. Nothing is asked of the bucket.
    ///
    /// # Errors
    ///
    /// `Denied` if nothing says where the bucket is.
    pub async fn open(at: &BucketPrefix, settings: &S3Settings) -> Result<Self, StorageError> {
        let bucket = Bucket::open(at, settings).await?;
        Ok(Self { bucket })
    }
}

#[async_trait]
impl Source for BucketSource {
    async fn list(&self, folder: &Path) -> Result<Vec<SourceFile>, StorageError> {
        let below = match key(folder).trim_matches('/') {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let max_objects = WalkLimits::default().max_entries;
        let mut pages = self.bucket.pages(&below);
        let (mut num_objects, mut files) = (0, Vec::new());
        while let Some(page) = pages.try_next().await? {
            num_objects += page.len();
            if num_objects > max_objects {
                return Err(WalkError::TooMany(max_objects).at(self.bucket.address(&below)));
            }
            files.extend(page.into_iter().filter_map(file));
        }
        Ok(files)
    }

    async fn read(&self, path: &Path) -> Result<Bytes, StorageError> {
        self.read_within(path, max_bytes::DATA).await
    }

    async fn read_within(&self, path: &Path, max_bytes: u64) -> Result<Bytes, StorageError> {
        let (bytes, _) = self.bucket.get(&key(path), max_bytes).await?;
        Ok(bytes)
    }

    async fn fetch(&self, path: &Path, to: &Path) -> Result<(), StorageError> {
        self.bucket.get_to_file(&key(path), to).await
    }

    fn locate(&self, path: &Path) -> String {
        self.bucket.address(&key(path))
    }
}

pub(super) fn key(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Returns an object as a file, unless it is no part of a dataset or has a name that no file can have (`a//b`, `../a`).
fn file(object: BucketObject) -> Option<SourceFile> {
    let mut parts = object.path.split('/');
    let plain = parts.all(|part| !part.is_empty() && !is_no_part(part.as_bytes()));
    plain.then(|| SourceFile {
        path: PathBuf::from(object.path),
        size_bytes: object.size_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_could_be_no_file_here_is_left_out() {
        let is_file = |path: &str| {
            let path = path.to_owned();
            let size_bytes = 1;
            file(BucketObject { path, size_bytes }).is_some()
        };
        assert!(is_file("images/a b.png"));
        for path in [
            "../a",
            "a/../../b",
            "/etc/passwd",
            "a//b",
            ".git/config",
            "a/.",
            "lost+found/a",
        ] {
            assert!(!is_file(path), "{path}");
        }
    }
}
