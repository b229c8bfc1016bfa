//! A moment by two clocks: the one that only goes on, and the one on the wall.

use jiff::Timestamp;
use shared::clock::{Clock, earlier};
use tokio::time::Instant;

/// A moment: by the clock that only goes on, and as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What ages are measured by.
    pub going: Instant,
    /// What time it is on the wall.
    pub wall: Timestamp,
}

impl Now {
    /// Returns this moment, by a clock on the wall.
    #[must_use]
    pub fn by(clock: &dyn Clock) -> Self {
        Self {
            going: Instant::now(),
            wall: clock.now(),
        }
    }

    /// Returns what time it was then, by the clock as it is set now.
    pub(super) fn at(self, then: Instant) -> Timestamp {
        earlier(self.wall, self.going.saturating_duration_since(then))
    }
}
