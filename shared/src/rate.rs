//! A limit on how often something is said.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets a number of things pass in each span of time, and counts those that it holds back.
#[derive(Debug)]
pub struct RateLimit {
    max_passed: u32,
    span: Duration,
    window: Mutex<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Option<Instant>,
    num_passed: u32,
    num_held: u64,
}

impl RateLimit {
    /// Returns a limit that lets `max_passed` things pass in each `span`.
    #[must_use]
    pub const fn new(max_passed: u32, span: Duration) -> Self {
        let window = Window {
            began: None,
            num_passed: 0,
            num_held: 0,
        };
        Self {
            max_passed,
            span,
            window: Mutex::new(window),
        }
    }

    /// Returns how many were held back since the last that passed; none if this one is held back too.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = window
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= self.span);
        if is_over {
            window.began = Some(now);
            window.num_passed = 0;
        }
        if window.num_passed >= self.max_passed {
            window.num_held += 1;
            return None;
        }
        window.num_passed += 1;
        Some(std::mem::take(&mut window.num_held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_counted_and_told_with_the_next() {
        let second = Duration::from_secs(1);
        let limit = RateLimit::new(2, second);
        let start = Instant::now();
        assert_eq!(limit.pass(start), Some(0));
        assert_eq!(limit.pass(start), Some(0));
        assert_eq!(limit.pass(start), None);
        assert_eq!(limit.pass(start + second / 2), None);
        assert_eq!(limit.pass(start + second), Some(2));
        assert_eq!(limit.pass(start + second), Some(0));
        assert_eq!(limit.pass(start + second), None);
    }
}
