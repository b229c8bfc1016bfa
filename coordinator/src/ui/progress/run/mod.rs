//! How far a run is: steps, items, rate and time left.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use shared::console;
use shared::manifest::{ManifestRow, Status, Work};
use shared::settings::Evaluations;
use shared::wording::human;
use worker::attempt::{Progress, Stage};

use super::terminal;
use crate::run::cost::{UnitCosts, Workload};
use crate::run::tally::Counts;

/// Time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Stands for a time that is not known.
const UNKNOWN: u64 = u64::MAX;

/// Counts a run's UNet steps, and tells a person items, rate and time left: before the first image as if all steps took equal
/// time, then by what styles, contents and outputs took so far.
#[derive(Debug)]
pub struct RunProgress {
    bar: ProgressBar,
    items: Mutex<Items>,
    num_items: usize,
    evaluations: Evaluations,
    steps_per_item: u64,
    plain: bool,
    /// Seconds, or [`UNKNOWN`].
    left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Items {
    done: usize,
    /// Items counted as done whose shards are still to find them.
    found: usize,
    failed: usize,
    converted: usize,
    started: Instant,
    last_line: Instant,
    /// What is still to be made, what of it has begun included.
    left: Workload,
    /// How many contents an output has, on average.
    contents_per_output: f64,
    /// What was made, and what it took.
    made: Counts,
    /// Steps of the pass in hand, as far as its outputs have no rows yet.
    steps_in_hand: u64,
    /// Steps of the style in hand, as long as it is not recorded to its end.
    style_steps_in_hand: u64,
}

/// How far a run is when work on it begins.
#[derive(Debug, Clone, Copy)]
pub struct Beginning {
    /// Items planned.
    pub num_items: usize,
    /// Items that have ended, or whose images are stored.
    pub already: usize,
    /// Of them, those whose images will be found by shards that are still to be made.
    pub found: usize,
    /// Styles that are still to be recorded, and contents and outputs that are still to be made.
    pub left: Workload,
    /// UNet evaluations of a style, of a content and of an output.
    pub evaluations: Evaluations,
    /// UNet steps of an item.
    pub steps_per_item: usize,
}

impl RunProgress {
    /// Returns progress of a run from its beginning on.
    #[must_use]
    pub fn new(beginning: Beginning) -> Self {
        let Beginning {
            num_items,
            already,
            found,
            left,
            evaluations,
            steps_per_item,
        } = beginning;
        let plain = !terminal::is_there();
        let steps_per_item = steps_per_item as u64;
        let of_styles = left.styles as u64 * evaluations.style as u64;
        let length = of_styles + num_items as u64 * steps_per_item;
        let seconds_left = Arc::new(AtomicU64::new(UNKNOWN));
        let bar = ProgressBar::with_draw_target(Some(length), terminal::target());
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}  ETA {eta_left}")
        {
            let known = Arc::clone(&seconds_left);
            let eta = move |state: &ProgressState, w: &mut dyn std::fmt::Write| {
                let left = known_left(&known).unwrap_or_else(|| state.eta());
                let _ = write!(w, "{}", human(left));
            };
            bar.set_style(style.with_key("eta_left", eta));
        }
        bar.set_position(already as u64 * steps_per_item);
        bar.reset_eta();
        let now = Instant::now();
        let items = Items {
            done: already,
            found,
            failed: 0,
            converted: 0,
            started: now,
            last_line: now,
            left,
            contents_per_output: if left.outputs > 0.0 {
                left.contents / left.outputs
            } else {
                0.0
            },
            made: Counts::default(),
            steps_in_hand: 0,
            style_steps_in_hand: 0,
        };
        let progress = Self {
            bar,
            items: Mutex::new(items),
            num_items,
            evaluations,
            steps_per_item,
            plain,
            left: seconds_left,
        };
        progress.say();
        progress
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Takes note of the time that is left.
    fn note_left(&self, items: &Items) {
        let left = items.time_left(self.evaluations, self.steps_per_item);
        let seconds = left.map_or(UNKNOWN, |left| left.as_secs());
        self.left.store(seconds, Ordering::Relaxed);
    }

    fn say(&self) {
        let Ok(items) = self.items.lock() else { return };
        self.bar.set_message(items.message(self.num_items));
    }
}

/// Returns the time that is left; none if it is not known.
fn known_left(seconds: &AtomicU64) -> Option<Duration> {
    let seconds = seconds.load(Ordering::Relaxed);
    (seconds != UNKNOWN).then(|| Duration::from_secs(seconds))
}

impl Items {
    /// Returns how long what is left will take, at what its parts took so far; none before the first image.
    fn time_left(&self, evaluations: Evaluations, steps_per_item: u64) -> Option<Duration> {
        let costs = UnitCosts::of(&self.made, evaluations)?;
        let begun = self.steps_in_hand as f64 / steps_per_item as f64;
        costs.time_of(self.left.without(self.of_outputs(begun)))
    }

    /// Returns the work of some outputs with their part of contents.
    fn of_outputs(&self, outputs: f64) -> Workload {
        Workload {
            styles: 0.0,
            contents: outputs * self.contents_per_output,
            outputs,
        }
    }

    /// Takes note of an item that was made.
    fn make(&mut self, row: &ManifestRow, work: &Work, each: Evaluations) {
        // What was evaluated beside the output itself is its part of the content.
        let of_content = work.unet_evaluations - each.output as f64;
        self.left = self.left.without(Workload {
            styles: work.style_evaluations / each.style.max(1) as f64,
            contents: of_content.max(0.0) / each.content.max(1) as f64,
            outputs: 1.0,
        });
        self.made.add(&Counts::of(std::slice::from_ref(row)));
    }

    /// Takes the steps of an item that has its row out of those in hand; returns how many it had.
    fn let_go(&mut self, steps_per_item: u64) -> u64 {
        let taken = self.steps_in_hand.min(steps_per_item);
        self.steps_in_hand -= taken;
        taken
    }

    /// Takes note of an item that will not be made.
    fn leave_out(&mut self) {
        self.left = self.left.without(self.of_outputs(1.0));
    }

    fn message(&self, num_items: usize) -> String {
        // Before the first image no rate is known.
        let rate = if self.converted == 0 {
            String::new()
        } else {
            let minutes = self.started.elapsed().as_secs_f64() / 60.0;
            format!("  {:.1} images/min", self.converted as f64 / minutes)
        };
        let failed = if self.failed == 0 {
            String::new()
        } else {
            format!(", {} not convertible", self.failed)
        };
        format!(
            "{} of {num_items} images{failed}{rate}",
            self.done + self.failed
        )
    }
}

impl Progress for RunProgress {
    fn begin(&self, stage: Stage) {
        let Ok(mut items) = self.items.lock() else {
            return;
        };
        match stage {
            // The recording before came to no end and is made again.
            Stage::StyleStep => self.bar.dec(std::mem::take(&mut items.style_steps_in_hand)),
            Stage::OutputStep => {
                items.style_steps_in_hand = 0;
                // All outputs of the pass before have their rows, or that pass came to no end and is made again.
                self.bar.dec(std::mem::take(&mut items.steps_in_hand));
                self.note_left(&items);
            }
            Stage::Load | Stage::Wait | Stage::ClassMap | Stage::Store | Stage::Evaluate => {}
        }
    }

    fn style_step(&self) {
        self.bar.inc(1);
        if let Ok(mut items) = self.items.lock() {
            items.style_steps_in_hand += 1;
            if items.style_steps_in_hand == self.evaluations.style as u64 {
                items.style_steps_in_hand = 0;
            }
        }
    }

    fn output_step(&self) {
        if let Ok(mut items) = self.items.lock() {
            items.steps_in_hand += 1;
            self.note_left(&items);
        }
        self.bar.inc(1);
    }

    fn item(&self, row: &ManifestRow) {
        let Ok(mut items) = self.items.lock() else {
            return;
        };
        match (row.status, &row.work) {
            (Status::Done, Some(work)) => {
                items.done += 1;
                items.converted += 1;
                items.make(row, work, self.evaluations);
                items.let_go(self.steps_per_item);
            }
            (Status::Done, None) if items.found > 0 => items.found -= 1,
            (Status::Done, None) => {
                items.done += 1;
                items.leave_out();
                self.bar.inc(self.steps_per_item);
            }
            (Status::Quarantined | Status::Failed, _) => {
                items.failed += 1;
                items.leave_out();
                let taken = items.let_go(self.steps_per_item);
                self.bar.inc(self.steps_per_item - taken);
            }
        }
        self.note_left(&items);
        self.bar.set_message(items.message(self.num_items));
        if self.plain && items.last_line.elapsed() >= LINE_EVERY {
            items.last_line = Instant::now();
            console::note(format_args!(
                "{}, ETA {}",
                items.message(self.num_items),
                human(known_left(&self.left).unwrap_or_else(|| self.bar.eta()))
            ));
        }
    }
}

#[cfg(test)]
mod tests;
