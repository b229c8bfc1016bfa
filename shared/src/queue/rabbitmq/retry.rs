//! Pauses between attempts to connect.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(15);
/// A connection that lasted so long was a good one, whether or not something came over it.
const HELD: Duration = LONGEST;

/// Growing delays with jitter, so that a hundred workers do not come back at the same moment.
#[derive(Debug)]
pub(super) struct Retry {
    delays: ExponentialBackoff,
    connected: Option<Instant>,
}

impl Retry {
    pub(super) fn new() -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(FIRST)
            .with_max_delay(LONGEST)
            .without_max_times()
            .with_jitter();
        Self {
            delays: delays.build(),
            connected: None,
        }
    }

    /// Takes note that there is a connection.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
    }

    /// Takes note that there is none any more. The next delay is short if it held; a server that accepts connections
    /// and ends them is left alone as one that accepts none.
    pub(super) fn lost(&mut self, now: Instant) {
        let since = self.connected.take();
        if since.is_some_and(|since| now - since >= HELD) {
            self.reset();
        }
    }

    /// Begins with short delays again, after a success.
    pub(super) fn reset(&mut self) {
        self.delays = Self::new().delays;
    }

    pub(super) fn delay(&mut self) -> Duration {
        self.delays.next().unwrap_or(LONGEST)
    }

    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.delay()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connects, and loses the connection after a while; returns the delay that follows.
    fn delay_after(retry: &mut Retry, held: Duration) -> Duration {
        let connected = Instant::now();
        retry.connected(connected);
        retry.lost(connected + held);
        retry.delay()
    }

    #[test]
    fn a_connection_that_held_is_made_again_soon_and_one_that_did_not_ever_later() {
        let mut retry = Retry::new();
        for _ in 0..12 {
            delay_after(&mut retry, Duration::from_secs(1));
        }
        let flapping = delay_after(&mut retry, Duration::from_secs(1));
        assert!(flapping >= LONGEST, "{flapping:?}");
        let held = delay_after(&mut retry, HELD);
        assert!(held <= 2 * FIRST, "{held:?}");
        retry.lost(Instant::now());
        let never_connected = retry.delay();
        assert!(never_connected >= 2 * FIRST, "{never_connected:?}");
    }
}
