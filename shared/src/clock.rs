//! The `Clock` port, and arithmetic on times of clocks that may be set wrong.
//!
//! A clock on the wall is set by people and by other machines: it jumps, it goes back, and it differs from that of the next
//! machine. So there are two kinds of time, each for one thing:
//!
//! - **How long something takes** is measured by a clock that only goes on, [`std::time::Instant`] or [`Instant`]:
//!   deadlines, pauses, silence and age are of this kind, and never a difference of two stored times.
//! - **When something was** is told by a [`Clock`], stored, and shown to people. Such times come from many machines and are
//!   ordered with tolerance: what ended before it began took no time ([`passed`]), what is told of the future counts as
//!   now, and no sum leaves the times that there are ([`later`], [`earlier`]). What cannot be told by them is left out, not
//!   guessed.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock on the wall.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns what time it is, to be stored and shown.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The times of one piece of work: they begin with that of a clock and go on as time passes, so that none of them is before
/// another that was told earlier, whatever the clock is set to meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct WorkTime {
    began: Timestamp,
    since: Instant,
}

impl WorkTime {
    /// Returns the time of work that begins now.
    #[must_use]
    pub fn begin(clock: &dyn Clock) -> Self {
        Self {
            began: clock.now(),
            since: Instant::now(),
        }
    }

    /// Returns what time it is for the work.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        later(self.began, self.since.elapsed())
    }
}

/// Returns the time from one moment to another; none if that one is not later.
#[must_use]
pub fn passed(from: Timestamp, to: Timestamp) -> Duration {
    let passed = to.duration_since(from);
    passed.max(SignedDuration::ZERO).unsigned_abs()
}

/// Returns a time so much later, or the last that there is.
#[must_use]
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Returns a time so much earlier, or the first that there is.
#[must_use]
pub fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug)]
    struct SetTo(Mutex<Timestamp>);

    impl Clock for SetTo {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn no_sum_or_difference_leaves_the_times_that_there_are() {
        let times = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
        for at in times {
            assert_eq!(later(at, Duration::MAX), Timestamp::MAX);
            assert_eq!(earlier(at, Duration::MAX), Timestamp::MIN);
            assert_eq!(later(at, Duration::ZERO), at);
            assert_eq!(earlier(at, Duration::ZERO), at);
        }
        let minute = Duration::from_secs(60);
        let after = later(Timestamp::UNIX_EPOCH, minute);
        assert_eq!(passed(Timestamp::UNIX_EPOCH, after), minute);
        assert_eq!(passed(after, Timestamp::UNIX_EPOCH), Duration::ZERO);
        assert_eq!(earlier(after, minute), Timestamp::UNIX_EPOCH);
        assert_eq!(passed(Timestamp::MAX, Timestamp::MIN), Duration::ZERO);
        assert!(passed(Timestamp::MIN, Timestamp::MAX) > Duration::from_secs(600_000_000_000));
    }

    #[test]
    fn the_times_of_a_piece_of_work_go_on_whatever_the_clock_is_set_to() {
        let clock = SetTo(Mutex::new(Timestamp::UNIX_EPOCH));
        let time = WorkTime::begin(&clock);
        let mut before = time.now();
        for set_to in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
            *clock.0.lock().unwrap() = set_to;
            let now = time.now();
            assert!(now >= before, "{now} is before {before}");
            assert!(passed(before, now) < Duration::from_secs(3600));
            before = now;
        }
    }
}
