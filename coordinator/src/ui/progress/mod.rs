//! How far something is, for a person: a bar on a terminal, plain lines elsewhere.

#[cfg(feature = "embedded")]
mod run;
mod terminal;

use indicatif::{ProgressBar, ProgressStyle};

#[cfg(feature = "embedded")]
pub use run::{Beginning, RunProgress};

/// Counts things as they are done: a bar on a terminal, nothing elsewhere.
#[derive(Debug)]
pub struct CountProgress(ProgressBar);

impl CountProgress {
    /// Returns progress of `total` things, which `unit` names: `images`, `shards published`.
    #[must_use]
    pub fn new(total: usize, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), terminal::target());
        let template = format!("{{bar:30}} {{pos}} of {{len}} {unit}, ETA {{eta}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Notes that `count` of them are done.
    pub fn reached(&self, count: usize) {
        self.0.set_position(count as u64);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
