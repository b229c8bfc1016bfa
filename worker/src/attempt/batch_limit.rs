//! How many outputs of a content are converted in one batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most outputs that an engine makes at once: as many as are asked for, until memory runs out.
///
/// Clones know what one of them has learnt, so that an engine runs out of memory once and not at each content.
#[derive(Debug, Clone)]
pub struct BatchLimit(Arc<AtomicUsize>);

impl Default for BatchLimit {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }
}

impl BatchLimit {
    /// Returns how many of `wanted` outputs may be made at once.
    #[must_use]
    pub fn of(&self, wanted: usize) -> usize {
        wanted.min(self.0.load(Ordering::Relaxed))
    }

    /// Learns that so many outputs were too many; returns how many may be made at once from now on.
    pub fn lower(&self, too_many: usize) -> usize {
        let fewer = (too_many / 2).max(1);
        self.0.fetch_min(fewer, Ordering::Relaxed).min(fewer)
    }
}
