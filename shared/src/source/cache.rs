//! A bucket whose files are cached on this machine's disk.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::bucket::key;
use super::disk_cache::DiskCache;
use super::{BucketSource, Source, SourceFile};
use crate::blocking;
use crate::digest;
use crate::read_file::max_bytes;
use crate::storage::{StorageError, StorageErrorKind};

/// Files of a bucket that are read again and again: `read` keeps copies and asks the bucket only whether they still
/// hold. Listings and `fetch` go past the copies.
///
/// A disk that fails costs time, not results: the file then comes from the bucket.
#[derive(Debug, Clone)]
pub struct CachedSource {
    source: BucketSource,
    copies: Arc<DiskCache>,
}

impl CachedSource {
    /// Returns a source with copies in a folder that other processes may share, together at most about `max_bytes`.
    #[must_use]
    pub fn new(source: BucketSource, cache_dir: &Path, max_bytes: u64) -> Self {
        let copies = Arc::new(DiskCache::new(cache_dir.join("objects"), max_bytes));
        Self { source, copies }
    }

    /// Returns what a copy is found by: another object, or the same one changed, has another.
    fn identity(&self, path: &Path, size_bytes: u64, etag: &str) -> String {
        let location = self.locate(path);
        digest::sha256_of_json(&(location, size_bytes, etag))
    }
}

#[async_trait]
impl Source for CachedSource {
    async fn list(&self, folder: &Path) -> Result<Vec<SourceFile>, StorageError> {
        self.source.list(folder).await
    }

    async fn read(&self, path: &Path) -> Result<Bytes, StorageError> {
        let head = self.source.bucket.head(&key(path)).await?;
        let head = head.ok_or_else(|| StorageError {
            kind: StorageErrorKind::NotFound,
            operation: "read",
            path: self.locate(path),
            source: None,
        })?;
        let identity = self.identity(path, head.size_bytes, &head.etag);
        let copies = Arc::clone(&self.copies);
        if let Some(bytes) = blocking::run(move || copies.get(&identity)).await {
            return Ok(bytes);
        }
        let key = key(path);
        let got = self.source.bucket.get(&key, max_bytes::DATA);
        let (bytes, etag) = got.await?;
        if !etag.is_empty() {
            let identity = self.identity(path, bytes.len() as u64, &etag);
            let (copies, bytes) = (Arc::clone(&self.copies), bytes.clone());
            blocking::run(move || {
                copies.put(&identity, &bytes);
                Ok(())
            })
            .await?;
        }
        Ok(bytes)
    }

    async fn fetch(&self, path: &Path, to: &Path) -> Result<(), StorageError> {
        self.source.fetch(path, to).await
    }

    fn locate(&self, path: &Path) -> String {
        self.source.locate(path)
    }
}
