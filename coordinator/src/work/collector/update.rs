//! What is known of a run, brought up to date, and what that calls for.

use tokio::time::Instant;

use super::poll_error::PollError;
use super::watched_run::{POLL_DAMAGED_EVERY, Seen, WatchedRun};
use super::{Collector, Mode};
use crate::run::ledger::Ledger;

/// What is new about a run.
struct Changed {
    found: Seen,
    new_shards: usize,
}

impl Collector {
    /// Brings what is known of a run up to date, and does what that calls for.
    pub(super) async fn update(&self, watched: &mut WatchedRun) -> Result<(), PollError> {
        let storage = self.storage.as_ref();
        let run = watched.run.record.run.clone();
        if watched.ended.is_some() {
            self.read_report(watched).await?;
        }
        let rest = watched.rest();
        if let Some((since, decisions)) = &mut watched.ended
            && !watched.is_unfinished
            && since.elapsed() < rest
            && !watched.report_is_new
            && !decisions.read_new(storage, &run).await?
        {
            return Ok(());
        }
        let ledger = Ledger::read(storage, &watched.run).await?;
        let changed = self.count(watched, &ledger).await?;
        let ended = watched.fate(&ledger).has_ended();
        if changed.is_some() || ended && !watched.gone.is_nothing() {
            let is_to_end = ended && self.is_to_end(watched, &ledger, changed.is_some()).await?;
            let fate = watched.fate(&ledger);
            let (run, counts) = (&watched.run, &watched.counts);
            watched.gauges.update(run, &ledger, counts, fate);
            self.live.set_run(watched.view(ledger.clone()));
            match self.mode {
                Mode::Observe => {}
                Mode::Manage if ended && !is_to_end => {}
                Mode::Manage if ended => self.end(watched, &ledger).await?,
                Mode::Manage => {
                    let new_shards = changed.as_ref().map_or(0, |changed| changed.new_shards);
                    self.manage(watched, &ledger, new_shards).await?;
                }
            }
        }
        if let Some(changed) = changed {
            watched.seen = Some(changed.found);
        }
        if !ended {
            self.report_so_far(watched, &ledger).await?;
        }
        if std::mem::take(&mut watched.report_is_new) {
            self.live.set_run(watched.view(ledger.clone()));
        }
        watched.gauges.take_report(&run, watched.report.as_ref());
        watched.ended = ended.then(|| (Instant::now(), ledger.decisions));
        Ok(())
    }

    /// Counts what is new, and now and then what is damaged; returns nothing if there is nothing new.
    async fn count(
        &self,
        watched: &mut WatchedRun,
        ledger: &Ledger,
    ) -> Result<Option<Changed>, PollError> {
        let found = Seen::of(ledger);
        let is_same = !watched.is_unfinished && watched.seen == Some(found);
        let damaged = watched.tally.damaged().clone();
        if is_same && (damaged.is_empty() || watched.damaged_read.elapsed() < POLL_DAMAGED_EVERY) {
            return Ok(None);
        }
        let storage = self.storage.as_ref();
        let run = &watched.run;
        let new_shards = watched.tally.update(storage, run, ledger).await?;
        watched.damaged_read = Instant::now();
        if watched.seen.is_some() && new_shards > 0 {
            watched.seen_growing = Some(Instant::now());
        }
        if is_same && damaged == *watched.tally.damaged() {
            return Ok(None);
        }
        watched.failures.update(storage, run, ledger).await?;
        watched.counts = watched.tally.total_with(run, &watched.failures);
        Ok(Some(Changed { found, new_shards }))
    }
}
