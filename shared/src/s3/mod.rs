//! Objects of an S3 bucket. Only this file and `counting` name the SDK.
//!
//! An object is put in one request, so it is there whole or not at all, whatever is cut, lost or killed on the way, and no
//! parts of it are left that a lifecycle rule would have to remove. That holds up to 5 GiB, the most that S3 takes in a
//! request; what is larger is refused before anything is sent.

mod counting;
mod error_response;
mod object;
mod settings;
mod timeouts;

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Credentials, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_sdk_s3::types::ChecksumMode;
use backon::BackoffBuilder;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::io::AsyncWriteExt;

pub(crate) use self::object::{Body, BucketObject, Head, Put};
pub use self::settings::{S3Credentials, S3Settings};

use self::counting::Counting;
use self::error_response::{Cause, ErrorResponse, causes, chain};
use self::object::{Cursor, CutShort, MAX_PUT_BYTES, PutCondition, next_token, size};
use crate::location::BucketPrefix;
use crate::read_file::check_size;
use crate::storage::StorageError;
use crate::storage::StorageErrorKind::{Denied, NotFound, Unavailable};
use crate::storage::disk::io_error;

/// The objects of a bucket below a prefix. Paths are those below the prefix.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    client: Client,
    at: BucketPrefix,
}

impl Bucket {
    /// Returns a bucket; asks it nothing.
    pub(crate) async fn open(
        at: &BucketPrefix,
        settings: &S3Settings,
    ) -> Result<Self, StorageError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        } else if settings.endpoint.is_some() {
            // Few stores but AWS care, and asking the machine's metadata service for a region takes seconds.
            let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else(Region::new("us-east-1"));
            loader = loader.region(region);
        }
        if let Some(keys) = &settings.credentials {
            let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
            loader = loader.credentials_provider(Credentials::new(id, secret, None, None, "given"));
        }
        let environment = loader.load().await;
        let retries = RetryConfig::standard()
            .with_max_attempts(settings.max_attempts)
            .with_initial_backoff(timeouts::FIRST_PAUSE)
            .with_max_backoff(timeouts::LONGEST_PAUSE);
        // The SDK's budget for retries is one for all clients: trouble in one place would leave none for the others.
        let own = RetryPartition::custom("synth2real").token_bucket(TokenBucket::unlimited());
        let stalled = StalledStreamProtectionConfig::enabled().grace_period(timeouts::STALLED);
        let mut config = Builder::from(&environment)
            .retry_config(retries)
            .retry_partition(own.build())
            .interceptor(Counting)
            .timeout_config(timeout_config(0))
            .stalled_stream_protection(stalled.build());
        if let Some(endpoint) = &settings.endpoint {
            config = config.endpoint_url(endpoint);
        }
        // A host name for each bucket is AWS's own; many other stores know paths only.
        let elsewhere = settings.endpoint.is_some() || environment.endpoint_url().is_some();
        let client = Client::from_conf(config.force_path_style(elsewhere).build());
        let at = at.clone();
        let bucket = Self { client, at };
        match environment.region() {
            None => Err(Cause::NoRegion.of(Denied, "open", bucket.address(""))),
            Some(_) if !settings.has_usable_endpoint() => {
                Err(Cause::NoAddress.of(Denied, "open", bucket.address("")))
            }
            Some(_) => Ok(bucket),
        }
    }

    /// Returns the address of an object.
    pub(crate) fn address(&self, path: &str) -> String {
        let address = format!("s3://{}/{}{path}", self.at.bucket, self.at.prefix);
        address.trim_end_matches('/').to_owned()
    }

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

    /// Removes an object if it is there.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), StorageError> {
        let delete = self.client.delete_object().bucket(&self.at.bucket);
        let deleted = delete.key(self.key(path)).send().await;
        deleted
            .map(drop)
            .map_err(|e| self.failed("remove", path, &e))
    }

    /// Returns the objects whose paths begin with `below`, sorted by the bytes of their paths.
    pub(crate) fn pages(
        &self,
        below: &str,
    ) -> BoxStream<'static, Result<Vec<BucketObject>, StorageError>> {
        let (bucket, below) = (self.clone(), below.to_owned());
        futures::stream::try_unfold(Some(Cursor::default()), move |cursor| {
            let (bucket, below) = (bucket.clone(), below.clone());
            async move {
                match cursor {
                    Some(cursor) => bucket.page(&below, cursor).await.map(Some),
                    None => Ok(None),
                }
            }
        })
        .boxed()
    }

    async fn page(
        &self,
        below: &str,
        mut cursor: Cursor,
    ) -> Result<(Vec<BucketObject>, Option<Cursor>), StorageError> {
        let list = self.client.list_objects_v2().bucket(&self.at.bucket);
        let list = list
            .prefix(self.key(below))
            .set_continuation_token(cursor.token.take());
        let listed = list.send().await;
        let listed = listed.map_err(|e| self.failed("list", below, &e))?;

        let wrong = |cause: fn(String) -> Cause| {
            let cause = cause(self.at.bucket.clone());
            cause.of(Denied, "list", self.address(below))
        };
        let mut page = Vec::new();
        for object in listed.contents.unwrap_or_default() {
            // One without a key comes before any other.
            let key = object.key.unwrap_or_default();
            if !cursor.moves_to(&key) {
                return Err(wrong(Cause::Unsorted));
            }
            let size_bytes = size(object.size).ok_or_else(|| wrong(Cause::Sizeless))?;
            page.extend(BucketObject::below(&self.at.prefix, &key, size_bytes));
        }
        let next = next_token(listed.is_truncated, listed.next_continuation_token);
        cursor.token = next.map_err(|CutShort| wrong(Cause::CutListing))?;
        let next = cursor.token.is_some().then_some(cursor);
        Ok((page, next))
    }

    /// Returns the names directly below a path that have something below them.
    pub(crate) async fn folders(&self, below: &str) -> Result<Vec<String>, StorageError> {
        let prefix = self.key(below);
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let list = self.client.list_objects_v2().bucket(&self.at.bucket);
            let list = list
                .prefix(&prefix)
                .delimiter("/")
                .set_continuation_token(token);
            let listed = list
                .send()
                .await
                .map_err(|e| self.failed("list", below, &e))?;
            for found in listed.common_prefixes.unwrap_or_default() {
                let found = found.prefix.unwrap_or_default();
                let name = found
                    .strip_prefix(&prefix)
                    .map(|name| name.trim_end_matches('/'));
                names.extend(name.map(str::to_owned));
            }
            let next = next_token(listed.is_truncated, listed.next_continuation_token);
            token = next.map_err(|CutShort| {
                let cause = Cause::CutListing(self.at.bucket.clone());
                cause.of(Denied, "list", self.address(below))
            })?;
            if token.is_none() {
                return Ok(names);
            }
        }
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.at.prefix)
    }

    /// Returns an error that says this store must not be used: it ignores `If-None-Match`.
    pub(crate) fn conditional_put_unsupported(&self) -> StorageError {
        self.unusable(Cause::ConditionalPutUnsupported(self.at.bucket.clone()))
    }

    /// Returns an error that says this store must not be used: several of some creates at once succeeded.
    pub(crate) fn races(&self, writers: usize, winners: usize) -> StorageError {
        let bucket = self.at.bucket.clone();
        self.unusable(Cause::Races {
            bucket,
            writers,
            winners,
        })
    }

    /// Returns an error that says this store must not be used: it gives back other bytes.
    pub(crate) fn reads_other(&self) -> StorageError {
        self.unusable(Cause::ReadsOther(self.at.bucket.clone()))
    }

    /// Returns an error that says this store must not be used: it does not list what was written.
    pub(crate) fn lists_late(&self) -> StorageError {
        self.unusable(Cause::ListsLate(self.at.bucket.clone()))
    }

    fn unusable(&self, cause: Cause) -> StorageError {
        cause.of(Denied, "use", self.address(""))
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

    /// Returns what the SDK's error means.
    fn failed<E>(
        &self,
        operation: &'static str,
        path: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> StorageError
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let no_credentials = causes(error).find_map(|e| e.downcast_ref());
        let (kind, cause) = match (status(error), no_credentials, error) {
            (Some(status), _, _) => {
                let response = ErrorResponse {
                    bucket: self.at.bucket.clone(),
                    status,
                    code: error.code().unwrap_or_default().to_owned(),
                    message: error.message().unwrap_or_default().to_owned(),
                };
                (response.kind(), Cause::Answered(response))
            }
            (None, Some(missing), _) => {
                let kind = match missing {
                    CredentialsError::CredentialsNotLoaded(_)
                    | CredentialsError::InvalidConfiguration(_) => Denied,
                    _ => Unavailable,
                };
                (kind, Cause::NoCredentials(chain(missing)))
            }
            (None, None, SdkError::ConstructionFailure(_)) => {
                (Denied, Cause::Unusable(chain(error)))
            }
            (None, None, _) => (Unavailable, Cause::NoAnswer(chain(error))),
        };
        cause.of(kind, operation, self.address(path))
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

/// Returns the timeouts of a request with a body of some size.
fn timeout_config(body_bytes: u64) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts::CONNECT)
        .read_timeout(timeouts::response(body_bytes))
        .operation_attempt_timeout(timeouts::response(body_bytes))
        .build()
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    let response = error.raw_response()?;
    Some(response.status().as_u16())
}
