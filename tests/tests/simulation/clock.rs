//! Clocks on the wall that go on with simulated time, and that people set.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use shared::clock::{Clock, later};
use tokio::time::Instant;

/// 2026-01-02T03:04:05Z.
const BEGAN: i64 = 1_767_323_045;

/// A clock of one machine.
#[derive(Debug)]
pub(crate) struct WallClock {
    began: Instant,
    ahead_seconds: AtomicI64,
}

impl WallClock {
    /// Returns a clock that is right.
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            ahead_seconds: AtomicI64::new(0),
        }
    }

    /// Sets it ahead of the right time by so much, or back.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        self.ahead_seconds.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_seconds.load(Ordering::Relaxed);
        let began = Timestamp::from_second(BEGAN + ahead).unwrap();
        later(began, self.began.elapsed())
    }
}
