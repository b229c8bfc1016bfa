//! Runs as they were seen last, and those that cannot be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use shared::ids::RunId;

use super::{LiveState, Noted, Seen, Trouble};
use crate::work::collector::run_view::RunView;

impl LiveState {
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

    /// Returns when every run had been polled; none if that has not happened yet.
    #[must_use]
    pub fn polled_at(&self) -> Option<Timestamp> {
        self.seen().polled_at
    }
}
