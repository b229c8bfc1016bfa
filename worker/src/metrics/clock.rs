//! How long a worker has worked and waited.

use std::time::Duration;

use tokio::time::Instant;

/// Adds up busy and waiting time.
#[derive(Debug)]
pub(super) struct Clock {
    is_busy: bool,
    since: Instant,
    busy: Duration,
    waiting: Duration,
}

impl Clock {
    /// Returns the clock of a worker that waits.
    pub(super) fn start(now: Instant) -> Self {
        Self {
            is_busy: false,
            since: now,
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub(super) fn set_busy(&mut self, is_busy: bool, now: Instant) {
        (self.busy, self.waiting) = self.totals(now);
        self.since = now;
        self.is_busy = is_busy;
    }

    /// Returns busy and waiting time, what goes on included.
    pub(super) fn totals(&self, now: Instant) -> (Duration, Duration) {
        let lasting = now - self.since;
        if self.is_busy {
            (self.busy + lasting, self.waiting)
        } else {
            (self.busy, self.waiting + lasting)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_is_busy_or_waiting() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::start(start);
        clock.set_busy(true, at(3));
        clock.set_busy(true, at(4));
        clock.set_busy(false, at(10));
        let totals = |seconds| {
            let (busy, waiting) = clock.totals(at(seconds));
            (busy.as_secs(), waiting.as_secs())
        };
        assert_eq!(totals(10), (7, 3));
        assert_eq!(totals(30), (7, 23));
    }
}
