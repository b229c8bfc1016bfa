//! All runs polled, again and again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use shared::failure::chain;
use shared::ids::RunId;
use tokio::time::Instant;

use super::poll_error::PollError;
use super::watched_run::WatchedRun;
use super::{Collector, gauges};
use crate::run::freeze::FreezeError;

impl Collector {
    /// Polls all runs again and again; ends never.
    pub(super) async fn poll_runs(&self) {
        let mut watched = BTreeMap::new();
        loop {
            let started = Instant::now();
            if self.poll_all(&mut watched).await {
                let runs = watched.values().map(|watched: &WatchedRun| &watched.gauges);
                gauges::set_polled(runs, started.elapsed());
            }
            // A worker's word makes the next poll come sooner, not at once: a large fleet speaks all the time.
            tokio::time::sleep(self.every / 5).await;
            let rest = self.every - self.every / 5;
            let _ = tokio::time::timeout(rest, self.live.woken.notified()).await;
        }
    }

    /// Polls every run once; returns whether storage let it. A run that cannot be read does not keep the others waiting, and
    /// neither does one of whose files the disk cannot read one, but an outage ends the poll: every run would wait for its end.
    async fn poll_all(&self, watched: &mut BTreeMap<RunId, WatchedRun>) -> bool {
        let runs = match self.list_runs(watched).await {
            Ok(runs) => runs,
            Err(reason) => {
                tracing::warn!(error = reason, "cannot list runs, trying again");
                self.live.set_runs(Err(reason));
                return false;
            }
        };
        watched.retain(|run, _| runs.contains(run));
        self.live.set_runs(Ok(&runs));
        for run in runs {
            match self.poll_run(&run, watched).await {
                // Its plan is stored and its record is not: it does not exist yet.
                Ok(()) | Err(PollError::Freeze(FreezeError::Missing { .. })) => {
                    self.live.set_readable(&run);
                }
                Err(error) => {
                    let reason = chain(&error);
                    tracing::warn!(%run, error = reason, "cannot look after a run, trying again");
                    self.live.set_unreadable(&run, reason);
                    if error.is_outage() && !self.answers().await {
                        return false;
                    }
                }
            }
        }
        self.live.set_polled();
        true
    }

    /// Returns whether storage answers, whatever it says of one run.
    async fn answers(&self) -> bool {
        self.storage.runs().await.is_ok()
    }

    /// Returns the runs of the storage root. A folder that is not mounted looks as if it had none.
    async fn list_runs(&self, watched: &BTreeMap<RunId, WatchedRun>) -> Result<Vec<RunId>, String> {
        let runs = self.storage.runs().await.map_err(|error| chain(&error))?;
        if runs.is_empty() && !watched.is_empty() {
            return Err(format!(
                "the storage root has no runs any more, and there were {}: is it still mounted? if they were removed on \
                 purpose, start this again",
                watched.len()
            ));
        }
        Ok(runs)
    }

    async fn poll_run(
        &self,
        run: &RunId,
        watched: &mut BTreeMap<RunId, WatchedRun>,
    ) -> Result<(), PollError> {
        let storage = self.storage.as_ref();
        let watched = match watched.entry(run.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(WatchedRun::open(storage, run).await?),
        };
        let polled = self.update(watched).await;
        watched.is_unfinished = polled.is_err();
        polled
    }
}
