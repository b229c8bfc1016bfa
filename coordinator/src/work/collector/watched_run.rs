//! A run under watch: what was seen of it, and when it is looked at again.

use std::sync::Arc;
use std::time::Duration;

use shared::decision::Decisions;
use shared::ids::RunId;
use shared::storage::Storage;
use tokio::time::Instant;

use super::gauges::RunGauges;
use super::poll_error::PollError;
use super::run_view::RunView;
use crate::output::report::RunReport;
use crate::output::report::live::LiveReport;
use crate::run::freeze::{self, FrozenRun};
use crate::run::gone::Gone;
use crate::run::ledger::Ledger;
use crate::run::policy::{Fate, Standing};
use crate::run::tally::{Counts, Failures, Tally};

/// Between two polls of a run that has ended, unless something is decided about it: listing its shards costs requests.
const POLL_ENDED_EVERY: Duration = Duration::from_secs(300);

/// Between two polls of what is gone of a run that has ended, or damaged of any: it may be put right.
pub(super) const POLL_DAMAGED_EVERY: Duration = Duration::from_secs(30);

/// A run under watch.
pub(super) struct WatchedRun {
    pub(super) run: Arc<FrozenRun>,
    pub(super) tally: Tally,
    pub(super) tally_stored: Instant,
    pub(super) failures: Failures,
    /// What is counted, failed shards included.
    pub(super) counts: Counts,
    pub(super) report: Option<RunReport>,
    /// Whether the live state does not have it yet.
    pub(super) report_is_new: bool,
    pub(super) report_read: Instant,
    /// What the next report is made from, while the run goes on.
    pub(super) live_report: Option<LiveReport>,
    /// What was stored of it when it was polled last.
    pub(super) seen: Option<Seen>,
    /// When its damaged shards were read last: one that is put right may be as long as it was.
    pub(super) damaged_read: Instant,
    /// Whether the last poll ended with an error: what it took note of was not followed up.
    pub(super) is_unfinished: bool,
    /// When it was found to have ended, and what was decided by then.
    pub(super) ended: Option<(Instant, Decisions)>,
    /// What was gone of it when it was found to have ended.
    pub(super) gone: Gone,
    /// When shards of it were committed since it is watched.
    pub(super) seen_growing: Option<Instant>,
    pub(super) gauges: RunGauges,
}

/// What tells that something is new about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    num_commits: usize,
    /// Commits that were cut or replaced have other sizes.
    commit_bytes: u64,
    num_failed_attempts: usize,
    num_decisions: u32,
}

impl Seen {
    pub(super) fn of(ledger: &Ledger) -> Self {
        Self {
            num_commits: ledger.num_commits(),
            commit_bytes: ledger.commit_bytes(),
            num_failed_attempts: ledger.num_failed_attempts(),
            num_decisions: ledger.decisions.count,
        }
    }
}

impl WatchedRun {
    pub(super) async fn open(storage: &dyn Storage, run: &RunId) -> Result<Self, PollError> {
        Ok(Self {
            run: Arc::new(freeze::open(storage, run).await?),
            tally: Tally::stored(storage, run).await?,
            tally_stored: Instant::now(),
            failures: Failures::default(),
            counts: Counts::default(),
            report: RunReport::stored(storage, run).await?,
            report_is_new: false,
            report_read: Instant::now(),
            live_report: None,
            seen: None,
            damaged_read: Instant::now(),
            is_unfinished: false,
            ended: None,
            gone: Gone::default(),
            seen_growing: None,
            gauges: RunGauges::default(),
        })
    }

    /// Returns what is seen of the run now.
    pub(super) fn view(&self, ledger: Ledger) -> RunView {
        let view = RunView::new(
            Arc::clone(&self.run),
            ledger,
            self.tally.clone(),
            self.failures.clone(),
            self.report.clone(),
        );
        RunView {
            gone: self.gone.clone(),
            seen_growing: self.seen_growing,
            ..view
        }
    }

    /// Returns what becomes of the run.
    pub(super) fn fate(&self, ledger: &Ledger) -> Fate {
        let standing = Standing::of(&self.run, ledger, &self.tally);
        standing.with_gone(self.gone.paths.len()).fate()
    }

    /// Returns how long nothing new is expected of a run that has ended.
    pub(super) fn rest(&self) -> Duration {
        if self.gone.is_nothing() && self.tally.damaged().is_empty() {
            POLL_ENDED_EVERY
        } else {
            POLL_DAMAGED_EVERY
        }
    }
}
