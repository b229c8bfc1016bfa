//! What is known of a worker, and how it is by that.

use std::time::Duration;

use jiff::Timestamp;
use shared::clock::{earlier, passed};
use shared::ids::{MAX_NAME_BYTES, RunId, ShardId};
use shared::platform::Platform;
use shared::queue::message::ShardInHand;
use shared::wording::{one_line, shortened};
use tokio::time::Instant;

use super::now::Now;
use super::worker::{Worker, WorkerState};

/// A worker that was not heard for longer is taken for gone: it tells every five seconds that it is alive.
const SILENT_AFTER: Duration = Duration::from_secs(20);

/// What is known of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) device: Option<String>,
    pub(super) platform: Platform,
    pub(super) held: Option<Held>,
    /// Whether it was ever heard to have a shard in hand.
    pub(super) has_held: bool,
    pub(super) heard: Instant,
    pub(super) stopped: Option<String>,
    pub(super) drained: Option<Instant>,
    pub(super) items_ended: u64,
}

/// A shard in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) work: ShardInHand,
    /// When it was heard of first.
    heard: Instant,
    /// How long the worker had it by then, by its own clock.
    before: Duration,
}

impl Held {
    /// Returns the shard, and since when the worker has it by this machine's clock.
    pub(super) fn at(&self, now: Now) -> ShardInHand {
        ShardInHand {
            since: earlier(now.at(self.heard), self.before),
            ..self.work.clone()
        }
    }

    fn is_of(&self, run: &RunId, shard: ShardId) -> bool {
        self.work.run == *run && self.work.shard == shard
    }
}

impl Known {
    /// Returns how it is.
    pub(super) fn state(&self, now: Instant) -> WorkerState {
        if self.stopped.is_some() {
            WorkerState::Stopped
        } else if now.saturating_duration_since(self.heard) > SILENT_AFTER {
            WorkerState::Silent
        } else if self.held.is_some() {
            WorkerState::Working
        } else {
            WorkerState::Waiting
        }
    }

    /// Returns it as it is shown at a moment.
    pub(super) fn at(&self, name: &str, now: Now) -> Worker {
        Worker {
            name: name.to_owned(),
            state: self.state(now.going),
            device: self.device.clone(),
            platform: self.platform.clone(),
            work: self.held.as_ref().map(|held| held.at(now)),
            heard_at: now.at(self.heard),
            stopped: self.stopped.clone(),
            drained_at: self.drained.map(|since| now.at(since)),
            items_ended: self.items_ended,
        }
    }

    /// Takes note of what it has in hand. A shard that it had before it has since then.
    pub(super) fn holds(&mut self, work: Option<&ShardInHand>, told_at: Timestamp, now: Instant) {
        let before = self.held.take();
        self.has_held |= work.is_some();
        self.held = work.map(|work| {
            let same = before.filter(|before| {
                before.is_of(&work.run, work.shard) && before.work.since == work.since
            });
            let (heard, before) = match same {
                Some(same) => (same.heard, same.before),
                None => (now, passed(work.since, told_at)),
            };
            Held {
                work: ShardInHand {
                    step: shortened(&one_line(&work.step), MAX_NAME_BYTES),
                    ..work.clone()
                },
                heard,
                before,
            }
        });
    }

    /// Returns the shard in its hands if it is this one.
    pub(super) fn work_on(&mut self, run: &RunId, shard: ShardId) -> Option<&mut ShardInHand> {
        let held = self.held.as_mut().filter(|held| held.is_of(run, shard));
        held.map(|held| &mut held.work)
    }
}
