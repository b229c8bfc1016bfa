//! Watches every run of a storage root: counts what is committed, stops runs in which too much fails, writes the
//! manifest of those that have ended, and takes note of dead letters.
//!
//! What it sees goes to a [`Board`], which the dashboard shows:
//!
//! - [`board`]: what was seen last
//! - [`run_view`], [`pace`]: a run as it was seen last, and how fast it goes
//! - [`fleet`]: the workers, as their events tell

pub mod board;
mod dead_letters;
pub mod fleet;
mod listening;
pub mod pace;
pub mod run_view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use board::Board;
pub use run_view::RunView;
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
use crate::report::RunReport;
use crate::tally::{Counts, Failures, Tally};

/// Between two times that the counts of a run under way are stored.
const STORE_TALLY_EVERY: Duration = Duration::from_secs(30);

/// Between two looks at a run that has ended, unless something is decided about it: listing its shards costs requests.
const LOOK_AT_ENDED_EVERY: Duration = Duration::from_secs(300);

/// Between two times that the report of a run under way is read.
const READ_REPORT_EVERY: Duration = Duration::from_secs(30);

/// Watches every run of a storage root.
pub struct Collector {
    /// The storage root.
    pub storage: Arc<dyn Storage>,
    /// The queue whose events are heard, if there is one.
    pub queue: Option<Arc<dyn Queue>>,
    /// What it does beside watching.
    pub duty: Duty,
    /// Between two looks.
    pub every: Duration,
    /// Where it shows what it sees.
    pub board: Arc<Board>,
    /// Cancelled to stop.
    pub stop: CancellationToken,
}

/// What a collector does beside watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It stops runs in which too much fails, writes manifests and counts, and notes dead letters.
    Keep,
    /// Nothing: somebody else in this process does.
    Look,
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
    Storage(#[from] StorageError),
    #[error(transparent)]
    Decision(#[from] shared::decision::DecisionError),
}

/// A run under watch.
struct Watched {
    run: Arc<FrozenRun>,
    tally: Tally,
    tally_stored: Instant,
    failures: Failures,
    report: Option<RunReport>,
    report_read: Instant,
    /// Committed shards, failed attempts and decisions when it was looked at last.
    seen: Option<(usize, usize, u32)>,
    /// When it was found to have ended, and what was decided by then.
    ended: Option<(Instant, Decisions)>,
}

impl Watched {
    async fn open(storage: &dyn Storage, run: &RunId) -> Result<Self, WatchError> {
        Ok(Self {
            run: Arc::new(freeze::open(storage, run).await?),
            tally: Tally::stored(storage, run).await?,
            tally_stored: Instant::now(),
            failures: Failures::default(),
            report: RunReport::stored(storage, run).await?,
            report_read: Instant::now(),
            seen: None,
            ended: None,
        })
    }

    /// Returns what is seen of the run now.
    fn view(&self, ledger: Ledger) -> RunView {
        RunView::new(
            Arc::clone(&self.run),
            ledger,
            self.tally.clone(),
            self.failures.clone(),
            self.report.clone(),
        )
    }
}

impl Collector {
    /// Watches until told to stop.
    pub async fn run(&self) {
        let note_dead_letters = async {
            match self.duty {
                Duty::Keep => self.note_dead_letters().await,
                Duty::Look => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = note_dead_letters => {}
            () = self.listen() => {}
            () = self.ask_broker() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(&self) {
        let mut watched = BTreeMap::new();
        loop {
            self.look(&mut watched).await;
            // A worker's word makes the next look come sooner, not at once: a large fleet speaks all the time.
            tokio::time::sleep(self.every / 5).await;
            let rest = self.every - self.every / 5;
            let _ = tokio::time::timeout(rest, self.board.news.notified()).await;
        }
    }

    /// Looks after every run once. A run that cannot be read does not keep the others waiting.
    async fn look(&self, watched: &mut BTreeMap<RunId, Watched>) {
        let runs = match self.storage.runs().await {
            Ok(runs) => runs,
            Err(error) => {
                let reason = chain(&error);
                tracing::warn!(error = reason, "cannot list runs, trying again");
                self.board.show_runs(Err(reason));
                return;
            }
        };
        watched.retain(|run, _| runs.contains(run));
        self.board.show_runs(Ok(&runs));
        for run in runs {
            match self.look_after(&run, watched).await {
                // Its plan is stored and its record is not: it does not exist yet.
                Ok(()) | Err(WatchError::Freeze(FreezeError::Missing { .. })) => {
                    self.board.show_readable(&run);
                }
                Err(error) => {
                    let reason = chain(&error);
                    tracing::warn!(%run, error = reason, "cannot look after a run, trying again");
                    self.board.show_unreadable(&run, reason);
                }
            }
        }
        self.board.notice_silence();
        self.board.show_looked();
    }

    async fn look_after(
        &self,
        run: &RunId,
        watched: &mut BTreeMap<RunId, Watched>,
    ) -> Result<(), WatchError> {
        let storage = self.storage.as_ref();
        let watched = match watched.entry(run.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Watched::open(storage, run).await?)
            }
        };
        let new_report = self.read_report(watched).await?;
        if let Some((since, decisions)) = &mut watched.ended
            && since.elapsed() < LOOK_AT_ENDED_EVERY
            && !new_report
            && !decisions.read_new(storage, run).await?
        {
            return Ok(());
        }
        watched.ended = None;
        let ledger = Ledger::read(storage, run).await?;
        let ended = has_ended(&watched.run, &ledger);
        let found = (
            ledger.committed.len(),
            ledger.num_failed_attempts(),
            ledger.decisions.count,
        );
        if watched.seen == Some(found) {
            if new_report {
                self.board.show(watched.view(ledger.clone()));
            }
            if ended {
                watched.ended = Some((Instant::now(), ledger.decisions));
            }
            return Ok(());
        }
        let new = watched.tally.update(storage, run, &ledger).await?;
        watched
            .failures
            .update(storage, &watched.run, &ledger)
            .await?;
        let view = watched.view(ledger);
        let (ledger, counts) = (view.ledger.clone(), view.counts.clone());
        self.board.show(view);
        let decisions = ledger.decisions.clone();
        match self.duty {
            Duty::Look => {}
            Duty::Keep if ended => self.end(watched, &ledger, new, &counts).await?,
            Duty::Keep => {
                self.halt_at_limit(&watched.run, ledger, &counts).await?;
                if new > 0 && watched.tally_stored.elapsed() >= STORE_TALLY_EVERY {
                    watched.tally.store(storage, run).await?;
                    watched.tally_stored = Instant::now();
                }
            }
        }
        watched.ended = ended.then(|| (Instant::now(), decisions));
        watched.seen = Some(found);
        Ok(())
    }

    /// Reads the report of a run every now and then; returns whether it is another one.
    async fn read_report(&self, watched: &mut Watched) -> Result<bool, WatchError> {
        if watched.report_read.elapsed() < READ_REPORT_EVERY {
            return Ok(false);
        }
        let run = &watched.run.record.run;
        let report = RunReport::stored(self.storage.as_ref(), run).await?;
        watched.report_read = Instant::now();
        let new = report != watched.report;
        watched.report = report;
        Ok(new)
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
        collect::collect(storage, &watched.run, ledger).await?;
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
