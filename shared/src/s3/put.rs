//! Requests that write an object, each in one step, or remove one.

use std::io;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use backon::BackoffBuilder;

use super::client::timeout_config;
use super::error_response::Cause;
use super::object::{MAX_PUT_BYTES, PutCondition};
use super::sdk_error::status;
use super::{Body, Bucket, Put, timeouts};
use crate::storage_error::StorageError;
use crate::storage_error::StorageErrorKind::{Denied, Unavailable};
use crate::storage_error::disk::io_error;

impl Bucket {
    /// Writes an object if its key is free.
    pub(crate) async fn put_new(&self, path: &str, body: Body<'_>) -> Result<Put, StorageError> {
        self.send("create", path, body, PutCondition::Free).await
    }

    /// Writes an object over the one of a tag, in one step. A store that does not know the condition writes over whatever
    /// is there.
    pub(crate) async fn put_over(
        &self,
        path: &str,
        body: Body<'_>,
        etag: &str,
    ) -> Result<Put, StorageError> {
        self.send("create", path, body, PutCondition::Is(etag))
            .await
    }

    /// Writes an object, over an older one if there is one.
    pub(crate) async fn put(&self, path: &str, body: Body<'_>) -> Result<(), StorageError> {
        self.send("write", path, body, PutCondition::Any)
            .await
            .map(drop)
    }

    async fn send(
        &self,
        operation: &'static str,
        path: &str,
        body: Body<'_>,
        condition: PutCondition<'_>,
    ) -> Result<Put, StorageError> {
        let (if_none_match, if_match) = match condition {
            PutCondition::Any => (None, None),
            PutCondition::Free => (Some("*"), None),
            PutCondition::Is(etag) => (None, Some(etag)),
        };
        let size = body.size_bytes().await?;
        if size > MAX_PUT_BYTES {
            let cause = Cause::TooLarge {
                size_bytes: size,
                max_bytes: MAX_PUT_BYTES,
            };
            return Err(cause.of(Denied, operation, self.address(path)));
        }
        let sha256 = body.sha256().await?;
        let with_timeouts = Builder::new().timeout_config(timeout_config(size));
        let mut pauses = timeouts::pauses().build();
        loop {
            // With its digest given, the SDK sends the body as it is, which every store understands.
            let put = self.client.put_object().bucket(&self.at.bucket);
            let put = put.key(self.key(path)).checksum_sha256(&sha256);
            let put = put.set_if_none_match(if_none_match.map(str::to_owned));
            let put = put.set_if_match(if_match.map(str::to_owned));
            let put = put.body(body.stream().await?).customize();
            match put.config_override(with_timeouts.clone()).send().await {
                Ok(put) if put.e_tag().is_some() => return Ok(Put::Written),
                // Some stores, and proxies before them, say 200 when they begin, and an error in the body when they fail.
                Ok(_) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => {
                        let cause = Cause::Unconfirmed(self.at.bucket.clone());
                        return Err(cause.of(Unavailable, operation, self.address(path)));
                    }
                },
                Err(error) => match (status(&error), condition) {
                    (Some(412), PutCondition::Free | PutCondition::Is(_)) => return Ok(Put::Taken),
                    // It is gone, or the store does not know the condition.
                    (Some(404 | 501), PutCondition::Is(_)) => return Ok(Put::Taken),
                    (Some(409), _) => match pauses.next() {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => return Err(self.failed(operation, path, &error)),
                    },
                    _ => return Err(self.failed(operation, path, &error)),
                },
            }
        }
    }

    /// Removes an object if it is there.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), StorageError> {
        let delete = self.client.delete_object().bucket(&self.at.bucket);
        let deleted = delete.key(self.key(path)).send().await;
        deleted
            .map(drop)
            .map_err(|e| self.failed("remove", path, &e))
    }
}

impl Body<'_> {
    async fn stream(self) -> Result<ByteStream, StorageError> {
        match self {
            Body::Bytes(bytes) => Ok(ByteStream::from(bytes.clone())),
            Body::File(path) => {
                let stream = ByteStream::from_path(path).await;
                stream.map_err(|e| io_error("read", path, io::Error::other(e)))
            }
        }
    }
}
