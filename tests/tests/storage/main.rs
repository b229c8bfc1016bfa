//! Buckets: the storage contract on S3 servers, through every kind of trouble, and the files that are read from them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod contract;
mod faults;
mod refused;
mod sources;
mod targets;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
pub(crate) use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::s3::S3Settings;
use shared::storage::S3Storage;
use tests::s3_server::S3Server;

/// Returns settings that give up sooner than those for a cluster, but bear two faults and a connection that was closed
/// while nobody used it.
pub(crate) fn impatient(server: &S3Server) -> S3Settings {
    S3Settings {
        max_attempts: 4,
        ..server.settings()
    }
}

pub(crate) async fn storage(server: &S3Server) -> S3Storage {
    let at = server.bucket("some/prefix/");
    S3Storage::open(&at, &impatient(server)).await.unwrap()
}

pub(crate) fn shard(number: u32) -> ArtifactKey {
    let run: RunId = "demo".parse().unwrap();
    ArtifactKey::Shard(run, ShardId(number))
}

pub(crate) fn rows() -> Bytes {
    Bytes::from_static(b"the rows of a shard")
}
