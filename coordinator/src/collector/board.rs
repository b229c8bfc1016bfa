//! What the collector saw last, for whoever shows it: written by the collector alone, read without waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use shared::event::{Event, Happening, ShardInHand};
use shared::ids::{RunId, ShardId};
use shared::queue::Depth;
use tokio::sync::{Notify, watch};

use super::fleet::{Fleet, Worker, WorkerState};
use super::run_view::RunView;

/// What was seen last.
#[derive(Debug)]
pub struct Board {
    seen: RwLock<Seen>,
    version: watch::Sender<u64>,
    /// Something happened that storage shows by now.
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    runs: BTreeMap<RunId, Noted>,
    unreadable: BTreeMap<RunId, Trouble>,
    /// Why storage does not answer.
    storage: Option<Trouble>,
    looked_at: Option<Timestamp>,
    health_version: u64,
    fleet: Fleet,
    fleet_states: Vec<WorkerState>,
    fleet_version: u64,
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
}

/// What has changed since a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    /// The version that this leads to.
    pub version: u64,
    /// The runs that changed.
    pub runs: Vec<RunId>,
    /// Whether workers did something, or the broker.
    pub fleet: bool,
    /// Whether storage answers again or no more, or runs came and went.
    pub health: bool,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            seen: RwLock::default(),
            version: watch::Sender::new(0),
            news: Notify::new(),
        }
    }
}

impl Board {
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

    /// Shows a run.
    pub fn show(&self, view: RunView) {
        let id = view.id().clone();
        let view = Arc::new(view);
        self.change(|seen, version| {
            seen.unreadable.remove(&id);
            seen.runs.insert(id, Noted { view, version });
        });
    }

    /// Shows that a run cannot be read.
    pub fn show_unreadable(&self, run: &RunId, reason: String) {
        if self.seen().unreadable.get(run).map(|known| &known.reason) != Some(&reason) {
            let trouble = Trouble::now(reason);
            self.change(|seen, version| {
                seen.unreadable.insert(run.clone(), trouble);
                seen.health_version = version;
            });
        }
    }

    /// Shows that a run can be read again.
    pub fn show_readable(&self, run: &RunId) {
        if self.seen().unreadable.contains_key(run) {
            self.change(|seen, version| {
                seen.unreadable.remove(run);
                seen.health_version = version;
            });
        }
    }

    /// Shows that these are all runs, or why that cannot be told.
    pub fn show_runs(&self, runs: Result<&[RunId], String>) {
        let known = self.seen().storage.clone();
        match (runs, known) {
            (Ok(runs), known) => {
                let all = |seen: &Seen| seen.runs.keys().all(|run| runs.contains(run));
                if known.is_some() || self.looked_at().is_none() || !all(&self.seen()) {
                    self.change(|seen, version| {
                        seen.health_version = version;
                        seen.storage = None;
                        seen.runs.retain(|run, _| runs.contains(run));
                        seen.unreadable.retain(|run, _| runs.contains(run));
                    });
                }
            }
            (Err(reason), Some(known)) if known.reason == reason => {}
            (Err(reason), known) => {
                let since = known.map_or_else(Timestamp::now, |known| known.since);
                self.change(|seen, version| {
                    seen.health_version = version;
                    seen.storage = Some(Trouble { reason, since });
                });
            }
        }
    }

    /// Shows that every run was looked at.
    pub fn show_looked(&self) {
        let first = self.looked_at().is_none();
        self.write().looked_at = Some(Timestamp::now());
        if first {
            self.change(|seen, version| seen.health_version = version);
        }
    }

    /// Takes note of what a worker says.
    pub fn hear(&self, event: &Event) {
        self.change(|seen, version| {
            seen.fleet.hear(event, Timestamp::now());
            seen.fleet_version = version;
        });
        match event.what {
            Happening::ShardCommitted { .. } | Happening::AttemptFailed { .. } => self.hurry(),
            Happening::Heartbeat { .. }
            | Happening::ItemEnded { .. }
            | Happening::WorkerStopped { .. } => {}
        }
    }

    /// Makes the collector look sooner: storage has changed.
    pub fn hurry(&self) {
        self.news.notify_one();
    }

    /// Takes note that somebody wants a worker to stop.
    pub fn drain(&self, worker: &str) {
        self.change(|seen, version| {
            seen.fleet.drain(worker, Timestamp::now());
            seen.fleet_version = version;
        });
    }

    /// Takes note of workers that fell silent, which nobody tells.
    pub fn notice_silence(&self) {
        let states = self.write().fleet.states(Timestamp::now());
        if states != self.seen().fleet_states {
            self.change(|seen, version| {
                seen.fleet_states = states;
                seen.fleet_version = version;
            });
        }
    }

    /// Shows how the broker is.
    pub fn show_broker(&self, place: String, depth: Result<Depth, String>) {
        let known = self.broker();
        let depth = depth.map_err(|reason| {
            let before = known.as_ref().and_then(|known| known.depth.clone().err());
            let since = before.map_or_else(Timestamp::now, |before| before.since);
            Trouble { reason, since }
        });
        let broker = Some(Broker { place, depth });
        if broker != known {
            self.change(|seen, version| {
                seen.broker = broker;
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

    /// Returns when every run had been looked at; none if that has not happened yet.
    #[must_use]
    pub fn looked_at(&self) -> Option<Timestamp> {
        self.seen().looked_at
    }

    /// Returns the workers, in the order of their names.
    #[must_use]
    pub fn workers(&self) -> Vec<Worker> {
        self.seen().fleet.workers().cloned().collect()
    }

    /// Returns the shards of a run that are in hand.
    #[must_use]
    pub fn in_hand(&self, run: &RunId) -> BTreeMap<ShardId, ShardInHand> {
        self.seen().fleet.in_hand(run, Timestamp::now())
    }

    /// Returns what has changed since a version.
    #[must_use]
    pub fn changes_since(&self, version: u64) -> Changes {
        let seen = self.seen();
        let newer = seen
            .runs
            .iter()
            .filter(|(_, noted)| noted.version > version);
        Changes {
            version: *self.version.borrow(),
            runs: newer.map(|(run, _)| run.clone()).collect(),
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

impl Trouble {
    fn now(reason: String) -> Self {
        Self {
            reason,
            since: Timestamp::now(),
        }
    }
}
