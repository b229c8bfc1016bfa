//! The probe of a bucket: does once what the work will do, on objects that no listing of runs shows.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::{join_all, try_join_all};

use super::S3Storage;
use crate::read_file::max_bytes;
use crate::s3::{Body, Bucket, Put};
use crate::storage::{CREATES_AT_ONCE, StorageError};

/// The objects are below this prefix of the root.
const FOLDER: &str = ".probe/";
/// How often they are. A store that looks before it writes lets several win only if they meet.
const ROUNDS: usize = 2;

/// Creates, replaces, reads back and lists as the work does, and proves that of several creates exactly one succeeds.
///
/// # Errors
///
/// `Denied` if the store does not keep the contract, else as the store answers.
pub(super) async fn run(storage: &S3Storage) -> Result<(), StorageError> {
    let random = RandomState::new().hash_one((std::process::id(), SystemTime::now()));
    let probe = Probe {
        bucket: &storage.bucket,
        prefix: format!("{FOLDER}{random:016x}"),
    };
    let probed = probe.run().await;
    probe.remove().await;
    probed
}

struct Probe<'a> {
    bucket: &'a Bucket,
    /// What the paths of its objects begin with, which no other probe's do.
    prefix: String,
}

impl Probe<'_> {
    /// In a folder of its own, so that the listing shows the order of a store: S3's is that of whole keys, in which the `-` of
    /// the others comes before its `/`. Of names of styles one may begin with another, too.
    fn created(&self) -> String {
        format!("{}/created", self.prefix)
    }

    fn contended(&self, round: usize) -> String {
        format!("{}-contended-{round}", self.prefix)
    }

    async fn run(&self) -> Result<(), StorageError> {
        let (bucket, path) = (self.bucket, self.created());
        let [first, second, third] = ["first", "second", "third"].map(Bytes::from);
        // The first may be taken, too: by itself, if its answer was lost.
        bucket.put_new(&path, Body::Bytes(&first)).await?;
        match bucket.put_new(&path, Body::Bytes(&second)).await? {
            Put::Taken => {}
            Put::Written => return Err(bucket.conditional_put_unsupported()),
        }
        self.reads(&path, &[first]).await?;
        bucket.put(&path, Body::Bytes(&third)).await?;
        self.reads(&path, &[third]).await?;
        for round in 0..ROUNDS {
            self.race(&self.contended(round)).await?;
        }
        let listed = bucket.pages(&self.prefix).try_concat().await?;
        if listed.len() != 1 + ROUNDS {
            return Err(bucket.lists_late());
        }
        Ok(())
    }

    /// Proves that an object has one of these bytes.
    async fn reads(&self, path: &str, expected: &[Bytes]) -> Result<(), StorageError> {
        let (there, _) = self.bucket.get(path, max_bytes::DATA).await?;
        if expected.contains(&there) {
            Ok(())
        } else {
            Err(self.bucket.reads_other())
        }
    }

    async fn race(&self, path: &str) -> Result<(), StorageError> {
        let bytes: Vec<Bytes> = (0..CREATES_AT_ONCE)
            .map(|writer| Bytes::from(format!("of writer {writer}")))
            .collect();
        let puts = bytes
            .iter()
            .map(|bytes| self.bucket.put_new(path, Body::Bytes(bytes)));
        let puts = try_join_all(puts).await?;
        let winners = bytes.iter().zip(puts);
        let winners = winners.filter(|(_, put)| matches!(put, Put::Written));
        let winners: Vec<Bytes> = winners.map(|(bytes, _)| bytes.clone()).collect();
        match winners.len() {
            // The answer of the one that won may be lost, and its next attempt finds the object.
            0 => self.reads(path, &bytes).await,
            1 => self.reads(path, &winners).await,
            several => Err(self.bucket.races(CREATES_AT_ONCE, several)),
        }
    }

    /// Removes what was written. Results are never removed, so this need not be permitted.
    async fn remove(&self) {
        let mut paths: Vec<String> = (0..ROUNDS).map(|round| self.contended(round)).collect();
        paths.push(self.created());
        let removed = join_all(paths.iter().map(|path| self.bucket.delete(path))).await;
        if let Some(error) = removed.into_iter().find_map(Result::err) {
            tracing::warn!(
                error = crate::error_chain::chain(&error),
                "a few bytes are left below {FOLDER} by each start: allow s3:DeleteObject there, or let a lifecycle rule \
                 remove them"
            );
        }
    }
}
