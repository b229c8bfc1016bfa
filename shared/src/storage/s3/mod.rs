//! Storage in a bucket: conditional puts, and digests to tell one's own objects from others.
//!
//! # Why not the `object_store` crate
//!
//! It creates conditionally as well (`PutMode::Create` sends `If-None-Match`), and would bring other clouds. What the
//! contract of [`Storage`] asks beyond that would have to be built around it, or is out of its reach:
//!
//! - **A create compares digests.** Where a key is taken, or the answer to a put is lost, the object there is compared with
//!   the bytes by the SHA-256 that the store keeps of it, and read only if the store keeps none. `PutMode::Create` says that
//!   something is there; the metadata that `object_store` returns has a size and an ETag, and no checksum.
//! - **A create is retried.** Its own object, found by a retry after a lost answer, is [`Created::AlreadyThere`], because the
//!   digests tell.
//! - **Success without an ETag is none.** Some stores and proxies answer 200 and put the error into the body; such a put is
//!   sent again.
//! - **A picture without a byte is replaced in one step**, by `If-Match` on its ETag, and where a store does not know that,
//!   by a plain put.
//! - **Stores that do not keep the contract are refused before any work**, by name of what they lack: conditional writes,
//!   atomic ones, reads and listings that show what was just written, listings in order. `probe` and `crate::s3` do that.
//! - **Errors say what a person can do.** Kind and advice come from status and S3 code of the response (credentials, clock,
//!   region, bucket, space); the errors of `object_store` tell a few of these apart and have the rest as text.
//! - **No multipart uploads.** An object is put in one request, so that nothing is left that a lifecycle rule would have to
//!   remove; timeouts grow with the body, and a body is sent again with its digest.
//! - **Operations and requests are counted**, by interceptors of the SDK.

mod probe;

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::{
    Created, ObjectMeta, Pages, Storage, StorageError, StorageErrorKind, max_bytes_of, path_of,
    scratch,
};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::blocking;
use crate::digest;
use crate::ids::RunId;
use crate::location::BucketPrefix;
use crate::s3::{Body, Bucket, BucketObject, Put, S3Settings};
use crate::storage_error::disk::io_error;

/// How often a create may find that what is in its place is another thing by the next look.
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

    /// Writes an object if its key is free; in the place of a picture, one without a byte counts as none.
    pub(crate) async fn create_at(
        &self,
        path: &str,
        bytes: &Bytes,
        is_picture: bool,
    ) -> Result<Created, StorageError> {
        let failed = |kind| StorageError {
            kind,
            operation: "create",
            path: self.bucket.address(path),
            source: None,
        };
        let mut refused = None;
        for _ in 0..MAX_VANISHED {
            // An answer that was lost is asked for again, so what is taken may be taken by this very call.
            let put = match self.bucket.put_new(path, Body::Bytes(bytes)).await {
                // A store that refuses a large object before it has read it may cut the connection under it, so that its
                // answer is never heard: what is there tells.
                Err(error) if error.kind == StorageErrorKind::Unavailable => {
                    match self.compare(path, bytes).await {
                        Ok(There::Same) => return Ok(Created::AlreadyThere),
                        Ok(There::Other) => return Err(failed(StorageErrorKind::Conflict)),
                        Ok(There::Nothing | There::Empty(_)) | Err(_) => return Err(error),
                    }
                }
                put => put?,
            };
            match put {
                Put::Written => return Ok(Created::New),
                Put::Taken => match self.compare(path, bytes).await? {
                    There::Same => return Ok(Created::AlreadyThere),
                    There::Nothing => {}
                    There::Empty(etag) if is_picture => {
                        // In one step: another writer may have filled the place meanwhile and count on it, and this one may
                        // end at any moment.
                        if etag.is_empty() || refused.as_ref() == Some(&etag) {
                            // The store does not know tags, or not as conditions.
                            self.bucket.put(path, Body::Bytes(bytes)).await?;
                            return Ok(Created::New);
                        }
                        let put = self.bucket.put_over(path, Body::Bytes(bytes), &etag);
                        match put.await? {
                            Put::Written => return Ok(Created::New),
                            Put::Taken => refused = Some(etag),
                        }
                    }
                    There::Empty(_) | There::Other => {
                        return Err(failed(StorageErrorKind::Conflict));
                    }
                },
            }
        }
        Err(failed(StorageErrorKind::Unavailable))
    }

    /// Writes an object of any size from a file if its key is free.
    pub(crate) async fn create_file_at(
        &self,
        path: &str,
        file: &Path,
    ) -> Result<Created, StorageError> {
        let failed = |kind| StorageError {
            kind,
            operation: "create",
            path: self.bucket.address(path),
            source: None,
        };
        for _ in 0..MAX_VANISHED {
            let put = self.bucket.put_new(path, Body::File(file)).await;
            let lost = match put {
                Ok(Put::Written) => return Ok(Created::New),
                Ok(Put::Taken) => None,
                // What is there tells whether an answer was lost.
                Err(error) if error.kind == StorageErrorKind::Unavailable => Some(error),
                Err(error) => return Err(error),
            };
            match (self.compare_file(path, file).await, lost) {
                (Ok(There::Same), _) => return Ok(Created::AlreadyThere),
                (Ok(There::Other | There::Empty(_)), _) => {
                    return Err(failed(StorageErrorKind::Conflict));
                }
                (Ok(There::Nothing) | Err(_), Some(lost)) => return Err(lost),
                (Ok(There::Nothing), None) => {}
                (Err(error), None) => return Err(error),
            }
        }
        Err(failed(StorageErrorKind::Unavailable))
    }

    /// Returns the SHA-256 of an object as the store keeps it; of one for which it keeps none, that of its bytes, which are
    /// read for that.
    pub(crate) async fn stored_sha256_at(&self, path: &str) -> Result<String, StorageError> {
        let head = self.bucket.head(path).await?;
        match head.and_then(|head| head.sha256()) {
            Some(known) => Ok(known),
            None => self.bucket.sha256(path).await,
        }
    }

    /// Returns the bucket.
    pub(crate) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Compares an object with some bytes. A store that keeps no SHA-256 of the whole (of an object that was copied, or
    /// uploaded in parts) is read.
    async fn compare(&self, path: &str, bytes: &Bytes) -> Result<There, StorageError> {
        let Some(head) = self.bucket.head(path).await? else {
            return Ok(There::Nothing);
        };
        let is_same = match head.has(bytes) {
            Some(known) => known,
            // It is as long as these bytes, or its length would have told.
            None => match self.bucket.get(path, u64::MAX).await {
                Ok((there, _)) => there == *bytes,
                Err(error) if error.kind == StorageErrorKind::NotFound => {
                    return Ok(There::Nothing);
                }
                Err(error) => return Err(error),
            },
        };
        Ok(if is_same {
            There::Same
        } else if head.size_bytes == 0 {
            There::Empty(head.etag)
        } else {
            There::Other
        })
    }

    /// Compares an object with a file, as [`Self::compare`] does with bytes.
    async fn compare_file(&self, path: &str, file: &Path) -> Result<There, StorageError> {
        let Some(head) = self.bucket.head(path).await? else {
            return Ok(There::Nothing);
        };
        if head.size_bytes != Body::File(file).size_bytes().await? {
            return Ok(There::Other);
        }
        let there = match head.sha256() {
            Some(known) => known,
            None => match self.bucket.sha256(path).await {
                Ok(there) => there,
                Err(error) if error.kind == StorageErrorKind::NotFound => {
                    return Ok(There::Nothing);
                }
                Err(error) => return Err(error),
            },
        };
        Ok(if there == sha256_of(file).await? {
            There::Same
        } else {
            There::Other
        })
    }
}

/// What is in the place of some bytes.
enum There {
    Nothing,
    Same,
    /// Not one byte, under this tag.
    Empty(String),
    Other,
}

#[async_trait]
impl Storage for S3Storage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        let path = self.path(key, "create")?;
        self.create_at(&path, &bytes, key.is_picture()).await
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
        probe::run(self).await?;
        // Manifests are made in a file before they are sent.
        blocking::run(|| scratch::check(&std::env::temp_dir())).await
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.bucket.address(&key.path())
    }
}

/// Returns the SHA-256 of a file of this machine.
async fn sha256_of(file: &Path) -> Result<String, StorageError> {
    let file = file.to_owned();
    blocking::run(move || {
        let sha256 = digest::sha256_of_file(&file);
        sha256.map_err(|e| io_error("read", &file, e))
    })
    .await
}

fn listed(object: BucketObject) -> ObjectMeta {
    ObjectMeta {
        path: object.path,
        size_bytes: object.size_bytes,
    }
}
