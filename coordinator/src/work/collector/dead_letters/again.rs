//! How soon a shard is published again that was never tried.
//!
//! A worker that cannot open its run, or is of another version, may give it up again at once, and so on for ever: each time
//! it waits longer, and others get it in between. It is never given up here, as it was not tried.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::ids::{RunId, ShardId};
use shared::queue::message::ShardTask;
use tokio::time::Instant;

/// How long a shard waits that was published again once.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// How long it waits at most.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// What was not published again for so long begins anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// Shards of which it is known before those are forgotten that can be.
const MOST_KNOWN: usize = 10_000;

/// Shards that were published again.
#[derive(Debug, Default)]
pub(super) struct PublishedAgain {
    /// By what they are about: the shard itself or a revision, made or repaired.
    known: BTreeMap<(RunId, ShardId, u32, bool), Times>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    count: u32,
    last: Instant,
}

impl Times {
    fn is_forgotten(self, now: Instant) -> bool {
        now - self.last >= FORGOTTEN_AFTER
    }
}

impl PublishedAgain {
    /// Returns whether a shard may be published again.
    pub(super) fn is_due(&self, task: &ShardTask, now: Instant) -> bool {
        let times = self.known.get(&key(task));
        times.is_none_or(|times| now - times.last >= wait(times.count))
    }

    /// Takes note that a shard was published again.
    pub(super) fn published(&mut self, task: &ShardTask, now: Instant) {
        if self.known.len() >= MOST_KNOWN {
            self.known.retain(|_, times| !times.is_forgotten(now));
        }
        let times = self.known.get(&key(task));
        let times = times.filter(|times| !times.is_forgotten(now));
        let count = times.map_or(1, |times| times.count.saturating_add(1));
        self.known.insert(key(task), Times { count, last: now });
    }
}

fn key(task: &ShardTask) -> (RunId, ShardId, u32, bool) {
    (task.run.clone(), task.shard, task.revision, task.repair)
}

/// Returns how long a shard waits that was published again so many times.
fn wait(count: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(count.saturating_sub(1));
    FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(shard: u32) -> ShardTask {
        ShardTask {
            run: "demo".parse().unwrap(),
            shard: ShardId(shard),
            first_attempt: 1,
            repair: false,
            revision: 0,
            traceparent: None,
        }
    }

    #[test]
    fn a_shard_is_published_again_at_once_and_then_ever_later() {
        let mut again = PublishedAgain::default();
        let mut now = Instant::now();
        for seconds in [10, 20, 40, 80, 160, 320, 600, 600, 600] {
            assert!(again.is_due(&task(0), now));
            again.published(&task(0), now);
            let due = now + Duration::from_secs(seconds);
            assert!(!again.is_due(&task(0), due - Duration::from_millis(1)));
            assert!(again.is_due(&task(1), now), "others do not wait for it");
            now = due;
        }
        // It went well for long.
        now += FORGOTTEN_AFTER;
        again.published(&task(0), now);
        assert!(again.is_due(&task(0), now + FIRST_WAIT));
    }

    #[test]
    fn shards_that_were_published_long_ago_are_forgotten() {
        let (mut again, start) = (PublishedAgain::default(), Instant::now());
        for shard in 0..MOST_KNOWN as u32 {
            again.published(&task(shard), start);
        }
        again.published(&task(u32::MAX), start + FORGOTTEN_AFTER);
        assert_eq!(again.known.len(), 1);
    }
}
