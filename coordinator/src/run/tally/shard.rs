//! What is known of a committed shard without reading its rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::ids::ShardId;
use shared::manifest::{MAX_WORK, ManifestRow, Status, Work};

use super::{Counts, is_doubtful};
use crate::run::ledger::Ledger;
use crate::run::plan::{Plan, Shard};

/// Counts of a committed shard, and when and where it was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardTally {
    /// Its counts.
    pub counts: Counts,
    /// Items that are not done, by style.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_done: BTreeMap<String, usize>,
    /// Items whose labels are doubtful, by style.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubtful: BTreeMap<String, usize>,
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

impl ShardTally {
    /// Returns whether it says the same as another one.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        let same = Self {
            counts: other.counts.clone(),
            ..self.clone()
        };
        same == *other && self.counts.are_those_of(&other.counts)
    }

    /// Returns why it cannot be what the rows of a shard say that was planned so; nothing if it can.
    pub(super) fn contradiction(&self, plan: &Plan, planned: &Shard) -> Option<String> {
        let counts = &self.counts;
        let num_items = planned.num_items();
        let ended = sum([&counts.done, &counts.quarantined, &counts.failed]);
        if ended != Some(num_items) {
            return Some(format!(
                "{} done, {} quarantined and {} failed are not its {num_items} items",
                counts.done, counts.quarantined, counts.failed
            ));
        }
        let is_style = |(name, &count): (&String, &usize)| {
            let styles = planned.styles.iter().filter_map(|&at| plan.styles.get(at));
            let mut names = styles.map(|style| style.name());
            names.any(|own| own == name) && (1..=planned.contents.len()).contains(&count)
        };
        let are_styles = |items: &BTreeMap<String, usize>, all: usize| {
            sum(items.values()) == Some(all) && items.iter().all(is_style)
        };
        let is_work = |amount: f64, parts: usize| {
            let most = MAX_WORK * (counts.converted as f64) * (parts as f64);
            (0.0..=most).contains(&amount)
        };
        let mut kinds = counts.warning_kinds.values();
        let has_times = self.started_at.is_some() && self.finished_at.is_some();
        let claims = [
            (
                "reasons",
                sum(counts.reasons.values()) == Some(counts.not_done()),
            ),
            ("styles", are_styles(&self.not_done, counts.not_done())),
            (
                "doubtful items",
                counts.doubtful <= counts.done && are_styles(&self.doubtful, counts.doubtful),
            ),
            (
                "converted items",
                counts.unmeasured <= counts.converted && counts.converted <= counts.done,
            ),
            (
                "warnings",
                counts.warnings <= counts.done
                    && kinds.all(|count| (1..=counts.warnings).contains(count)),
            ),
            (
                "time",
                is_work(counts.busy_ms, Work::default().stages().len())
                    && is_work(counts.content_ms, 1)
                    && is_work(counts.style_ms, 1),
            ),
            // Of its own and of its style.
            (
                "UNet evaluations",
                is_work(counts.unet_evaluations, 2) && is_work(counts.style_evaluations, 1),
            ),
            ("beginning and end", has_times || num_items == 0),
        ];
        let (what, _) = claims.into_iter().find(|&(_, holds)| !holds)?;
        Some(format!("its {what} cannot be those of its items"))
    }

    /// Returns what the rows say that hold of a committed shard.
    pub(super) fn of_stored(rows: &[ManifestRow], ledger: &Ledger, shard: ShardId) -> Self {
        Self {
            size_bytes: ledger.shard_bytes(shard),
            ..Self::of(rows, ledger.num_revisions(shard))
        }
    }

    /// Returns what the rows say that hold of a shard with so many revisions, of no size yet.
    #[must_use]
    pub fn of(rows: &[ManifestRow], revisions: u32) -> Self {
        let by_style = |is_counted: fn(&ManifestRow) -> bool| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for row in rows.iter().filter(|row| is_counted(row)) {
                *counts.entry(row.item.style.clone()).or_default() += 1;
            }
            counts
        };
        // Clocks of workers differ: what came first is told by the numbers of attempts.
        let newest = rows.iter().max_by_key(|row| (row.attempt, row.finished_at));
        // Revisions come days later, and the shard was not worked on in between.
        let oldest = rows.iter().map(|row| row.attempt).min();
        let of_oldest = rows.iter().filter(|row| Some(row.attempt) == oldest);
        Self {
            counts: Counts::of(rows),
            not_done: by_style(|row| row.status != Status::Done),
            doubtful: by_style(is_doubtful),
            started_at: of_oldest.clone().map(|row| row.started_at).min(),
            finished_at: of_oldest.map(|row| row.finished_at).max(),
            worker: newest.map(|row| row.worker.clone()).unwrap_or_default(),
            attempt: newest.map(|row| row.attempt).unwrap_or_default(),
            revisions,
            size_bytes: 0,
        }
    }
}

/// Returns the sum of some numbers; none if it is none that a program counts to.
fn sum<'a>(numbers: impl IntoIterator<Item = &'a usize>) -> Option<usize> {
    let mut numbers = numbers.into_iter();
    numbers.try_fold(0_usize, |sum, &number| sum.checked_add(number))
}
