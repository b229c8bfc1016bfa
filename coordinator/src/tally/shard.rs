//! What is known of a committed shard without reading its rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::manifest::{ManifestRow, Status};

use super::Counts;

/// Counts of a committed shard, and when and where it was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardTally {
    /// Its counts.
    pub counts: Counts,
    /// Items that are not done, by style.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_done: BTreeMap<String, usize>,
    /// When work on its first item began; none if it has no items.
    pub started_at: Option<jiff::Timestamp>,
    /// When the last item of its first commit ended.
    pub finished_at: Option<jiff::Timestamp>,
    /// The worker that committed it.
    pub worker: String,
    /// Number of the attempt that committed it.
    pub attempt: u32,
    /// How many revisions of it are counted.
    #[serde(default, skip_serializing_if = "is_none")]
    pub revisions: u32,
    /// Size of the files that are counted, in bytes: one that is cut or replaced is read again.
    #[serde(default)]
    pub size_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_none(revisions: &u32) -> bool {
    *revisions == 0
}

/// How far sums may be from others of the same numbers, as shares of them: earlier programs did not store every digit.
const ROUNDING: f64 = 1e-9;

impl ShardTally {
    /// Returns whether it says the same as another one.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        let is_near = |a: f64, b: f64| (a - b).abs() <= ROUNDING * (a.abs() + b.abs());
        let (counts, others) = (&self.counts, &other.counts);
        let mut same = self.clone();
        same.counts.busy_ms = others.busy_ms;
        same.counts.unet_evaluations = others.unet_evaluations;
        same == *other
            && is_near(counts.busy_ms, others.busy_ms)
            && is_near(counts.unet_evaluations, others.unet_evaluations)
    }

    /// Returns what the rows say that hold of a shard with so many revisions, of no size yet.
    #[must_use]
    pub fn of(rows: &[ManifestRow], revisions: u32) -> Self {
        let mut not_done = BTreeMap::new();
        for row in rows.iter().filter(|row| row.status != Status::Done) {
            *not_done.entry(row.item.style.clone()).or_default() += 1;
        }
        let newest = rows.iter().max_by_key(|row| row.finished_at);
        // Revisions come days later, and nobody worked on the shard in between.
        let oldest = rows.iter().min_by_key(|row| row.started_at);
        let of_oldest = rows
            .iter()
            .filter(|row| Some(row.attempt) == oldest.map(|oldest| oldest.attempt));
        Self {
            counts: Counts::of(rows),
            not_done,
            started_at: oldest.map(|row| row.started_at),
            finished_at: of_oldest.map(|row| row.finished_at).max(),
            worker: newest.map(|row| row.worker.clone()).unwrap_or_default(),
            attempt: newest.map(|row| row.attempt).unwrap_or_default(),
            revisions,
            size_bytes: 0,
        }
    }
}
