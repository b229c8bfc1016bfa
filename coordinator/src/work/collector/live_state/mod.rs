//! What the collector saw last, for those who show it: written by the collector alone, read without waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use jiff::Timestamp;
use shared::clock::{Clock, SystemClock};
use shared::ids::{RunId, ShardId};
use shared::queue::Depth;
use shared::queue::message::{Event, EventKind, ShardInHand};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::fleet::{Fleet, FleetChange, Now, Worker, WorkerState};
use super::run_view::RunView;

/// Between two times that pages are told that workers are alive, and nothing else.
const FLUSH_ALIVE_EVERY: Duration = Duration::from_secs(10);

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
    broker: Option<Broker>,
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

/// The broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Where it is, without credentials.
    pub place: String,
    /// How many messages wait there, or why it does not say.
    pub depth: Result<Depth, Trouble>,
    /// Why it takes no messages, while it does not.
    pub alarm: Option<Trouble>,
}

impl Broker {
    /// Returns what people must know of it at once.
    fn troubles(&self) -> (Option<&Trouble>, Option<&Trouble>) {
        (self.depth.as_ref().err(), self.alarm.as_ref())
    }
}

/// What has changed since a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    /// The version that this leads to.
    pub version: u64,
    /// The runs that changed, or whose workers did something.
    pub runs: Vec<RunId>,
    /// Whether workers did something, or messages at the broker.
    pub fleet: bool,
    /// Whether storage or the broker answers again or no more, or runs came and went.
    pub health: bool,
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

    /// Sets a run.
    pub fn set_run(&self, view: RunView) {
        let id = view.id().clone();
        let view = Arc::new(view);
        self.change(|seen, version| {
            seen.runs.insert(id, Noted { view, version });
        });
    }

    /// Sets that a run cannot be read.
    pub fn set_unreadable(&self, run: &RunId, reason: String) {
        let known = self.seen().unreadable.get(run).cloned();
        if known.as_ref().map(|known| &known.reason) != Some(&reason) {
            let since = known.map_or_else(|| self.now(), |known| known.since);
            let trouble = Trouble { reason, since };
            self.change(|seen, version| {
                seen.unreadable.insert(run.clone(), trouble);
                seen.health_version = version;
            });
        }
    }

    /// Sets that a run can be read again.
    pub fn set_readable(&self, run: &RunId) {
        if self.seen().unreadable.contains_key(run) {
            self.change(|seen, version| {
                seen.unreadable.remove(run);
                seen.health_version = version;
            });
        }
    }

    /// Sets that these are all runs, or why that cannot be told.
    pub fn set_runs(&self, runs: Result<&[RunId], String>) {
        let known = self.seen().storage.clone();
        match (runs, known) {
            (Ok(runs), known) => {
                let all = |seen: &Seen| {
                    let mut shown = seen.runs.keys().chain(seen.unreadable.keys());
                    shown.all(|run| runs.contains(run))
                };
                if known.is_some() || self.polled_at().is_none() || !all(&self.seen()) {
                    self.change(|seen, version| {
                        seen.health_version = version;
                        seen.storage = None;
                        seen.runs.retain(|run, _| runs.contains(run));
                        seen.unreadable.retain(|run, _| runs.contains(run));
                        seen.worked_on.retain(|run, _| runs.contains(run));
                    });
                }
            }
            (Err(reason), Some(known)) if known.reason == reason => {}
            (Err(reason), known) => {
                let since = known.map_or_else(|| self.now(), |known| known.since);
                self.change(|seen, version| {
                    seen.health_version = version;
                    seen.storage = Some(Trouble { reason, since });
                });
            }
        }
    }

    /// Sets that every run was polled.
    pub fn set_polled(&self) {
        let first = self.polled_at().is_none();
        self.write().polled_at = Some(self.now());
        if first {
            self.change(|seen, version| seen.health_version = version);
        }
    }

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

    /// Makes the collector poll sooner: storage has changed.
    pub fn wake(&self) {
        self.woken.notify_one();
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

    /// Sets how the broker is: how many messages wait there, and why it takes no others, if it does not.
    pub fn set_broker(&self, place: String, depth: Result<Depth, String>, alarm: Option<String>) {
        let known = self.broker();
        let trouble = |reason, before: Option<&Trouble>| {
            let since = before.map_or_else(|| self.now(), |before| before.since);
            Trouble { reason, since }
        };
        let (silent, alarmed) = known.as_ref().map(Broker::troubles).unwrap_or_default();
        let broker = Broker {
            place,
            depth: depth.map_err(|reason| trouble(reason, silent)),
            alarm: alarm.map(|reason| trouble(reason, alarmed)),
        };
        let is_other_trouble = (silent, alarmed) != broker.troubles();
        if known.as_ref() != Some(&broker) {
            self.change(|seen, version| {
                if is_other_trouble {
                    seen.health_version = version;
                }
                seen.broker = Some(broker);
                seen.fleet_version = version;
            });
        }
    }

    /// Returns a run as it was seen last.
    #[must_use]
    pub fn run(&self, run: &RunId) -> Option<Arc<RunView>> {
        let seen = self.seen();
        seen.runs.get(run).map(|noted| Arc::clone(&noted.view))
    }

    /// Returns the runs, in the order of their names.
    #[must_use]
    pub fn runs(&self) -> Vec<Arc<RunView>> {
        let seen = self.seen();
        let views = seen.runs.values().map(|noted| Arc::clone(&noted.view));
        views.collect()
    }

    /// Returns the runs that cannot be read just now, and why.
    #[must_use]
    pub fn unreadable(&self) -> BTreeMap<RunId, Trouble> {
        self.seen().unreadable.clone()
    }

    /// Returns why storage does not answer, while it does not.
    #[must_use]
    pub fn storage_trouble(&self) -> Option<Trouble> {
        self.seen().storage.clone()
    }

    /// Returns the broker, if there is one that was asked.
    #[must_use]
    pub fn broker(&self) -> Option<Broker> {
        self.seen().broker.clone()
    }

    /// Returns when every run had been polled; none if that has not happened yet.
    #[must_use]
    pub fn polled_at(&self) -> Option<Timestamp> {
        self.seen().polled_at
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

    /// Returns what has changed since a version.
    #[must_use]
    pub fn changes_since(&self, version: u64) -> Changes {
        let seen = self.seen();
        let newer = seen
            .runs
            .iter()
            .filter(|(_, noted)| noted.version > version);
        let worked_on = seen.worked_on.iter().filter(|(_, at)| **at > version);
        let runs: BTreeSet<&RunId> = newer
            .map(|(run, _)| run)
            .chain(worked_on.map(|(run, _)| run))
            .collect();
        Changes {
            version: *self.version.borrow(),
            runs: runs.into_iter().cloned().collect(),
            fleet: seen.fleet_version > version,
            health: seen.health_version > version,
        }
    }

    /// Returns the number of the newest change, to be waited upon.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

#[cfg(test)]
mod tests;
