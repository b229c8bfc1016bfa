//! The SDK's client of a bucket, as settings and the environment say.

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Credentials, StalledStreamProtectionConfig};

use super::counting::Counting;
use super::error_response::Cause;
use super::{Bucket, S3Settings, timeouts};
use crate::location::BucketPrefix;
use crate::storage_error::StorageError;
use crate::storage_error::StorageErrorKind::Denied;

impl Bucket {
    /// Returns a bucket; asks it nothing.
    pub(crate) async fn open(
        at: &BucketPrefix,
        settings: &S3Settings,
    ) -> Result<Self, StorageError> {
        Self::of(at, settings, &environment(settings).await)
    }

    /// Returns a bucket as settings and an environment that was loaded say; asks it nothing.
    pub(super) fn of(
        at: &BucketPrefix,
        settings: &S3Settings,
        environment: &SdkConfig,
    ) -> Result<Self, StorageError> {
        let retries = RetryConfig::standard()
            .with_max_attempts(settings.max_attempts)
            .with_initial_backoff(timeouts::FIRST_PAUSE)
            .with_max_backoff(timeouts::LONGEST_PAUSE);
        // The SDK's budget for retries is one for all clients: trouble in one place would leave none for the others.
        let own = RetryPartition::custom("synth2real").token_bucket(TokenBucket::unlimited());
        let stalled = StalledStreamProtectionConfig::enabled().grace_period(timeouts::STALLED);
        let mut config = Builder::from(environment)
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
}

/// Returns what settings, and else the SDK's own environment, say of region, address and credentials.
pub(super) async fn environment(settings: &S3Settings) -> SdkConfig {
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
    loader.load().await
}

/// Returns the timeouts of a request with a body of some size.
pub(super) fn timeout_config(body_bytes: u64) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts::CONNECT)
        .read_timeout(timeouts::response(body_bytes))
        .operation_attempt_timeout(timeouts::response(body_bytes))
        .build()
}
