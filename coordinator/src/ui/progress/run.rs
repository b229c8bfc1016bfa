//! How far a run is: steps, items, rate and time left.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use shared::console;
use shared::manifest::{ManifestRow, Status};
use shared::wording::human;
use worker::attempt::Progress;

use super::terminal;

/// Time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts a run's UNet steps, which take equal time, and tells a person items, rate and time left.
#[derive(Debug)]
pub struct RunProgress {
    bar: ProgressBar,
    items: Mutex<Items>,
    num_items: usize,
    steps_per_item: u64,
    plain: bool,
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
    /// Styles that are still to be recorded.
    pub num_styles: usize,
    /// UNet steps of a style, and of an item.
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
            num_styles,
            steps_per_item,
        } = beginning;
        let plain = !terminal::is_there();
        let steps_per_item = steps_per_item as u64;
        let length = (num_items + num_styles) as u64 * steps_per_item;
        let bar = ProgressBar::with_draw_target(Some(length), terminal::target());
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}  ETA {eta_left}")
        {
            let eta = |state: &ProgressState, w: &mut dyn std::fmt::Write| {
                let _ = write!(w, "{}", human(state.eta()));
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
        };
        let progress = Self {
            bar,
            items: Mutex::new(items),
            num_items,
            steps_per_item,
            plain,
        };
        progress.say();
        progress
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self) {
        let Ok(items) = self.items.lock() else { return };
        self.bar.set_message(items.message(self.num_items));
    }
}

impl Items {
    fn message(&self, num_items: usize) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = if self.converted == 0 {
            0.0
        } else {
            60.0 * self.converted as f64 / seconds
        };
        let failed = if self.failed == 0 {
            String::new()
        } else {
            format!(", {} not convertible", self.failed)
        };
        format!(
            "{} of {num_items} images{failed}  {rate:.1} images/min",
            self.done + self.failed
        )
    }
}

impl Progress for RunProgress {
    fn style_step(&self) {
        self.bar.inc(1);
    }

    fn output_step(&self) {
        self.bar.inc(1);
    }

    fn item(&self, row: &ManifestRow) {
        let Ok(mut items) = self.items.lock() else {
            return;
        };
        match row.status {
            Status::Done if row.work.is_some() => {
                items.done += 1;
                items.converted += 1;
            }
            Status::Done if items.found > 0 => items.found -= 1,
            Status::Done => {
                items.done += 1;
                self.bar.inc(self.steps_per_item);
            }
            Status::Quarantined | Status::Failed => {
                items.failed += 1;
                self.bar.inc(self.steps_per_item);
            }
        }
        self.bar.set_message(items.message(self.num_items));
        if self.plain && items.last_line.elapsed() >= LINE_EVERY {
            items.last_line = Instant::now();
            console::note(format_args!(
                "{}, ETA {}",
                items.message(self.num_items),
                human(self.bar.eta())
            ));
        }
    }
}
