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
mod keeping;
mod listening;
pub mod pace;
pub mod run_view;
mod watch_error;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use board::Board;
pub use run_view::RunView;
use shared::decision::Decisions;
use shared::failure::chain;
use shared::ids::RunId;
use shared::queue::{EventBus, WorkQueue};
use shared::storage::Storage;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::watch_error::WatchError;
use crate::output::report::RunReport;
use crate::output::report::live::LiveReport;
use crate::run::fate::{Fate, Standing};
use crate::run::freeze::{self, FreezeError, FrozenRun};
use crate::run::gone::Gone;
use crate::run::ledger::Ledger;
use crate::run::tally::{Counts, Failures, Tally};
use crate::ui::metrics::{self, RunGauges};

/// Between two looks at a run that has ended, unless something is decided about it: listing its shards costs requests.
const LOOK_AT_ENDED_EVERY: Duration = Duration::from_secs(300);

/// Between two looks at what is gone of a run that has ended, or damaged of any: it may be put right.
const LOOK_AT_DAMAGED_EVERY: Duration = Duration::from_secs(30);

/// Between two times that the report of a run under way is read.
const READ_REPORT_EVERY: Duration = Duration::from_secs(30);

/// Watches every run of a storage root.
pub struct Collector {
    /// The storage root.
    pub storage: Arc<dyn Storage>,
    /// The queue whose shards are counted and whose dead letters are noted, if there is one.
    pub queue: Option<Arc<dyn WorkQueue>>,
    /// Where workers report what they do, if there is such a place.
    pub events: Option<Arc<dyn EventBus>>,
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

/// A run under watch.
struct Watched {
    run: Arc<FrozenRun>,
    tally: Tally,
    tally_stored: Instant,
    failures: Failures,
    /// What is counted, failed shards included.
    counts: Counts,
    report: Option<RunReport>,
    /// Whether the board does not show it yet.
    report_is_new: bool,
    report_read: Instant,
    /// What the next report is made from, while the run goes on.
    live: Option<LiveReport>,
    /// What was stored of it when it was looked at last.
    seen: Option<Seen>,
    /// When its damaged shards were read last: one that is put right may be as long as it was.
    damaged_read: Instant,
    /// Whether the last look ended with an error: what it took note of was not followed up.
    is_unfinished: bool,
    /// When it was found to have ended, and what was decided by then.
    ended: Option<(Instant, Decisions)>,
    /// What was gone of it when it was found to have ended.
    gone: Gone,
    /// When shards of it were committed since it is watched.
    seen_growing: Option<Instant>,
    gauges: RunGauges,
}

/// What tells that something is new about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    num_commits: usize,
    /// Commits that were cut or replaced have other sizes.
    commit_bytes: u64,
    num_failed_attempts: usize,
    num_decisions: u32,
}

impl Seen {
    fn of(ledger: &Ledger) -> Self {
        Self {
            num_commits: ledger.num_commits(),
            commit_bytes: ledger.commit_bytes(),
            num_failed_attempts: ledger.num_failed_attempts(),
            num_decisions: ledger.decisions.count,
        }
    }
}

/// What is new about a run.
struct Changed {
    found: Seen,
    new_shards: usize,
}

impl Watched {
    async fn open(storage: &dyn Storage, run: &RunId) -> Result<Self, WatchError> {
        Ok(Self {
            run: Arc::new(freeze::open(storage, run).await?),
            tally: Tally::stored(storage, run).await?,
            tally_stored: Instant::now(),
            failures: Failures::default(),
            counts: Counts::default(),
            report: RunReport::stored(storage, run).await?,
            report_is_new: false,
            report_read: Instant::now(),
            live: None,
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
    fn view(&self, ledger: Ledger) -> RunView {
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
    fn fate(&self, ledger: &Ledger) -> Fate {
        let standing = Standing::of(&self.run, ledger, &self.tally);
        standing.with_gone(self.gone.paths.len()).fate()
    }

    /// Returns how long nothing new is expected of a run that has ended.
    fn rest(&self) -> Duration {
        if self.gone.is_nothing() && self.tally.damaged().is_empty() {
            LOOK_AT_ENDED_EVERY
        } else {
            LOOK_AT_DAMAGED_EVERY
        }
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
            () = self.tell() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(&self) {
        let mut watched = BTreeMap::new();
        loop {
            let started = Instant::now();
            if self.look(&mut watched).await {
                let runs = watched.values().map(|watched: &Watched| &watched.gauges);
                metrics::looked(runs, started.elapsed());
            }
            // A worker's word makes the next look come sooner, not at once: a large fleet speaks all the time.
            tokio::time::sleep(self.every / 5).await;
            let rest = self.every - self.every / 5;
            let _ = tokio::time::timeout(rest, self.board.news.notified()).await;
        }
    }

    /// Looks after every run once; returns whether storage let it. A run that cannot be read does not keep the others
    /// waiting, and neither does one of whose files the disk cannot read one, but an outage ends the look: every run would
    /// wait for its end.
    async fn look(&self, watched: &mut BTreeMap<RunId, Watched>) -> bool {
        let runs = match self.list_runs(watched).await {
            Ok(runs) => runs,
            Err(reason) => {
                tracing::warn!(error = reason, "cannot list runs, trying again");
                self.board.show_runs(Err(reason));
                return false;
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
                    if error.is_outage() && !self.answers().await {
                        return false;
                    }
                }
            }
        }
        self.board.show_looked();
        true
    }

    /// Returns whether storage answers, whatever it says of one run.
    async fn answers(&self) -> bool {
        self.storage.runs().await.is_ok()
    }

    /// Returns the runs of the storage root. A folder that is not mounted looks as if it had none.
    async fn list_runs(&self, watched: &BTreeMap<RunId, Watched>) -> Result<Vec<RunId>, String> {
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
        let looked = self.look_at(watched).await;
        watched.is_unfinished = looked.is_err();
        looked
    }

    async fn look_at(&self, watched: &mut Watched) -> Result<(), WatchError> {
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
            self.board.show(watched.view(ledger.clone()));
            match self.duty {
                Duty::Look => {}
                Duty::Keep if ended && !is_to_end => {}
                Duty::Keep if ended => self.end(watched, &ledger).await?,
                Duty::Keep => {
                    let new_shards = changed.as_ref().map_or(0, |changed| changed.new_shards);
                    self.keep(watched, &ledger, new_shards).await?;
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
            self.board.show(watched.view(ledger.clone()));
        }
        watched.ended = ended.then(|| (Instant::now(), ledger.decisions));
        Ok(())
    }

    /// Counts what is new, and now and then what is damaged; returns nothing if there is nothing new.
    async fn count(
        &self,
        watched: &mut Watched,
        ledger: &Ledger,
    ) -> Result<Option<Changed>, WatchError> {
        let found = Seen::of(ledger);
        let is_same = !watched.is_unfinished && watched.seen == Some(found);
        let damaged = watched.tally.damaged().clone();
        if is_same && (damaged.is_empty() || watched.damaged_read.elapsed() < LOOK_AT_DAMAGED_EVERY)
        {
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

    /// Reports what came out so far, now and then.
    async fn report_so_far(
        &self,
        watched: &mut Watched,
        ledger: &Ledger,
    ) -> Result<(), WatchError> {
        let storage = self.storage.as_ref();
        let run = &watched.run;
        let live = watched.live.get_or_insert_with(|| LiveReport::new(run));
        let Some(report) = live.refresh(storage, ledger, &watched.counts).await? else {
            return Ok(());
        };
        watched.report_is_new = true;
        // A manifest and a contact sheet that were written stay written.
        let earlier = watched.report.take();
        let mark = earlier.as_ref().and_then(|earlier| earlier.mark);
        let contact_sheet_sha256 = earlier.and_then(|earlier| earlier.contact_sheet_sha256);
        let report = watched.report.insert(RunReport {
            mark,
            contact_sheet_sha256,
            ..report
        });
        match self.duty {
            Duty::Keep => report.store(storage).await?,
            Duty::Look => {}
        }
        Ok(())
    }

    /// Reads the report of a run that has ended every now and then: somebody else may have made another one.
    async fn read_report(&self, watched: &mut Watched) -> Result<(), WatchError> {
        if watched.report_read.elapsed() < READ_REPORT_EVERY {
            return Ok(());
        }
        let run = &watched.run.record.run;
        let report = RunReport::stored(self.storage.as_ref(), run).await?;
        watched.report_read = Instant::now();
        if report != watched.report {
            watched.report = report;
            watched.report_is_new = true;
        }
        Ok(())
    }
}
