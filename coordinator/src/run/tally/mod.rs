//! Counts over a run's committed shards. What is committed never changes, so each is read once, and again when it has
//! another revision or another size.
//!
//! What is stored of them saves reading and is no truth: another program may have written it, or another process that has
//! seen less. Of a run with this plan it is taken for a shard that it can be true of, as that is planned and listed; all
//! others are counted anew. So it does no harm which process stores it last.

mod failures;
mod shard;

pub use failures::Failures;
pub use shard::ShardTally;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::json;
use shared::manifest::{ManifestRow, Status};
use shared::seal;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use shared::warning::WarningKind;
use shared::wording::{MOST_NAMES, Thousands, one_line, shortened};

use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError};
use crate::run::unreadable;

/// What a stored tally says about a shard. One of another version is counted anew.
const VERSION: u32 = 5;

/// Shards that are read at once.
pub(crate) const READS_AT_ONCE: usize = 32;

/// How far sums may be from others of the same numbers, as shares of them: they may be added in another order, and earlier
/// programs did not store every digit.
const ROUNDING: f64 = 1e-9;

/// Bytes of a reason in a line that people are told.
const MOST_REASON_BYTES: usize = 1000;

/// Counts of the committed shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    version: u32,
    /// The run's plan: another run may have had its name.
    #[serde(default)]
    plan_hash: String,
    shards: BTreeMap<ShardId, ShardTally>,
    /// Whether they come from storage and were not compared with the plan yet.
    #[serde(skip)]
    is_claimed: bool,
    /// Why committed shards could not be read when they were looked at last. They count as not done.
    #[serde(skip)]
    damaged: BTreeMap<ShardId, String>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            version: VERSION,
            plan_hash: String::new(),
            shards: BTreeMap::new(),
            is_claimed: false,
            damaged: BTreeMap::new(),
        }
    }
}

/// Returns what people are told of reasons for quarantine and failure: a line for each of the ten most frequent, and one
/// for the others.
#[must_use]
pub fn reason_lines(reasons: &BTreeMap<String, usize>) -> Vec<String> {
    let frequent = most_frequent(reasons);
    let (shown, others) = frequent.split_at(frequent.len().min(MOST_NAMES));
    let line = |&(reason, number): &(&String, usize)| {
        format!(
            "not converted ({number}): {}",
            shortened(&one_line(reason), MOST_REASON_BYTES)
        )
    };
    let mut lines: Vec<String> = shown.iter().map(line).collect();
    if !others.is_empty() {
        let items = others.iter().map(|&(_, number)| number);
        let items = items.fold(0, usize::saturating_add);
        lines.push(format!(
            "not converted ({items}): {} other reasons, in the manifest",
            Thousands(others.len())
        ));
    }
    lines
}

fn most_frequent(reasons: &BTreeMap<String, usize>) -> Vec<(&String, usize)> {
    let mut found: Vec<_> = reasons
        .iter()
        .map(|(reason, &number)| (reason, number))
        .collect();
    found.sort_by_key(|&(_, number)| std::cmp::Reverse(number));
    found
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
    /// Items that are done with a warning of each kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub warning_kinds: BTreeMap<WarningKind, usize>,
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
            for kind in &row.warning_kinds {
                *counts.warning_kinds.entry(*kind).or_default() += 1;
            }
            if let Some(work) = row.work {
                counts.converted += 1;
                counts.unet_evaluations += work.unet_evaluations + work.style_evaluations;
                counts.busy_ms += work.total_ms();
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
        self.quarantined.saturating_add(self.failed)
    }

    /// Returns the reasons for quarantine and failure, the most frequent first.
    #[must_use]
    pub fn frequent_reasons(&self) -> Vec<(&String, usize)> {
        most_frequent(&self.reasons)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let add = |sum: &mut usize, count: usize| *sum = sum.saturating_add(count);
        add(&mut self.done, other.done);
        add(&mut self.quarantined, other.quarantined);
        add(&mut self.failed, other.failed);
        add(&mut self.warnings, other.warnings);
        for (kind, &count) in &other.warning_kinds {
            add(self.warning_kinds.entry(*kind).or_default(), count);
        }
        add(&mut self.converted, other.converted);
        self.busy_ms += other.busy_ms;
        self.unet_evaluations += other.unet_evaluations;
        for (reason, &count) in &other.reasons {
            add(self.reasons.entry(reason.clone()).or_default(), count);
        }
    }

    /// Returns whether they are the same but for the rounding of sums.
    #[must_use]
    pub fn are_those_of(&self, other: &Self) -> bool {
        let is_near = |a: f64, b: f64| (a - b).abs() <= ROUNDING * (a.abs() + b.abs());
        let same = Self {
            busy_ms: other.busy_ms,
            unet_evaluations: other.unet_evaluations,
            ..self.clone()
        };
        same == *other
            && is_near(self.busy_ms, other.busy_ms)
            && is_near(self.unet_evaluations, other.unet_evaluations)
    }
}

impl Tally {
    /// Returns the counts that were stored, as a beginning that [`Self::update`] compares with the run; nothing if there are
    /// none of this version that can be read.
    ///
    /// # Errors
    ///
    /// If storage does not answer.
    pub async fn stored(storage: &dyn Storage, run: &RunId) -> Result<Self, StorageError> {
        let key = ArtifactKey::Tally(run.clone());
        let Some(bytes) = unreadable::read_cache(storage, &key).await? else {
            return Ok(Self::default());
        };
        Ok(match seal::parse::<Self>(&bytes, &key) {
            Ok(tally) if tally.version == VERSION => Self {
                is_claimed: true,
                ..tally
            },
            Ok(_) => Self::default(),
            Err(error) => {
                tracing::warn!(%run, %error, "stored counts cannot be read: shards are counted anew");
                Self::default()
            }
        })
    }

    /// Stores the counts. Where something else is in their place, such as a folder, nothing is stored: without them shards
    /// are counted anew.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub async fn store(&self, storage: &dyn Storage, run: &RunId) -> Result<(), StorageError> {
        let key = ArtifactKey::Tally(run.clone());
        let json = Bytes::from(seal::seal(json::line(self).as_bytes(), &key));
        match storage.replace(&key, json).await {
            Err(error) if error.kind == StorageErrorKind::Invalid => {
                tracing::warn!(%run, error = chain(&error), "counts are not stored");
                Ok(())
            }
            stored => stored,
        }
    }

    /// Reads the committed shards that are not counted yet; returns how many there were. One that is damaged is none of them:
    /// it is told by [`Self::damaged`].
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if storage fails.
    pub async fn update(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<usize, LedgerError> {
        let (counted, _) = self.read_new(storage, run, ledger).await?;
        Ok(counted)
    }

    /// Reads the committed shards that are not counted yet, all of which must be whole; returns how many there were.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if one cannot be read, or has other rows than were planned.
    pub async fn update_whole(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<usize, LedgerError> {
        match self.read_new(storage, run, ledger).await? {
            (counted, None) => Ok(counted),
            (_, Some(damage)) => Err(damage),
        }
    }

    /// Returns how many shards were counted, and what is wrong with the first that is damaged.
    async fn read_new(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<(usize, Option<LedgerError>), LedgerError> {
        self.compare_with(run);
        self.shards.retain(|&shard, tally| {
            ledger.committed.contains(&shard)
                && tally.revisions == ledger.num_revisions(shard)
                && tally.size_bytes == ledger.shard_bytes(shard)
        });
        let new: Vec<ShardId> = ledger
            .committed
            .iter()
            .filter(|shard| !self.shards.contains_key(shard))
            .copied()
            .collect();
        // What was damaged stays so until all was read: an outage in between says nothing of it.
        let mut damaged = BTreeMap::new();
        let (mut counted, mut damage) = (0, None);
        for part in new.chunks(READS_AT_ONCE) {
            let reads = part
                .iter()
                .map(|&shard| count_shard(storage, run, ledger, shard));
            for (&shard, read) in part.iter().zip(join_all(reads).await) {
                match read {
                    Ok(tally) => {
                        self.shards.insert(shard, tally);
                        counted += 1;
                    }
                    Err(error) if error.is_damage() => {
                        damaged.insert(shard, chain(&error));
                        damage.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        self.damaged = damaged;
        Ok((counted, damage))
    }

    /// Forgets what was stored and cannot be true of the run as it is planned.
    fn compare_with(&mut self, run: &FrozenRun) {
        let plan_hash = &run.record.plan_hash;
        if std::mem::take(&mut self.is_claimed) {
            if self.plan_hash != *plan_hash {
                self.shards.clear();
            }
            let wrong = self.contradictions(run);
            if let Some((shard, why)) = wrong.first_key_value() {
                let (run, num_shards) = (&run.record.run, wrong.len());
                tracing::warn!(
                    %run, num_shards, %shard, why,
                    "stored counts cannot be those of their shards: these are counted anew"
                );
            }
            self.shards.retain(|shard, _| !wrong.contains_key(shard));
        }
        self.plan_hash.clone_from(plan_hash);
    }

    /// Returns the shards that are counted as they cannot be, or that were not planned, with why.
    pub(crate) fn contradictions(&self, run: &FrozenRun) -> BTreeMap<ShardId, String> {
        let shards = self.shards.iter().filter_map(|(&shard, tally)| {
            let why = match run.plan.shard(shard) {
                Some(planned) => tally.contradiction(&run.plan, planned)?,
                None => "it was not planned".to_owned(),
            };
            Some((shard, why))
        });
        shards.collect()
    }

    /// Returns whether they are of a run with this plan.
    pub(crate) fn is_of(&self, run: &FrozenRun) -> bool {
        self.plan_hash == run.record.plan_hash
    }

    /// Returns the committed shards that could not be read when they were looked at last, with what helps.
    #[must_use]
    pub fn damaged(&self) -> &BTreeMap<ShardId, String> {
        &self.damaged
    }

    /// Returns what is counted of a shard; none if it is not committed.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> Option<&ShardTally> {
        self.shards.get(&shard)
    }

    /// Returns the committed shards, in the order of their ids.
    pub fn shards(&self) -> impl Iterator<Item = (ShardId, &ShardTally)> {
        self.shards.iter().map(|(&shard, tally)| (shard, tally))
    }

    /// Returns the sum over the committed shards.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        let shards = self.shards.values();
        shards.for_each(|shard| total.add(&shard.counts));
        total
    }

    /// Returns the sum over the committed shards and those that failed for good.
    #[must_use]
    pub fn total_with(&self, run: &FrozenRun, failures: &Failures) -> Counts {
        let mut total = self.total();
        for (shard, failure) in failures.iter() {
            let Some(planned) = run.plan.shards.get(shard.0 as usize) else {
                continue;
            };
            total.add(&Counts {
                failed: planned.num_items(),
                reasons: BTreeMap::from([(failure.error.clone(), planned.num_items())]),
                ..Counts::default()
            });
        }
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
        let mut failures = Failures::default();
        failures.update(storage, run, ledger).await?;
        Ok(self.total_with(run, &failures))
    }
}

async fn count_shard(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shard: ShardId,
) -> Result<ShardTally, LedgerError> {
    let rows = ledger.shard_rows(storage, run, shard).await?;
    Ok(ShardTally {
        size_bytes: ledger.shard_bytes(shard),
        ..ShardTally::of(&rows, ledger.num_revisions(shard))
    })
}

/// Returns the counts of a run, reading only shards that were not counted before.
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
    tally.update_whole(storage, run, ledger).await?;
    tally.total_with_failed(storage, run, ledger).await
}

#[cfg(test)]
mod tests;
