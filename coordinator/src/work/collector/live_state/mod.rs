//! What the collector saw last, for those who show it: written by the collector alone, read without waiting.
//!
//! - `runs`, `workers`, `broker`: each noted and shown; `changes`: what of it has changed since a version

mod broker;
mod changes;
mod runs;
mod workers;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use shared::clock::{Clock, SystemClock};
use shared::ids::RunId;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub use self::broker::BrokerStatus;
pub use self::changes::LiveChanges;
use super::fleet::{Fleet, FleetChange, WorkerState};
use super::run_view::RunView;

/// The state of runs, workers and broker as it was seen last, with a version for each change.
#[derive(Debug)]
pub struct LiveState {
    clock: Arc<dyn Clock>,
    seen: RwLock<Seen>,
    version: watch::Sender<u64>,
    /// Wakes the collector: something happened that storage shows by now.
    pub(super) woken: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    runs: BTreeMap<RunId, Noted>,
    unreadable: BTreeMap<RunId, Trouble>,
    /// Why storage does not answer.
    storage: Option<Trouble>,
    polled_at: Option<Timestamp>,
    health_version: u64,
    fleet: Fleet,
    fleet_states: Vec<WorkerState>,
    fleet_version: u64,
    /// When workers did something for a run last.
    worked_on: BTreeMap<RunId, u64>,
    /// What events changed since the last flush.
    pending: FleetChange,
    /// For which runs a worker was heard that told nothing but that it is alive.
    alive: FleetChange,
    alive_flushed: Option<Instant>,
    broker: Option<BrokerStatus>,
}

#[derive(Debug)]
struct Noted {
    view: Arc<RunView>,
    version: u64,
}

/// Something that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why, with the whole chain.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl Default for LiveState {
    fn default() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }
}

impl LiveState {
    /// Returns a state of nothing, whose times are those of a clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            seen: RwLock::default(),
            version: watch::Sender::new(0),
            woken: Notify::new(),
        }
    }

    /// Returns what time it is by its clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn seen(&self) -> RwLockReadGuard<'_, Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Seen> {
        self.seen.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what was seen, under the next version.
    fn change(&self, change: impl FnOnce(&mut Seen, u64)) {
        let mut seen = self.write();
        self.version.send_modify(|version| {
            *version += 1;
            change(&mut seen, *version);
        });
    }

    /// Makes the collector poll sooner: storage has changed.
    pub fn wake(&self) {
        self.woken.notify_one();
    }
}

#[cfg(test)]
mod tests;
