//! What a run costs: how long a style, a content and an output take one device, and so how long what is left will take.
//!
//! A content is encoded and evaluated once for all outputs of its pass, an output attends to its style, and on a GPU the two
//! take different times. So what is left is not as many images at the mean time of an image, but so many of each at its own.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::ids::ShardId;
use shared::settings::{DevicePrice, Evaluations};

use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, ShardState};
use crate::run::plan::{Plan, Shard};
use crate::run::tally::{Counts, Tally};

const MS_PER_HOUR: f64 = 3_600_000.0;
/// From so many device-hours on, one decimal is enough.
const MANY_HOURS: f64 = 10.0;

/// How much of a run there is to make, or was made: a content once for each pass with outputs of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Styles that are recorded.
    pub styles: f64,
    /// Contents that are encoded and evaluated.
    pub contents: f64,
    /// Outputs.
    pub outputs: f64,
}

impl Workload {
    /// Returns the whole of a plan, each style recorded once.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        let shards = plan.shards.iter().map(Self::of_shard);
        let whole = shards.fold(Self::default(), Self::plus);
        let mut used = vec![false; plan.styles.len()];
        mark(&mut used, plan.shards.iter());
        Self {
            styles: count(&used),
            ..whole
        }
    }

    /// Returns that of a shard whose styles are recorded.
    #[must_use]
    pub fn of_shard(shard: &Shard) -> Self {
        Self {
            styles: 0.0,
            contents: shard.contents.len() as f64,
            outputs: shard.num_items() as f64,
        }
    }

    /// Returns that of some items of a shard, as a part of the whole.
    #[must_use]
    pub fn of_items(shard: &Shard, num_items: usize) -> Self {
        let all = shard.num_items();
        if all == 0 {
            return Self::default();
        }
        let part = num_items.min(all) as f64 / all as f64;
        let whole = Self::of_shard(shard);
        Self {
            styles: 0.0,
            contents: part * whole.contents,
            outputs: part * whole.outputs,
        }
    }

    /// Returns what is left to be made of a run, as storage tells it: a damaged shard counts as not done. A style is still to
    /// be recorded if no committed shard has it.
    #[must_use]
    pub fn left(run: &FrozenRun, ledger: &Ledger, is_damaged: impl Fn(ShardId) -> bool) -> Self {
        let max_attempts = run.record.limits.max_attempts;
        let mut recorded = vec![false; run.plan.styles.len()];
        let mut wanted = recorded.clone();
        let mut left = Self::default();
        for shard in &run.plan.shards {
            let num_items = if is_damaged(shard.id) {
                shard.num_items()
            } else {
                num_items_left(ledger, shard, max_attempts)
            };
            let styles = if num_items > 0 {
                &mut wanted
            } else {
                &mut recorded
            };
            mark(styles, [shard]);
            left = left.plus(Self::of_items(shard, num_items));
        }
        let is_new = |(wanted, recorded): (&bool, &bool)| *wanted && !recorded;
        left.styles = wanted
            .iter()
            .zip(&recorded)
            .filter(|&pair| is_new(pair))
            .count() as f64;
        left
    }

    /// Returns what is left to be made of a run, as storage and its counts tell it.
    #[must_use]
    pub fn left_by(run: &FrozenRun, ledger: &Ledger, tally: &Tally) -> Self {
        Self::left(run, ledger, |shard| tally.damaged().contains_key(&shard))
    }

    /// Returns both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            styles: self.styles + other.styles,
            contents: self.contents + other.contents,
            outputs: self.outputs + other.outputs,
        }
    }

    /// Returns what is left without another one, nothing at the least.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            styles: (self.styles - other.styles).max(0.0),
            contents: (self.contents - other.contents).max(0.0),
            outputs: (self.outputs - other.outputs).max(0.0),
        }
    }
}

/// Returns how many items of a shard are to be made and have not failed too often.
fn num_items_left(ledger: &Ledger, shard: &Shard, max_attempts: u32) -> usize {
    match ledger.state(shard.id, max_attempts) {
        ShardState::Open => shard.num_items(),
        ShardState::Revising { .. } => ledger.num_retried(shard.id, max_attempts),
        ShardState::Committed | ShardState::Failed { .. } | ShardState::RevisionFailed { .. } => 0,
    }
}

fn mark<'a>(styles: &mut [bool], shards: impl IntoIterator<Item = &'a Shard>) {
    for &style in shards.into_iter().flat_map(|shard| &shard.styles) {
        if let Some(marked) = styles.get_mut(style) {
            *marked = true;
        }
    }
}

fn count(styles: &[bool]) -> f64 {
    styles.iter().filter(|marked| **marked).count() as f64
}

/// How long one of each takes one device, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitCosts {
    /// The recording of a style.
    pub style_ms: f64,
    /// What a content alone takes, whatever its styles.
    pub content_ms: f64,
    /// What an output takes beside its content.
    pub output_ms: f64,
}

impl UnitCosts {
    /// Costs of which nothing is known but that they are the outputs': what is left is then as many images.
    pub const OF_IMAGES: Self = Self {
        style_ms: 0.0,
        content_ms: 0.0,
        output_ms: 1.0,
    };

    /// Returns what each took so far in a run in which each is evaluated so often; none if no image was made, or counts are
    /// none. Where an earlier program made some of the images, which did not measure contents and styles, all images take
    /// the mean, and so where nothing is evaluated: then contents are next to nothing.
    #[must_use]
    pub fn of(counts: &Counts, evaluations: Evaluations) -> Option<Self> {
        if evaluations == Evaluations::default() {
            return Self::checked(Self {
                style_ms: 0.0,
                content_ms: 0.0,
                output_ms: counts.busy_ms / counts.converted as f64,
            });
        }
        if evaluations.style == 0 || evaluations.content == 0 {
            return None;
        }
        let outputs = counts.converted as f64;
        let styles = counts.style_evaluations / evaluations.style as f64;
        // What was evaluated beside styles and outputs are contents.
        let of_images = counts.unet_evaluations - counts.style_evaluations;
        let of_contents = of_images - outputs * evaluations.output as f64;
        let contents = of_contents / evaluations.content as f64;
        let each = |time: f64, number: f64| if number > 0.0 { time / number } else { 0.0 };
        let (style_ms, content_ms) = if counts.unmeasured > 0 {
            (0.0, 0.0)
        } else {
            (
                each(counts.style_ms, styles),
                each(counts.content_ms, contents),
            )
        };
        let of_outputs = if content_ms > 0.0 {
            counts.busy_ms - counts.content_ms
        } else {
            counts.busy_ms
        };
        Self::checked(Self {
            style_ms,
            content_ms,
            output_ms: of_outputs / outputs,
        })
    }

    /// Returns costs if they are times.
    fn checked(self) -> Option<Self> {
        let is_time = |ms: f64| ms.is_finite() && ms >= 0.0;
        let all = [self.style_ms, self.content_ms, self.output_ms];
        (self.output_ms > 0.0 && all.into_iter().all(is_time)).then_some(self)
    }

    /// Returns how long some work takes one device, in milliseconds.
    #[must_use]
    pub fn ms_of(self, work: Workload) -> f64 {
        self.style_ms * work.styles
            + self.content_ms * work.contents
            + self.output_ms * work.outputs
    }

    /// Returns how many hours some work takes one device.
    #[must_use]
    pub fn hours_of(self, work: Workload) -> f64 {
        self.ms_of(work) / MS_PER_HOUR
    }

    /// Returns how long some work takes one device; none if that is longer than any time.
    #[must_use]
    pub fn time_of(self, work: Workload) -> Option<Duration> {
        Duration::try_from_secs_f64(self.ms_of(work) / 1000.0).ok()
    }
}

/// Hours that a run takes devices: of the images that are stored, with their styles. Attempts that failed, what stands
/// still, and styles that an earlier program recorded are in none of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceHours {
    /// Of what was made.
    pub so_far: f64,
    /// Of what is left; none if nothing is known of what that takes.
    pub to_come: Option<f64>,
}

impl DeviceHours {
    /// Returns those of a run with these counts, of which so much is left, in which each part is evaluated so often.
    #[must_use]
    pub fn of(counts: &Counts, left: Workload, evaluations: Evaluations) -> Self {
        let to_come = if left == Workload::default() {
            Some(0.0)
        } else {
            UnitCosts::of(counts, evaluations).map(|costs| costs.hours_of(left))
        };
        Self {
            so_far: (counts.busy_ms + counts.style_ms) / MS_PER_HOUR,
            to_come,
        }
    }

    /// Returns them for people, as money as well where there is a price: `12.3 device-hours so far, 4.50 to come; 30.75 EUR
    /// so far, 11.25 EUR to come`.
    #[must_use]
    pub fn told(self, price: Option<&DevicePrice>) -> String {
        let hours = told_with(self, " device-hours", shown);
        match price {
            None => hours,
            Some(price) => {
                let money = told_with(self, "", |hours| price.of(hours).to_string());
                format!("{hours}; {money}")
            }
        }
    }
}

fn told_with(hours: DeviceHours, unit: &str, shown: impl Fn(f64) -> String) -> String {
    let so_far = shown(hours.so_far);
    match hours.to_come {
        // It has ended.
        Some(to_come) if to_come <= 0.0 => format!("{so_far}{unit}"),
        Some(to_come) => format!("{so_far}{unit} so far, {} to come", shown(to_come)),
        None => format!("{so_far}{unit} so far"),
    }
}

/// Returns hours as people read them.
#[must_use]
pub fn shown(hours: f64) -> String {
    let decimals = if hours < MANY_HOURS { 2 } else { 1 };
    format!("{hours:.decimals$}")
}
