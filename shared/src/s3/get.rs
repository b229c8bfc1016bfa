//! Requests that read an object, or what a store says of it.

use std::io;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_sdk_s3::types::ChecksumMode;
use backon::BackoffBuilder;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;

use super::error_response::Cause;
use super::object::size;
use super::sdk_error::status;
use super::{Bucket, Head, timeouts};
use crate::digest::Sum;
use crate::error_chain::chain;
use crate::read_file::check_size;
use crate::storage_error::StorageError;
use crate::storage_error::StorageErrorKind::{Denied, NotFound, Unavailable};
use crate::storage_error::disk::io_error;

impl Bucket {
    /// Returns the bytes of an object of at most `max_bytes`, and what changes with them.
    pub(crate) async fn get(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<(Bytes, String), StorageError> {
        let mut pauses = timeouts::pauses().build();
        loop {
            let (body, etag) = self.start_get(path, max_bytes).await?;
            match body.collect().await {
                Ok(bytes) => return Ok((bytes.into_bytes(), etag)),
                Err(error) => self.wait(pauses.next(), path, &error).await?,
            }
        }
    }

    /// Writes an object to a file, over what is there.
    pub(crate) async fn get_to_file(&self, path: &str, to: &Path) -> Result<(), StorageError> {
        let fail = |error| io_error("write", to, error);
        let mut pauses = timeouts::pauses().build();
        'attempt: loop {
            let (mut body, _) = self.start_get(path, u64::MAX).await?;
            let mut file = tokio::fs::File::create(to).await.map_err(fail)?;
            while let Some(chunk) = body.next().await {
                match chunk {
                    Ok(chunk) => file.write_all(&chunk).await.map_err(fail)?,
                    Err(error) => {
                        self.wait(pauses.next(), path, &error).await?;
                        continue 'attempt;
                    }
                }
            }
            return file.sync_all().await.map_err(fail);
        }
    }

    /// Returns the SHA-256 of an object of any size, of which a piece is in memory at once.
    pub(crate) async fn sha256(&self, path: &str) -> Result<String, StorageError> {
        let mut pauses = timeouts::pauses().build();
        'attempt: loop {
            let (mut body, _) = self.start_get(path, u64::MAX).await?;
            let mut sum = Sum::new();
            while let Some(chunk) = body.next().await {
                match chunk {
                    Ok(chunk) => sum.update(&chunk),
                    Err(error) => {
                        self.wait(pauses.next(), path, &error).await?;
                        continue 'attempt;
                    }
                }
            }
            return Ok(sum.finish());
        }
    }

    async fn start_get(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<(ByteStream, String), StorageError> {
        let get = self.client.get_object().bucket(&self.at.bucket);
        let get = get.key(self.key(path)).checksum_mode(ChecksumMode::Enabled);
        let got = get.send().await;
        let got = got.map_err(|e| self.failed("read", path, &e))?;
        let sizeless = || {
            let cause = Cause::Sizeless(self.at.bucket.clone());
            cause.of(Denied, "read", self.address(path))
        };
        let size = size(got.content_length).ok_or_else(sizeless)?;
        check_size(size, max_bytes).map_err(|refused| StorageError {
            kind: NotFound,
            operation: "read",
            path: self.address(path),
            source: Some(Box::new(io::Error::from(refused))),
        })?;
        Ok((got.body, got.e_tag.unwrap_or_default()))
    }

    /// Returns what the store says of an object; nothing if it has none.
    pub(crate) async fn head(&self, path: &str) -> Result<Option<Head>, StorageError> {
        let head = self.client.head_object().bucket(&self.at.bucket);
        let head = head
            .key(self.key(path))
            .checksum_mode(ChecksumMode::Enabled);
        let sizeless = || {
            let cause = Cause::Sizeless(self.at.bucket.clone());
            cause.of(Denied, "look for", self.address(path))
        };
        match head.send().await {
            Ok(head) => Ok(Some(Head {
                size_bytes: size(head.content_length).ok_or_else(sizeless)?,
                etag: head.e_tag.unwrap_or_default(),
                sha256: head.checksum_sha256,
            })),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.failed("look for", path, &error)),
        }
    }

    /// The SDK tries requests again, but not the bodies of answers: waits for the next attempt if there is to be one.
    async fn wait(
        &self,
        pause: Option<Duration>,
        path: &str,
        e: &ByteStreamError,
    ) -> Result<(), StorageError> {
        let Some(pause) = pause else {
            let cause = Cause::Broken(chain(e));
            return Err(cause.of(Unavailable, "read", self.address(path)));
        };
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
