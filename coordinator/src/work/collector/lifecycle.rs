//! The lifecycle of a run that a collector manages: it is stopped if too much fails, and ended when nothing is left.

use std::time::Duration;

use shared::artifact::ArtifactKey;
use shared::decision::DecisionKind;
use shared::failure::chain;
use tokio::time::Instant;

use super::poll_error::PollError;
use super::watched_run::WatchedRun;
use super::{Collector, Mode};
use crate::output::collect::{self, CollectError};
use crate::output::report;
use crate::run::decisions::{self, DecisionRequest, Resolution};
use crate::run::gone;
use crate::run::ledger::Ledger;
use crate::run::policy::Standing;
use crate::run::tally::{Failures, Tally};

/// Between two times that the counts of a run under way are stored.
const STORE_TALLY_EVERY: Duration = Duration::from_secs(30);

impl Collector {
    /// Stops a run in which too much fails, and stores its counts now and then.
    pub(super) async fn manage(
        &self,
        watched: &mut WatchedRun,
        ledger: &Ledger,
        new_shards: usize,
    ) -> Result<(), PollError> {
        self.halt_at_limit(watched, ledger).await?;
        if new_shards > 0 && watched.tally_stored.elapsed() >= STORE_TALLY_EVERY {
            let storage = self.storage.as_ref();
            watched
                .tally
                .store(storage, &watched.run.record.run)
                .await?;
            watched.tally_stored = Instant::now();
        }
        Ok(())
    }

    /// Looks whether what an ended run has made is there; returns whether its manifest and report are to be written.
    ///
    /// A run whose last report is stored was looked at before, and is not listed again.
    pub(super) async fn is_to_end(
        &self,
        watched: &mut WatchedRun,
        ledger: &Ledger,
        is_news: bool,
    ) -> Result<bool, PollError> {
        match self.mode {
            Mode::Observe => return Ok(false),
            Mode::Manage => {}
        }
        let storage = self.storage.as_ref();
        let manifest = ArtifactKey::Manifest(watched.run.record.run.clone());
        // One that was seen under way has new rows, also where they count the same.
        let was_under_way = watched.seen.is_some() && watched.ended.is_none();
        // The report is written last, so one of these counts and this mark says that the manifest is theirs too.
        let reported = watched.report.as_ref();
        if !was_under_way
            && reported.is_some_and(|report| {
                report.is_of(&watched.run.record.plan_hash)
                    && report.is_last(&watched.counts)
                    && report.mark == Some(ledger.mark())
            })
            && storage.exists(&manifest).await?
        {
            return Ok(false);
        }
        let gone = gone::of_run(storage, &watched.run, ledger, &watched.tally).await?;
        if gone == watched.gone {
            return Ok(is_news);
        }
        if !gone.is_nothing() {
            let run = &watched.run.record.run;
            tracing::error!(%run, %gone, "what the run has made is not all there: `resume --only missing` makes it again");
        }
        watched.gone = gone;
        Ok(true)
    }

    /// Writes the manifest and the report of a run that has ended.
    pub(super) async fn end(
        &self,
        watched: &mut WatchedRun,
        ledger: &Ledger,
    ) -> Result<(), PollError> {
        let storage = self.storage.as_ref();
        let run = &watched.run.record.run;
        let manifest = ArtifactKey::Manifest(run.clone());
        watched.live_report = None;
        let collected = match collect::collect(storage, &watched.run, ledger).await {
            Err(CollectError::Ledger(error)) if error.is_damage() => {
                // The rest of the run is shown as it is; it ends once the file was removed and made again.
                tracing::error!(%run, error = chain(&error), "the run cannot end: a shard is damaged");
                watched.tally.store(storage, run).await?;
                return Ok(());
            }
            collected => collected?,
        };
        if !collected.counts.are_those_of(&watched.counts) {
            tracing::warn!(%run, "shards count otherwise than was stored of them: all are counted anew");
            watched.tally = Tally::default();
            watched.tally.update(storage, &watched.run, ledger).await?;
            watched.failures = Failures::default();
            watched
                .failures
                .update(storage, &watched.run, ledger)
                .await?;
            watched.counts = watched.tally.total_with(&watched.run, &watched.failures);
            let fate = watched.fate(ledger);
            let counts = &watched.counts;
            watched.gauges.update(&watched.run, ledger, counts, fate);
        }
        watched.tally.store(storage, run).await?;
        let is_complete = watched.fate(ledger).is_complete();
        let counts = &watched.counts;
        let report = report::publish(storage, &watched.run, collected, is_complete).await?;
        tracing::info!(
            %run,
            done = counts.done,
            quarantined = counts.quarantined,
            failed = counts.failed,
            manifest = storage.locate(&manifest),
            "run ended"
        );
        watched.report = Some(report);
        watched.report_is_new = true;
        Ok(())
    }

    async fn halt_at_limit(&self, watched: &WatchedRun, ledger: &Ledger) -> Result<(), PollError> {
        let standing = Standing::of(&watched.run, ledger, &watched.tally);
        let Resolution::Decides(_) =
            decisions::resolve(DecisionRequest::KeepLimit(&standing), &ledger.decisions)
        else {
            return Ok(());
        };
        let (storage, mut ledger) = (self.storage.as_ref(), ledger.clone());
        let kept = decisions::keep_limit(storage, &watched.run, &mut ledger, &watched.tally);
        if let Resolution::Decides(DecisionKind::Halt { reason }) = kept.await? {
            let run = &watched.run.record.run;
            tracing::error!(%run, reason, "run halted");
        }
        Ok(())
    }
}
