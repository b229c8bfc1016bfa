//! A run as it was seen last: immutable, so that it is shown without waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shared::clock::{earlier, later};
use shared::ids::{RunId, ShardId};
use shared::queue::message::ShardInHand;
use shared::wording::first_of;
use tokio::time::Instant;

use super::pace::{self, Pace, Span};
use crate::output::report::RunReport;
use crate::run::cost::{DeviceHours, UnitCosts, Workload};
use crate::run::freeze::FrozenRun;
use crate::run::gone::Gone;
use crate::run::ledger::{Ledger, ShardState};
use crate::run::plan::Shard;
use crate::run::policy::{Fate, Standing};
use crate::run::tally::{Counts, Failures, ShardTally, Tally};

/// A run whose newest shard is younger is taken to be worked on, also where no events are heard.
const RECENT: Duration = Duration::from_mins(5);

/// A run as it was seen last.
#[derive(Debug)]
pub struct RunView {
    /// What it is and what is planned.
    pub run: Arc<FrozenRun>,
    /// What storage says of its shards, and what was decided.
    pub ledger: Ledger,
    /// What is counted of its committed shards.
    pub tally: Tally,
    /// Why shards failed for good.
    pub failures: Failures,
    /// What was gone of it when it had ended.
    pub gone: Gone,
    /// What came out so far, once there is a report.
    pub report: Option<RunReport>,
    /// The sum over its shards.
    pub counts: Counts,
    /// How far each style is, in the order of the plan.
    pub styles: Vec<StyleCounts>,
    /// What its parts took each; as many images at one time where that is not known.
    pub costs: UnitCosts,
    /// What is left to be made of it, with what workers have in hand.
    pub left: Workload,
    /// Its committed shards, sorted by their ends, with their work in milliseconds of a device.
    pub spans: Vec<Span>,
    /// Number of items planned.
    pub num_items: usize,
    /// Quarantined items that are to be tried again and have not ended.
    pub num_retried: usize,
    /// When shards of it were committed since it is watched.
    pub seen_growing: Option<Instant>,
}

/// How far a style is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StyleCounts {
    /// Items planned.
    pub planned: usize,
    /// Items with an image and a label.
    pub done: usize,
    /// Items whose input cannot be converted.
    pub quarantined: usize,
    /// Items whose shard failed too often.
    pub failed: usize,
}

/// How a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Every item is done.
    Complete,
    /// Every item has ended, and some are not done.
    Ended,
    /// Every item has ended, and something that was made is gone: this.
    Damaged(String),
    /// It is not to be worked on, for this reason.
    Halted(String),
    /// It is worked on.
    Running,
    /// Nothing is made yet.
    Waiting,
    /// Something is made, and the rest is not worked on.
    Idle,
}

/// The status of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShardStatus {
    /// To be made.
    Open,
    /// A worker has it in hand.
    InHand,
    /// It is to be tried again: an attempt failed, or quarantined items of it are to be made after all.
    Retrying,
    /// Committed, every item done.
    Done,
    /// Committed, some items quarantined.
    Quarantined,
    /// It failed too often.
    Failed,
    /// Committed, and its file cannot be read.
    Damaged,
}

impl RunView {
    /// Puts together what was seen of a run.
    #[must_use]
    pub fn new(
        run: Arc<FrozenRun>,
        ledger: Ledger,
        tally: Tally,
        failures: Failures,
        report: Option<RunReport>,
    ) -> Self {
        let counts = tally.total_with(&run, &failures);
        let styles = styles(&run, &tally, &failures);
        let costs = UnitCosts::of(&counts, run.record.frozen.method.evaluations());
        let costs = costs.unwrap_or(UnitCosts::OF_IMAGES);
        let left = Workload::left_by(&run, &ledger, &tally);
        let spans = spans(&run, &tally, costs);
        let num_items = run.plan.num_items();
        let retried = ledger.retried(run.record.limits.max_attempts);
        let num_retried = retried.map(|(_, items)| items).sum();
        Self {
            run,
            ledger,
            tally,
            failures,
            gone: Gone::default(),
            report,
            counts,
            styles,
            costs,
            left,
            spans,
            num_items,
            num_retried,
            seen_growing: None,
        }
    }

    /// Returns the run's name.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.run.record.run
    }

    /// Returns what tells addresses of its pictures from those of another run of its name.
    #[must_use]
    pub fn version(&self) -> &str {
        let plan_hash = &self.run.record.plan_hash;
        plan_hash.get(..8).unwrap_or(plan_hash)
    }

    /// Returns the styles that have doubtful items, with the number of these.
    #[must_use]
    pub fn doubtful_of_styles(&self) -> BTreeMap<&str, usize> {
        let mut styles = BTreeMap::new();
        for (style, count) in self.tally.shards().flat_map(|(_, shard)| &shard.doubtful) {
            let sum: &mut usize = styles.entry(style.as_str()).or_default();
            *sum = sum.saturating_add(*count);
        }
        styles
    }

    /// Returns how many items have ended.
    #[must_use]
    pub fn num_ended(&self) -> usize {
        let ended = self.counts.done.saturating_add(self.counts.not_done());
        ended.saturating_sub(self.num_retried)
    }

    /// Returns how many items have still to end.
    #[must_use]
    pub fn num_remaining(&self) -> usize {
        self.num_items.saturating_sub(self.num_ended())
    }

    /// Returns the work that was planned, in milliseconds of a device.
    #[must_use]
    pub fn planned_work(&self) -> f64 {
        self.costs.ms_of(Workload::of_plan(&self.run.plan))
    }

    /// Returns the hours that it took devices and will take them.
    #[must_use]
    pub fn device_hours(&self) -> DeviceHours {
        let evaluations = self.run.record.frozen.method.evaluations();
        DeviceHours::of(&self.counts, self.left, evaluations)
    }

    /// Returns how the run is at a time, while workers have `in_hand` shards of it.
    #[must_use]
    pub fn state(&self, in_hand: usize, now: Timestamp) -> RunState {
        let standing = Standing::of(&self.run, &self.ledger, &self.tally);
        let fate = standing.with_gone(self.gone.paths.len()).fate();
        match (fate, &self.ledger.decisions.halted) {
            (Fate::Complete, _) => return RunState::Complete,
            (Fate::EndedWithLosses, _) => return RunState::Ended,
            (Fate::Damaged, _) => return RunState::Damaged(self.damage()),
            (Fate::Halted, Some(reason)) => return RunState::Halted(reason.clone()),
            // The process that manages it will halt it at its limit.
            (Fate::Halted, None) | (Fate::AtItsLimit | Fate::GoesOn, _) => {}
        }
        if in_hand > 0 || self.grows(now) {
            RunState::Running
        } else if self.spans.is_empty() {
            RunState::Waiting
        } else {
            RunState::Idle
        }
    }

    /// Returns whether shards of it were committed lately: as seen here, or as a clock tells that is set about as this one.
    fn grows(&self, now: Timestamp) -> bool {
        let since = earlier(now, RECENT);
        let first = self.spans.partition_point(|span| span.end <= since);
        let next = self.spans.get(first);
        next.is_some_and(|span| span.end < later(now, RECENT))
            || self.seen_growing.is_some_and(|at| at.elapsed() < RECENT)
    }

    fn damage(&self) -> String {
        let damaged = self.tally.damaged();
        if !damaged.is_empty() {
            format!("damaged: {}", first_of(damaged.values(), "; "))
        } else if self.gone.is_nothing() {
            "its shards do not have the rows that were planned: `synth2real audit` names them"
                .to_owned()
        } else {
            format!("gone: {}", self.gone)
        }
    }

    /// Returns the committed shards and what has ended in those that are in hand, sorted by their ends.
    #[must_use]
    pub fn spans_with(
        &self,
        in_hand: &BTreeMap<ShardId, ShardInHand>,
        now: Timestamp,
    ) -> Vec<Span> {
        let open = self.not_counted(in_hand).map(|(work, shard, ended)| {
            let done = self.costs.ms_of(Workload::of_items(shard, ended));
            Span {
                start: work.since.min(now),
                end: now,
                images: ended,
                made: done,
                ended: done,
            }
        });
        let mut spans: Vec<Span> = self.spans.iter().copied().chain(open).collect();
        // The clock of a worker may be ahead.
        spans.sort_by_key(|span| span.end);
        spans
    }

    /// Returns how many items have ended in shards that are in hand.
    #[must_use]
    pub fn num_ended_in(&self, in_hand: &BTreeMap<ShardId, ShardInHand>) -> usize {
        self.not_counted(in_hand).map(|(_, _, ended)| ended).sum()
    }

    /// Returns how fast the run goes at a time, while workers have `in_hand` of it; none unless it is worked on.
    #[must_use]
    pub fn pace(&self, in_hand: &BTreeMap<ShardId, ShardInHand>, now: Timestamp) -> Option<Pace> {
        match self.state(in_hand.len(), now) {
            RunState::Running => {
                let done = self.not_counted(in_hand);
                let done = done.map(|(_, shard, ended)| Workload::of_items(shard, ended));
                let left = self
                    .left
                    .without(done.fold(Workload::default(), Workload::plus));
                pace::pace(&self.spans_with(in_hand, now), self.costs.ms_of(left), now)
            }
            RunState::Complete
            | RunState::Ended
            | RunState::Damaged(_)
            | RunState::Halted(_)
            | RunState::Waiting
            | RunState::Idle => None,
        }
    }

    /// Returns what is in hand and not committed, with its shard and how many items of it have ended: that of a committed
    /// shard is counted already, and no shard has more items than were planned, whatever its worker says.
    fn not_counted<'a>(
        &'a self,
        in_hand: &'a BTreeMap<ShardId, ShardInHand>,
    ) -> impl Iterator<Item = (&'a ShardInHand, &'a Shard, usize)> {
        let open = in_hand
            .iter()
            .filter(|(shard, _)| match self.state_of(**shard) {
                ShardState::Open | ShardState::Failed { .. } | ShardState::Revising { .. } => true,
                ShardState::Committed | ShardState::RevisionFailed { .. } => false,
            });
        open.filter_map(|(&shard, work)| {
            let planned = self.run.plan.shard(shard)?;
            let ended = planned.num_items().min(work.items_ended as usize);
            Some((work, planned, ended))
        })
    }

    /// Returns where a shard stands.
    #[must_use]
    pub fn state_of(&self, shard: ShardId) -> ShardState {
        self.ledger
            .state(shard, self.run.record.limits.max_attempts)
    }

    /// Returns how a shard is, but for whether a worker has it in hand.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> ShardStatus {
        if self.tally.damaged().contains_key(&shard) {
            return ShardStatus::Damaged;
        }
        match self.state_of(shard) {
            ShardState::Committed | ShardState::RevisionFailed { .. } => {
                match self.tally.shard(shard) {
                    Some(tally) if tally.counts.not_done() > 0 => ShardStatus::Quarantined,
                    Some(_) | None => ShardStatus::Done,
                }
            }
            ShardState::Failed { .. } => ShardStatus::Failed,
            ShardState::Revising { .. } => ShardStatus::Retrying,
            ShardState::Open if self.failed_attempts(shard) > 0 => ShardStatus::Retrying,
            ShardState::Open => ShardStatus::Open,
        }
    }

    /// Returns how many attempts at a shard failed since it was reopened last.
    #[must_use]
    pub fn failed_attempts(&self, shard: ShardId) -> usize {
        let first = self.ledger.first_attempt(shard);
        let attempts = self.ledger.failed_attempts.get(&shard);
        attempts.map_or(0, |numbers| {
            numbers.iter().filter(|&&number| number >= first).count()
        })
    }
}

fn spans(run: &FrozenRun, tally: &Tally, costs: UnitCosts) -> Vec<Span> {
    let span = |(id, shard): (ShardId, &ShardTally)| {
        let planned = run.plan.shard(id)?;
        let converted = shard.counts.converted;
        Some(Span {
            start: shard.started_at?,
            end: shard.finished_at?,
            images: converted,
            made: costs.ms_of(Workload::of_items(planned, converted)),
            ended: costs.ms_of(Workload::of_shard(planned)),
        })
    };
    let mut spans: Vec<Span> = tally.shards().filter_map(span).collect();
    spans.sort_by_key(|span| span.end);
    spans
}

fn styles(run: &FrozenRun, tally: &Tally, failures: &Failures) -> Vec<StyleCounts> {
    let mut styles = vec![StyleCounts::default(); run.plan.styles.len()];
    for shard in &run.plan.shards {
        let (num_contents, committed) = (shard.contents.len(), tally.shard(shard.id));
        let failed = failures.of(shard.id).is_some();
        for &style in &shard.styles {
            let counts = &mut styles[style];
            counts.planned += num_contents;
            if let Some(committed) = committed {
                let name = run.plan.styles[style].name();
                // Styles without losses have no entry.
                let not_done = committed.not_done.get(name).copied().unwrap_or(0);
                counts.quarantined += not_done;
                counts.done += num_contents.saturating_sub(not_done);
            } else if failed {
                counts.failed += num_contents;
            }
        }
    }
    styles
}
