//! Storage in a bucket: conditional puts, and digests to tell one's own objects from others.

mod trial;

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::{
    Created, Listed, Pages, Storage, StorageError, StorageErrorKind, max_bytes_of, path_of, scratch,
};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::blocking;
use crate::ids::RunId;
use crate::location::BucketPrefix;
use crate::s3::{Body, Bucket, BucketObject, Put, S3Settings};

/// How often a create may find an object that is gone when it is looked at.
const MAX_VANISHED: usize = 5;

/// Objects of a bucket below a prefix.
#[derive(Debug, Clone)]
pub struct S3Storage {
    bucket: Bucket,
}

impl S3Storage {
    /// Returns storage in a bucket. Nothing is asked of it before [`Storage::check_writable`].
    ///
    /// # Errors
    ///
    /// `Denied` if nothing says where the bucket is.
    pub async fn open(at: &BucketPrefix, settings: &S3Settings) -> Result<Self, StorageError> {
        let bucket = Bucket::open(at, settings).await?;
        Ok(Self { bucket })
    }

    fn path(&self, key: &ArtifactKey, operation: &'static str) -> Result<String, StorageError> {
        path_of(key, operation, |key| self.locate(key))
    }

    /// Returns whether an object has no bytes, or is gone.
    async fn is_empty(&self, path: &str) -> Result<bool, StorageError> {
        let head = self.bucket.head(path).await?;
        Ok(head.is_none_or(|head| head.size_bytes == 0))
    }

    /// Returns whether an object has these bytes; nothing if it is gone. A store that keeps no SHA-256 is read.
    async fn holds(&self, path: &str, bytes: &Bytes) -> Result<Option<bool>, StorageError> {
        let Some(head) = self.bucket.head(path).await? else {
            return Ok(None);
        };
        if let Some(known) = head.has(bytes) {
            return Ok(Some(known));
        }
        // It is as long as these bytes, or its length would have told.
        match self.bucket.get(path, u64::MAX).await {
            Ok((there, _)) => Ok(Some(there == *bytes)),
            Err(error) if error.kind == StorageErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An object without a byte where a picture belongs.
#[derive(Debug, thiserror::Error)]
#[error("an empty object is in its place and cannot be removed; remove it and run again: {0}")]
struct EmptyObject(String);

#[async_trait]
impl Storage for S3Storage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        let path = self.path(key, "create")?;
        let failed = |kind| StorageError {
            kind,
            operation: "create",
            path: self.locate(key),
            source: None,
        };
        for _ in 0..MAX_VANISHED {
            // An answer that was lost is asked for again, so what is taken may be taken by this very call.
            match self.bucket.put_new(&path, Body::Bytes(&bytes)).await? {
                Put::Written => return Ok(Created::New),
                Put::Taken => match self.holds(&path, &bytes).await? {
                    Some(true) => return Ok(Created::AlreadyThere),
                    Some(false) => {
                        if !(key.is_picture() && self.is_empty(&path).await?) {
                            return Err(failed(StorageErrorKind::Conflict));
                        }
                        // Writers bring the same bytes, so one that comes in between loses nothing.
                        let removed = self.bucket.delete(&path).await;
                        removed.map_err(|error| StorageError {
                            source: Some(Box::new(EmptyObject(crate::failure::chain(&error)))),
                            ..failed(error.kind)
                        })?;
                    }
                    None => {}
                },
            }
        }
        Err(failed(StorageErrorKind::Unavailable))
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.path(key, "write")?;
        self.bucket.put(&path, Body::Bytes(&bytes)).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        let path = self.path(key, "write")?;
        self.bucket.put(&path, Body::File(file)).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        self.read_within(key, max_bytes_of(key)).await
    }

    async fn read_within(&self, key: &ArtifactKey, max_bytes: u64) -> Result<Bytes, StorageError> {
        let path = self.path(key, "read")?;
        let (bytes, _) = self.bucket.get(&path, max_bytes).await?;
        Ok(bytes)
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        let head = self.bucket.head(&self.path(key, "look for")?).await?;
        Ok(head.is_some())
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        let pages = self.bucket.pages(&prefix.path());
        pages
            .map(|page| Ok(page?.into_iter().map(listed).collect()))
            .boxed()
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        let folders = self.bucket.folders(&ArtifactPrefix::Runs.path()).await?;
        let names = folders.iter().filter_map(|name| name.parse().ok());
        let mut runs: Vec<RunId> = names.collect();
        runs.sort();
        Ok(runs)
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        trial::run(self).await?;
        // Manifests are made in a file before they are sent.
        blocking::run(|| scratch::check(&std::env::temp_dir())).await
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.bucket.address(&key.path())
    }
}

fn listed(object: BucketObject) -> Listed {
    Listed {
        path: object.path,
        size_bytes: object.size_bytes,
    }
}
