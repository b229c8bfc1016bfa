//! Watches every run of a storage root: counts what is committed, stops runs in which too much fails, writes the
//! manifest of those that have ended, and takes note of dead letters.
//!
//! - [`live_state`]: what was seen last, which the dashboard shows; `gauges`: the same for Prometheus
//! - [`run_view`], [`pace`]: a run as it was seen last, and how fast it goes
//! - [`fleet`]: the workers, as their events tell; `broker`: what the broker says
//! - `lifecycle`: a run is stopped at its limit, and ended; `dead_letters`: shards that were given up
//! - `poll_error`: why a run cannot be polled

mod broker;
mod dead_letters;
pub mod fleet;
pub(crate) mod gauges;
mod lifecycle;
pub mod live_state;
pub mod pace;
mod poll_error;
pub mod run_view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
pub use live_state::LiveState;
pub use run_view::RunView;
use shared::decision::Decisions;
use shared::failure::chain;
use shared::ids::RunId;
use shared::queue::{EventBus, WorkQueue};
use shared::storage::Storage;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::gauges::RunGauges;
use self::poll_error::PollError;
use crate::output::report::RunReport;
use crate::output::report::live::LiveReport;
use crate::run::freeze::{self, FreezeError, FrozenRun};
use crate::run::gone::Gone;
use crate::run::ledger::Ledger;
use crate::run::policy::{Fate, Standing};
use crate::run::tally::{Counts, Failures, Tally};

/// Between two polls of a run that has ended, unless something is decided about it: listing its shards costs requests.
const POLL_ENDED_EVERY: Duration = Duration::from_secs(300);

/// Between two polls of what is gone of a run that has ended, or damaged of any: it may be put right.
const POLL_DAMAGED_EVERY: Duration = Duration::from_secs(30);

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
    pub mode: Mode,
    /// Between two polls.
    pub every: Duration,
    /// Where it notes what it sees.
    pub live: Arc<LiveState>,
    /// Cancelled to stop.
    pub stop: CancellationToken,
}

/// What a collector does beside watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It stops runs in which too much fails, writes manifests and counts, and notes dead letters.
    Manage,
    /// Nothing: the run in this process does it itself.
    Observe,
}

/// A run under watch.
struct WatchedRun {
    run: Arc<FrozenRun>,
    tally: Tally,
    tally_stored: Instant,
    failures: Failures,
    /// What is counted, failed shards included.
    counts: Counts,
    report: Option<RunReport>,
    /// Whether the live state does not have it yet.
    report_is_new: bool,
    report_read: Instant,
    /// What the next report is made from, while the run goes on.
    live_report: Option<LiveReport>,
    /// What was stored of it when it was polled last.
    seen: Option<Seen>,
    /// When its damaged shards were read last: one that is put right may be as long as it was.
    damaged_read: Instant,
    /// Whether the last poll ended with an error: what it took note of was not followed up.
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

impl WatchedRun {
    async fn open(storage: &dyn Storage, run: &RunId) -> Result<Self, PollError> {
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
            POLL_ENDED_EVERY
        } else {
            POLL_DAMAGED_EVERY
        }
    }
}

impl Collector {
    /// Watches until told to stop.
    pub async fn run(&self) {
        let (queue, events) = (self.queue.as_deref(), self.events.as_deref());
        let managed = match self.mode {
            Mode::Manage => queue,
            Mode::Observe => None,
        };
        // Where there is no broker, what needs one does not run.
        let dead_letters = managed.map(|queue| self.note_dead_letters(queue));
        let events = events.map(|events| self.consume_events(events));
        let broker = queue.map(|queue| self.poll_broker(queue));
        tokio::select! {
            () = self.stop.cancelled() => {}
            Some(()) = OptionFuture::from(dead_letters) => {}
            Some(()) = OptionFuture::from(events) => {}
            Some(()) = OptionFuture::from(broker) => {}
            () = self.flush_live_state() => {}
            () = self.poll_runs() => {}
        }
    }

    /// Polls all runs again and again; ends never.
    async fn poll_runs(&self) {
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
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(WatchedRun::open(storage, run).await?)
            }
        };
        let polled = self.update(watched).await;
        watched.is_unfinished = polled.is_err();
        polled
    }

    /// Brings what is known of a run up to date, and does what that calls for.
    async fn update(&self, watched: &mut WatchedRun) -> Result<(), PollError> {
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

    /// Reports what came out so far, now and then.
    async fn report_so_far(
        &self,
        watched: &mut WatchedRun,
        ledger: &Ledger,
    ) -> Result<(), PollError> {
        let storage = self.storage.as_ref();
        let run = &watched.run;
        let live = watched
            .live_report
            .get_or_insert_with(|| LiveReport::new(run));
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
        match self.mode {
            Mode::Manage => report.store(storage).await?,
            Mode::Observe => {}
        }
        Ok(())
    }

    /// Reads the report of a run that has ended every now and then: another process may have made another one.
    async fn read_report(&self, watched: &mut WatchedRun) -> Result<(), PollError> {
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
