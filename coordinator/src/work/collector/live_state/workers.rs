//! Workers as their events tell: pages are told of many events at once.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::ids::{RunId, ShardId};
use shared::queue::message::{Event, EventKind, ShardInHand};
use tokio::time::Instant;

use super::LiveState;
use crate::work::collector::fleet::{FleetChange, Now, Worker};

/// Between two times that pages are told that workers are alive, and nothing else.
const FLUSH_ALIVE_EVERY: Duration = Duration::from_secs(10);

impl LiveState {
    /// Takes note of what a worker says. Pages are told of it by [`LiveState::flush`]: a large fleet speaks all the time.
    pub fn apply_event(&self, event: &Event) {
        {
            let mut seen = self.write();
            let FleetChange { runs, is_news } = seen.fleet.apply_event(event, Instant::now());
            let change = if is_news {
                &mut seen.pending
            } else {
                &mut seen.alive
            };
            change.runs.extend(runs);
            change.is_news = true;
        }
        match event.kind {
            EventKind::ShardCommitted { .. } | EventKind::AttemptFailed { .. } => self.wake(),
            EventKind::Heartbeat { .. }
            | EventKind::ItemEnded { .. }
            | EventKind::WorkerStopped { .. } => {}
        }
    }

    /// Takes note that a worker was asked to stop.
    pub fn drain(&self, worker: &str) {
        self.change(|seen, version| {
            seen.fleet.drain(worker, Instant::now());
            seen.fleet_version = version;
        });
    }

    /// Publishes what workers said since the last flush, and which of them fell silent, of which there is no event.
    pub fn flush(&self, now: Instant) {
        let change = {
            let mut seen = self.write();
            let states = seen.fleet.states(now);
            if states != seen.fleet_states {
                seen.fleet_states = states;
                seen.pending.is_news = true;
                // Who works on a run is no longer shown there once it is silent.
                let runs: Vec<RunId> = seen.fleet.runs().cloned().collect();
                seen.pending.runs.extend(runs);
            }
            let flushed = seen.alive_flushed;
            if flushed.is_none_or(|at| now.saturating_duration_since(at) >= FLUSH_ALIVE_EVERY) {
                seen.alive_flushed = Some(now);
                let alive = std::mem::take(&mut seen.alive);
                seen.pending.is_news |= alive.is_news;
                seen.pending.runs.extend(alive.runs);
            }
            std::mem::take(&mut seen.pending)
        };
        if change.is_news {
            self.change(|seen, version| {
                seen.fleet_version = version;
                let runs = change.runs.into_iter();
                seen.worked_on.extend(runs.map(|run| (run, version)));
            });
        }
    }

    /// Returns the workers as they are now, in the order of their names.
    #[must_use]
    pub fn workers(&self) -> Vec<Worker> {
        let now = Now::by(self.clock.as_ref());
        self.seen().fleet.workers(now)
    }

    /// Returns the shards of a run that are in hand.
    #[must_use]
    pub fn in_hand(&self, run: &RunId) -> BTreeMap<ShardId, ShardInHand> {
        let now = Now::by(self.clock.as_ref());
        self.seen().fleet.in_hand(run, now)
    }
}
