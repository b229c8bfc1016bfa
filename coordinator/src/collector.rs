//! Watches every run of a storage root: counts what is committed, stops runs in which too much fails, writes the
//! manifest of those that have ended, and takes note of dead letters.

mod dead_letters;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared::artifact::ArtifactKey;
use shared::decision::{Decided, Decisions};
use shared::failure::chain;
use shared::ids::RunId;
use shared::queue::Queue;
use shared::storage::{Storage, StorageError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::collect::{self, CollectError};
use crate::freeze::{self, FreezeError, FrozenRun};
use crate::ledger::{Ledger, LedgerError, ShardState};
use crate::metrics::{self, RunGauges};
use crate::report::{self, ReportError};
use crate::tally::{Counts, Tally};

/// Between two times that the counts of a run under way are stored.
const STORE_TALLY_EVERY: Duration = Duration::from_secs(30);

/// Between two looks at a run that has ended, unless something is decided about it: listing its shards costs requests.
const LOOK_AT_ENDED_EVERY: Duration = Duration::from_secs(300);

/// Watches every run of a storage root.
pub struct Collector {
    /// The storage root.
    pub storage: Arc<dyn Storage>,
    /// The queue whose dead letters are noted, if there is one.
    pub queue: Option<Arc<dyn Queue>>,
    /// Between two looks.
    pub every: Duration,
    /// Cancelled to stop.
    pub stop: CancellationToken,
}

/// Why a run cannot be looked after just now.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Decision(#[from] shared::decision::DecisionError),
}

/// A run under watch.
struct Watched {
    run: FrozenRun,
    tally: Tally,
    tally_stored: Instant,
    /// Committed shards, failed attempts and decisions when it was looked at last.
    seen: Option<(usize, usize, u32)>,
    /// When it was found to have ended, and what was decided by then.
    ended: Option<(Instant, Decisions)>,
    gauges: RunGauges,
}

impl Collector {
    /// Watches until told to stop.
    pub async fn run(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.note_dead_letters() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(&self) {
        let mut watched = BTreeMap::new();
        loop {
            let started = Instant::now();
            self.look(&mut watched).await;
            let runs = watched.values().map(|watched: &Watched| &watched.gauges);
            metrics::looked(runs, started.elapsed());
            if let Some(queue) = &self.queue {
                metrics::look_at(queue.as_ref()).await;
            }
            tokio::time::sleep(self.every).await;
        }
    }

    /// Looks after every run once. A run that cannot be read does not keep the others waiting.
    async fn look(&self, watched: &mut BTreeMap<RunId, Watched>) {
        let runs = match self.storage.runs().await {
            Ok(runs) => runs,
            Err(error) => {
                tracing::warn!(error = chain(&error), "cannot list runs, trying again");
                return;
            }
        };
        watched.retain(|run, _| runs.contains(run));
        for run in runs {
            match self.look_after(&run, watched).await {
                // Its plan is stored and its record is not: it does not exist yet.
                Ok(()) | Err(WatchError::Freeze(FreezeError::Missing { .. })) => {}
                Err(error) => {
                    tracing::warn!(%run, error = chain(&error), "cannot look after a run, trying again");
                }
            }
        }
    }

    async fn look_after(
        &self,
        run: &RunId,
        watched: &mut BTreeMap<RunId, Watched>,
    ) -> Result<(), WatchError> {
        let storage = self.storage.as_ref();
        let watched = match watched.entry(run.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(Watched {
                run: freeze::open(storage, run).await?,
                tally: Tally::stored(storage, run).await?,
                tally_stored: Instant::now(),
                seen: None,
                ended: None,
                gauges: RunGauges::default(),
            }),
        };
        if let Some((since, decisions)) = &mut watched.ended
            && since.elapsed() < LOOK_AT_ENDED_EVERY
            && !decisions.read_new(storage, run).await?
        {
            return Ok(());
        }
        watched.ended = None;
        let ledger = Ledger::read(storage, run).await?;
        let found = (
            ledger.committed.len(),
            ledger.num_failed_attempts(),
            ledger.decisions.count,
        );
        if watched.seen == Some(found) {
            if has_ended(&watched.run, &ledger) {
                watched.ended = Some((Instant::now(), ledger.decisions));
            }
            return Ok(());
        }
        let new = watched.tally.update(storage, run, &ledger).await?;
        let counts = watched
            .tally
            .total_with_failed(storage, &watched.run, &ledger)
            .await?;
        watched.gauges.update(&watched.run, &ledger, &counts);
        if has_ended(&watched.run, &ledger) {
            self.end(watched, &ledger, new, &counts).await?;
            watched.ended = Some((Instant::now(), ledger.decisions));
        } else {
            self.halt_at_limit(&watched.run, ledger, &counts).await?;
            if new > 0 && watched.tally_stored.elapsed() >= STORE_TALLY_EVERY {
                watched.tally.store(storage, run).await?;
                watched.tally_stored = Instant::now();
            }
        }
        watched.seen = Some(found);
        Ok(())
    }

    /// Writes the manifest of a run that has ended, unless that was done before.
    async fn end(
        &self,
        watched: &Watched,
        ledger: &Ledger,
        new: usize,
        counts: &Counts,
    ) -> Result<(), WatchError> {
        let storage = self.storage.as_ref();
        let run = &watched.run.record.run;
        let manifest = ArtifactKey::Manifest(run.clone());
        if new == 0
            && watched.seen.is_none()
            && counts.failed == 0
            && storage.exists(&manifest).await?
        {
            return Ok(());
        }
        watched.tally.store(storage, run).await?;
        let collected = collect::collect(storage, &watched.run, ledger).await?;
        report::publish(storage, &watched.run, collected).await?;
        tracing::info!(
            %run,
            done = counts.done,
            quarantined = counts.quarantined,
            failed = counts.failed,
            manifest = storage.locate(&manifest),
            "run ended"
        );
        Ok(())
    }

    async fn halt_at_limit(
        &self,
        run: &FrozenRun,
        mut ledger: Ledger,
        counts: &Counts,
    ) -> Result<(), WatchError> {
        let (not_done, planned) = (counts.not_done(), run.plan.num_items());
        let max_failed = run.record.limits.max_failed;
        // Somebody who resumed all the same is not stopped again by the same failures.
        let counting = not_done.saturating_sub(ledger.decisions.forgiven);
        if ledger.decisions.halted.is_some() || counting as f64 <= max_failed * planned as f64 {
            return Ok(());
        }
        let reason = format!(
            "{not_done} of {planned} items are quarantined or failed, more than limits.max_failed ({max_failed})"
        );
        tracing::error!(run = %run.record.run, reason, "run halted");
        let halt = Decided::Halt { reason };
        let storage = self.storage.as_ref();
        ledger
            .decisions
            .decide(storage, &run.record.run, halt)
            .await?;
        Ok(())
    }
}

fn has_ended(run: &FrozenRun, ledger: &Ledger) -> bool {
    let max_attempts = run.record.limits.max_attempts;
    run.plan
        .shards
        .iter()
        .all(|shard| match ledger.state(shard.id, max_attempts) {
            ShardState::Committed | ShardState::Failed { .. } => true,
            ShardState::Open => false,
        })
}
