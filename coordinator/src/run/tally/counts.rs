//! Counts of items, of one shard or of many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::manifest::{ManifestRow, Status};
use shared::warning::WarningKind;

use super::reasons::most_frequent;

/// How far sums may be from others of the same numbers, as shares of them: they may be added in another order, and earlier
/// programs did not store every digit.
const ROUNDING: f64 = 1e-9;

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
    /// Items that are done and whose labels are doubtful.
    #[serde(skip_serializing_if = "is_default")]
    pub doubtful: usize,
    /// Items that the row's own attempt converted.
    pub converted: usize,
    /// Of those, the ones of which it is not known what their contents and styles took: an earlier program made them.
    #[serde(skip_serializing_if = "is_default")]
    pub unmeasured: usize,
    /// Time that the converted items took, in milliseconds.
    pub busy_ms: f64,
    /// What of that time their contents alone took, whatever their styles, in milliseconds.
    pub content_ms: f64,
    /// Time that recording their styles took, in milliseconds. Not part of `busy_ms`.
    pub style_ms: f64,
    /// UNet evaluations, styles included.
    pub unet_evaluations: f64,
    /// UNet evaluations of the styles' recordings.
    pub style_evaluations: f64,
    /// Reasons for quarantine and failure, with the number of items.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, usize>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Returns whether an item is done and its labels are doubtful.
pub(crate) fn is_doubtful(row: &ManifestRow) -> bool {
    let quality = row.quality.as_ref();
    row.status == Status::Done && quality.is_some_and(|quality| quality.is_doubtful)
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
            counts.doubtful += usize::from(is_doubtful(row));
            for kind in &row.warning_kinds {
                *counts.warning_kinds.entry(*kind).or_default() += 1;
            }
            if let Some(work) = row.work {
                counts.converted += 1;
                counts.unet_evaluations += work.unet_evaluations + work.style_evaluations;
                counts.style_evaluations += work.style_evaluations;
                counts.busy_ms += work.total_ms();
                let is_measured = work.content_ms.is_some() && work.style_ms.is_some();
                counts.unmeasured += usize::from(!is_measured);
                counts.content_ms += work.content_ms.unwrap_or_default();
                counts.style_ms += work.style_ms.unwrap_or_default();
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
        add(&mut self.doubtful, other.doubtful);
        add(&mut self.converted, other.converted);
        add(&mut self.unmeasured, other.unmeasured);
        for (sum, amount) in self.sums_mut().into_iter().zip(other.sums()) {
            *sum += amount;
        }
        for (reason, &count) in &other.reasons {
            add(self.reasons.entry(reason.clone()).or_default(), count);
        }
    }

    /// Returns whether they are the same but for the rounding of sums.
    #[must_use]
    pub fn are_those_of(&self, other: &Self) -> bool {
        let is_near = |a: f64, b: f64| (a - b).abs() <= ROUNDING * (a.abs() + b.abs());
        let mut same = self.clone();
        for (sum, amount) in same.sums_mut().into_iter().zip(other.sums()) {
            *sum = amount;
        }
        let mut sums = self.sums().into_iter().zip(other.sums());
        same == *other && sums.all(|(a, b)| is_near(a, b))
    }

    fn sums(&self) -> [f64; 5] {
        [
            self.busy_ms,
            self.content_ms,
            self.style_ms,
            self.unet_evaluations,
            self.style_evaluations,
        ]
    }

    /// Returns the same as [`Self::sums`], in its order.
    fn sums_mut(&mut self) -> [&mut f64; 5] {
        [
            &mut self.busy_ms,
            &mut self.content_ms,
            &mut self.style_ms,
            &mut self.unet_evaluations,
            &mut self.style_evaluations,
        ]
    }
}
