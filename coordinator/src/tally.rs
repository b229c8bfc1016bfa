//! Counts over a run's committed shards. A committed shard never changes, so each is read once.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use shared::artifact::ArtifactKey;
use shared::ids::{RunId, ShardId};
use shared::manifest::{ManifestRow, Status};
use shared::storage::{Storage, StorageError, StorageErrorKind};

use crate::freeze::FrozenRun;
use crate::ledger::{self, Ledger, LedgerError, ShardState};

/// Shards that are read at once.
pub(crate) const READS_AT_ONCE: usize = 32;

/// Counts of the committed shards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    shards: BTreeMap<ShardId, Counts>,
}

/// Counts of one shard, or of many.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counts {
    /// Items with an image and a label.
    pub done: usize,
    /// Items whose input cannot be converted.
    #[serde(skip_serializing_if = "is_default")]
    pub quarantined: usize,
    /// Items whose shard failed too often.
    #[serde(skip_serializing_if = "is_default")]
    pub failed: usize,
    /// Items that are done with a warning.
    #[serde(skip_serializing_if = "is_default")]
    pub warnings: usize,
    /// Items that the row's own attempt converted.
    pub converted: usize,
    /// Time that those took, in milliseconds.
    pub busy_ms: f64,
    /// UNet evaluations, styles included.
    pub unet_evaluations: f64,
    /// Reasons for quarantine and failure, with the number of items.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, usize>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Counts {
    /// Returns what some rows say.
    #[must_use]
    pub fn of(rows: &[ManifestRow]) -> Self {
        let mut counts = Self::default();
        for row in rows {
            match row.status {
                Status::Done => counts.done += 1,
                Status::Quarantined => counts.quarantined += 1,
                Status::Failed => counts.failed += 1,
            }
            counts.warnings += usize::from(row.warning.is_some());
            if let Some(work) = row.work {
                counts.converted += 1;
                counts.unet_evaluations += work.unet_evaluations + work.style_evaluations;
                counts.busy_ms += work.load_ms
                    + work.encode_ms
                    + work.denoise_ms
                    + work.decode_ms
                    + work.store_ms;
            }
            if let Some(error) = &row.error {
                *counts.reasons.entry(error.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// Returns the items that are not done.
    #[must_use]
    pub fn not_done(&self) -> usize {
        self.quarantined + self.failed
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.quarantined += other.quarantined;
        self.failed += other.failed;
        self.warnings += other.warnings;
        self.converted += other.converted;
        self.busy_ms += other.busy_ms;
        self.unet_evaluations += other.unet_evaluations;
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
    }
}

impl Tally {
    /// Returns the counts that were stored, as a beginning; nothing if there are none that can be read.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub async fn stored(storage: &dyn Storage, run: &RunId) -> Result<Self, StorageError> {
        match storage.read(&ArtifactKey::Tally(run.clone())).await {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind == StorageErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Stores the counts.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub async fn store(&self, storage: &dyn Storage, run: &RunId) -> Result<(), StorageError> {
        let json = Bytes::from(serde_json::to_vec(self).unwrap_or_default());
        storage
            .replace(&ArtifactKey::Tally(run.clone()), json)
            .await
    }

    /// Reads the committed shards that are not counted yet; returns how many there were.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if one cannot be read.
    pub async fn update(
        &mut self,
        storage: &dyn Storage,
        run: &RunId,
        ledger: &Ledger,
    ) -> Result<usize, LedgerError> {
        self.shards
            .retain(|shard, _| ledger.committed.contains(shard));
        let new: Vec<ShardId> = ledger
            .committed
            .iter()
            .filter(|shard| !self.shards.contains_key(shard))
            .copied()
            .collect();
        for part in new.chunks(READS_AT_ONCE) {
            let reads = part.iter().map(|&shard| count_shard(storage, run, shard));
            self.shards.extend(try_join_all(reads).await?);
        }
        Ok(new.len())
    }

    /// Returns the sum over the committed shards.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.shards.values().for_each(|counts| total.add(counts));
        total
    }

    /// Returns the sum over the committed shards and those that failed for good.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the record of a failed attempt cannot be read.
    pub async fn total_with_failed(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<Counts, LedgerError> {
        let mut total = self.total();
        let max_attempts = run.record.limits.max_attempts;
        for &shard in ledger.failed_attempts.keys() {
            let planned = run.plan.shards.get(shard.0 as usize);
            let (ShardState::Failed { last }, Some(planned)) =
                (ledger.state(shard, max_attempts), planned)
            else {
                continue;
            };
            let failure = ledger::failed_attempt(storage, &run.record.run, shard, last).await?;
            total.failed += planned.num_items();
            *total.reasons.entry(failure.error).or_default() += planned.num_items();
        }
        Ok(total)
    }
}

async fn count_shard(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
) -> Result<(ShardId, Counts), LedgerError> {
    let rows = ledger::shard_rows(storage, run, shard).await?;
    Ok((shard, Counts::of(&rows)))
}

/// Returns the counts of a run, reading only shards that nobody has counted before.
///
/// # Errors
///
/// [`LedgerError`] if a shard cannot be read.
pub async fn count(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Counts, LedgerError> {
    let mut tally = Tally::stored(storage, &run.record.run).await?;
    tally.update(storage, &run.record.run, ledger).await?;
    tally.total_with_failed(storage, run, ledger).await
}
