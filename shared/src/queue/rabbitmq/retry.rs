//! How long to wait before the next connection.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(15);

/// Growing delays with jitter, so that a hundred workers do not come back at the same moment.
#[derive(Debug)]
pub(super) struct Retry(ExponentialBackoff);

impl Retry {
    pub(super) fn new() -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(FIRST)
            .with_max_delay(LONGEST)
            .without_max_times()
            .with_jitter();
        Self(delays.build())
    }

    /// Begins with short delays again, after a success.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    pub(super) fn delay(&mut self) -> Duration {
        self.0.next().unwrap_or(LONGEST)
    }

    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.delay()).await;
    }
}
