//! Pauses between tries of what may come back by itself: storage, inputs.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Growing pauses: half a second to half a minute, for ever.
pub(crate) struct RetryPauses(<ExponentialBuilder as BackoffBuilder>::Backoff);

impl RetryPauses {
    pub(crate) fn new() -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(30))
            .without_max_times()
            .with_jitter();
        Self(pauses.build())
    }

    /// Returns the pause before the next try.
    pub(crate) fn next_pause(&mut self) -> Duration {
        self.0.next().expect("pauses without a last one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_never_end() {
        let mut pauses = RetryPauses::new();
        let first = pauses.next_pause();
        assert!(first >= Duration::from_millis(500) && first < Duration::from_secs(1));
        for _ in 0..1000 {
            assert!(
                pauses.next_pause() <= Duration::from_secs(60),
                "with jitter"
            );
        }
        assert!(pauses.next_pause() >= Duration::from_secs(30));
    }
}
