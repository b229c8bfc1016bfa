//! The workers, as their events tell: who is there, with which shard in hand, and who fell silent.
//!
//! Since when is measured here, from event to event: the clocks of workers may be set to anything, and so may this machine's.
//!
//! - `hearing`: how an event changes what is known; `room`: which workers are forgotten when there are too many
//! - `known`: what is known of a worker; `worker`, `now`: what is shown of one, and at which time

mod hearing;
mod known;
mod now;
mod room;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use shared::ids::{RunId, ShardId};
use shared::queue::message::ShardInHand;
use tokio::time::Instant;

pub use self::hearing::FleetChange;
use self::known::Known;
pub use self::now::Now;
pub use self::worker::{Worker, WorkerState};

/// A request to drain that a worker did not follow for longer has been lost: it can be made again.
const DRAIN_EXPIRES_AFTER: Duration = Duration::from_mins(10);

/// A worker that is gone for longer is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// Every worker that was heard of.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    workers: BTreeMap<String, Known>,
}

impl Fleet {
    /// Notes that a worker was asked to stop.
    pub fn drain(&mut self, worker: &str, now: Instant) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.drained = Some(now);
        }
    }

    /// Forgets those that are gone for long and requests that were lost; returns how each worker is.
    pub fn states(&mut self, now: Instant) -> Vec<WorkerState> {
        let age = |then: Instant| now.saturating_duration_since(then);
        self.workers
            .retain(|_, worker| age(worker.heard) <= FORGOTTEN_AFTER);
        let workers = self.workers.values_mut();
        workers
            .map(|worker| {
                let drained = worker.drained;
                worker.drained = drained.filter(|&since| age(since) <= DRAIN_EXPIRES_AFTER);
                worker.state(now)
            })
            .collect()
    }

    /// Returns the workers at a moment, in the order of their names.
    #[must_use]
    pub fn workers(&self, now: Now) -> Vec<Worker> {
        let workers = self.workers.iter();
        workers.map(|(name, worker)| worker.at(name, now)).collect()
    }

    /// Returns the runs that a worker has a shard of in hand, also one that is silent.
    pub fn runs(&self) -> impl Iterator<Item = &RunId> {
        let held = self
            .workers
            .values()
            .filter_map(|worker| worker.held.as_ref());
        held.map(|held| &held.work.run)
    }

    /// Returns the shards of a run that are in hand.
    #[must_use]
    pub fn in_hand(&self, run: &RunId, now: Now) -> BTreeMap<ShardId, ShardInHand> {
        let working = self
            .workers
            .values()
            .filter(|worker| worker.state(now.going) == WorkerState::Working);
        let held = working.filter_map(|worker| worker.held.as_ref());
        held.filter(|held| held.work.run == *run)
            .map(|held| (held.work.shard, held.at(now)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
