//! What a collector does about a run: it stops one in which too much fails, and ends one in which nothing is left.

use std::time::Duration;

use shared::artifact::ArtifactKey;
use shared::decision::{Decided, Decisions};
use tokio::time::Instant;

use super::{Collector, WatchError, Watched};
use crate::collect;
use crate::freeze::FrozenRun;
use crate::ledger::Ledger;
use crate::report;
use crate::tally::Counts;

/// Between two times that the counts of a run under way are stored.
const STORE_TALLY_EVERY: Duration = Duration::from_secs(30);

impl Collector {
    /// Stops a run in which too much fails, and stores its counts now and then.
    pub(super) async fn keep(
        &self,
        watched: &mut Watched,
        decisions: Decisions,
        new_shards: usize,
    ) -> Result<(), WatchError> {
        self.halt_at_limit(&watched.run, decisions, &watched.counts)
            .await?;
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

    /// Writes the manifest and the report of a run that has ended, unless that was done before.
    pub(super) async fn end(
        &self,
        watched: &mut Watched,
        ledger: &Ledger,
    ) -> Result<(), WatchError> {
        let storage = self.storage.as_ref();
        let (run, counts) = (&watched.run.record.run, &watched.counts);
        let manifest = ArtifactKey::Manifest(run.clone());
        // The report is written last, so one of these counts says that the manifest is theirs too.
        let reported = watched.report.as_ref();
        if reported.is_some_and(|report| report.is_last(counts))
            && storage.exists(&manifest).await?
        {
            return Ok(());
        }
        watched.live = None;
        watched.tally.store(storage, run).await?;
        let collected = collect::collect(storage, &watched.run, ledger).await?;
        let report = report::publish(storage, &watched.run, collected).await?;
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

    async fn halt_at_limit(
        &self,
        run: &FrozenRun,
        mut decisions: Decisions,
        counts: &Counts,
    ) -> Result<(), WatchError> {
        let (not_done, planned) = (counts.not_done(), run.plan.num_items());
        let max_failed = run.record.limits.max_failed;
        // Somebody who resumed all the same is not stopped again by the same failures.
        let counting = not_done.saturating_sub(decisions.forgiven);
        if decisions.halted.is_some() || counting as f64 <= max_failed * planned as f64 {
            return Ok(());
        }
        let reason = format!(
            "{not_done} of {planned} items are quarantined or failed, more than limits.max_failed ({max_failed})"
        );
        tracing::error!(run = %run.record.run, reason, "run halted");
        let halt = Decided::Halt { reason };
        let storage = self.storage.as_ref();
        decisions.decide(storage, &run.record.run, halt).await?;
        Ok(())
    }
}
