//! A bucket as a target, written as results are: by conditional puts.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use tempfile::NamedTempFile;

use super::{Target, check_path, is_own};
use crate::location::BucketPrefix;
use crate::s3::S3Settings;
use crate::storage::{
    Created, ObjectMeta, Pages, S3Storage, Storage, StorageError, StorageErrorKind,
};

/// Objects of a bucket below a prefix.
#[derive(Debug, Clone)]
pub struct BucketTarget {
    storage: S3Storage,
}

impl BucketTarget {
    /// Returns the target in a bucket. Nothing is asked of it before [`Target::check_writable`].
    ///
    /// # Errors
    ///
    /// `Denied` if nothing says where the bucket is.
    pub async fn open(at: &BucketPrefix, settings: &S3Settings) -> Result<Self, StorageError> {
        let storage = S3Storage::open(at, settings).await?;
        Ok(Self { storage })
    }

    fn check(&self, path: &str, operation: &'static str) -> Result<(), StorageError> {
        check_path(path, operation, |path| self.locate(path))
    }
}

#[async_trait]
impl Target for BucketTarget {
    async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, StorageError> {
        self.check(path, "create")?;
        self.storage.create_at(path, &bytes, false).await
    }

    async fn create_from(&self, path: &str, file: NamedTempFile) -> Result<Created, StorageError> {
        self.check(path, "create")?;
        self.storage.create_file_at(path, file.path()).await
    }

    async fn link(&self, path: &str, _file: &Path) -> Result<Created, StorageError> {
        Err(StorageError {
            kind: StorageErrorKind::Denied,
            operation: "link",
            path: self.locate(path),
            source: None,
        })
    }

    async fn read(&self, path: &str, max_bytes: u64) -> Result<Bytes, StorageError> {
        self.check(path, "read")?;
        let (bytes, _) = self.storage.bucket().get(path, max_bytes).await?;
        Ok(bytes)
    }

    async fn sha256(&self, path: &str) -> Result<String, StorageError> {
        self.check(path, "read")?;
        self.storage.bucket().sha256(path).await
    }

    async fn stored_sha256(&self, path: &str) -> Result<String, StorageError> {
        self.check(path, "read")?;
        self.storage.stored_sha256_at(path).await
    }

    fn list(&self) -> Pages {
        let pages = self.storage.bucket().pages("");
        pages
            .map(|page| {
                let page = page?.into_iter().map(|object| ObjectMeta {
                    path: object.path,
                    size_bytes: object.size_bytes,
                });
                Ok(page.filter(|object| !is_own(&object.path)).collect())
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
        // An object is put in one request, which leaves nothing unfinished.
        Ok(())
    }

    fn locate(&self, path: &str) -> String {
        self.storage.bucket().address(path)
    }
}
