//! What the collector sees, as gauges for Prometheus. Those of a run last as long as it is watched.

use std::time::Duration;

use jiff::Timestamp;
use shared::clock::{Clock, SystemClock};
use shared::metrics::{self, Gauge, names};
use shared::queue::Depth;

use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, ShardState};
use crate::run::policy::Fate;
use crate::run::tally::Counts;

/// The gauges of one run.
#[derive(Debug, Default)]
pub(super) struct RunGauges(Option<Seen>);

/// A run as it was seen last.
#[derive(Debug)]
struct Seen {
    run: String,
    items: [(&'static str, usize); 4],
    shards: [(&'static str, usize); 3],
    attempts_failed: usize,
    converted: usize,
    unet_evaluations: f64,
    work_seconds: f64,
    is_halted: bool,
    is_complete: bool,
    last_commit: Timestamp,
    last_decision: Timestamp,
}

impl Seen {
    fn of(run: &FrozenRun, ledger: &Ledger, counts: &Counts, fate: Fate) -> Self {
        let now = SystemClock.now();
        let max_attempts = run.record.limits.max_attempts;
        let (mut committed, mut failed, mut open) = (0, 0, 0);
        for shard in &run.plan.shards {
            match ledger.state(shard.id, max_attempts) {
                ShardState::Committed | ShardState::RevisionFailed { .. } => committed += 1,
                ShardState::Failed { .. } => failed += 1,
                ShardState::Open | ShardState::Revising { .. } => open += 1,
            }
        }
        let ended = counts.done.saturating_add(counts.not_done());
        Self {
            run: run.record.run.to_string(),
            items: [
                ("done", counts.done),
                ("quarantined", counts.quarantined),
                ("failed", counts.failed),
                ("pending", run.plan.num_items().saturating_sub(ended)),
            ],
            shards: [("committed", committed), ("failed", failed), ("open", open)],
            attempts_failed: ledger.num_failed_attempts(),
            converted: counts.converted,
            unet_evaluations: counts.unet_evaluations,
            work_seconds: counts.busy_ms / 1000.0,
            is_halted: ledger.decisions.halted.is_some(),
            is_complete: fate.is_complete(),
            last_commit: now,
            // 0 where nothing was decided.
            last_decision: ledger.decisions.last_at.unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Returns what is shown of the run.
    fn gauges(&self) -> Vec<(Gauge, f64)> {
        let run = self.run.as_str();
        let items = self
            .items
            .map(|(state, count)| (names::RUN_ITEMS.gauge([run, state]), count as f64));
        let shards = self
            .shards
            .map(|(state, count)| (names::RUN_SHARDS.gauge([run, state]), count as f64));
        let truth = |is_so: bool| f64::from(u8::from(is_so));
        let time = |at: Timestamp| at.as_second() as f64;
        let others = [
            (names::RUN_ATTEMPTS_FAILED, self.attempts_failed as f64),
            (names::RUN_ITEMS_CONVERTED, self.converted as f64),
            (names::RUN_UNET_EVALUATIONS, self.unet_evaluations),
            (names::RUN_WORK_SECONDS, self.work_seconds),
            (names::RUN_HALTED, truth(self.is_halted)),
            (names::RUN_COMPLETE, truth(self.is_complete)),
            (names::RUN_LAST_COMMIT, time(self.last_commit)),
            (names::RUN_LAST_DECISION, time(self.last_decision)),
        ];
        let others = others.map(|(metric, value)| (metric.gauge([run]), value));
        items.into_iter().chain(shards).chain(others).collect()
    }
}

impl RunGauges {
    /// Takes note of what storage says about the run now.
    pub(super) fn update(&mut self, run: &FrozenRun, ledger: &Ledger, counts: &Counts, fate: Fate) {
        let mut seen = Seen::of(run, ledger, counts, fate);
        if let Some(before) = &self.0
            && before.shards[0] == seen.shards[0]
        {
            seen.last_commit = before.last_commit;
        }
        self.0 = Some(seen);
    }
}

impl Drop for RunGauges {
    fn drop(&mut self) {
        for (gauge, _) in self.0.iter().flat_map(Seen::gauges) {
            metrics::forget(&gauge);
        }
    }
}

/// Sets the gauges of the runs after a poll of all of them.
pub(super) fn set_polled<'a>(runs: impl Iterator<Item = &'a RunGauges>, elapsed: Duration) {
    let seen = runs.filter_map(|run| run.0.as_ref());
    for (gauge, value) in seen.flat_map(Seen::gauges) {
        gauge.set(value);
    }
    let seconds = names::COLLECTOR_LOOK_SECONDS.histogram([]);
    seconds.record(elapsed.as_secs_f64());
    set_last_poll();
}

/// Sets that every run was polled just now, or that a collector starts.
pub(crate) fn set_last_poll() {
    let now = SystemClock.now().as_second() as f64;
    names::COLLECTOR_LAST_LOOK.gauge([]).set(now);
}

/// Sets how many messages wait; nothing if the broker does not say.
pub(super) fn set_broker(depth: Option<&Depth>) {
    let reachable = f64::from(u8::from(depth.is_some()));
    names::QUEUE_REACHABLE.gauge([]).set(reachable);
    for (metric, count) in [
        (names::QUEUE_SHARDS_READY, depth.map(|depth| depth.ready)),
        (names::QUEUE_DEAD_LETTERS, depth.map(|depth| depth.dead)),
        (names::QUEUE_WORKERS, depth.map(|depth| depth.consumers)),
    ] {
        let gauge = metric.gauge([]);
        match count {
            Some(count) => gauge.set(count as f64),
            None => metrics::forget(&gauge),
        }
    }
}

/// Counts a dead letter that was taken note of.
pub(super) fn count_dead_letter() {
    names::COLLECTOR_DEAD_LETTERS.counter([]).increment(1);
}
