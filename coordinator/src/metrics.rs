//! What the collector sees, for Prometheus.
//!
//! Gauges are set at every look, changed or not: those of a run that is gone are set no more, and are forgotten.

use std::time::Duration;

use jiff::Timestamp;
use shared::metrics::names;
use shared::queue::Depth;

use crate::freeze::FrozenRun;
use crate::ledger::{Ledger, ShardState};
use crate::tally::Counts;

/// How long a gauge is kept that nobody sets, at least.
const FORGET_AFTER: Duration = Duration::from_secs(300);

/// Returns how long a gauge is kept that nobody sets, if there is a look every so often.
#[must_use]
pub fn forget_after(every: Duration) -> Duration {
    FORGET_AFTER.max(3 * every)
}

/// What is shown of one run.
#[derive(Debug, Default)]
pub struct RunGauges(Option<Seen>);

/// A run as it was seen last.
#[derive(Debug)]
struct Seen {
    run: String,
    items: [(&'static str, usize); 4],
    shards: [(&'static str, usize); 3],
    attempts_failed: usize,
    unet_evaluations: f64,
    work_seconds: f64,
    is_halted: bool,
    is_complete: bool,
    last_commit: Timestamp,
}

impl Seen {
    fn of(run: &FrozenRun, ledger: &Ledger, counts: &Counts, now: Timestamp) -> Self {
        let max_attempts = run.record.limits.max_attempts;
        let (mut committed, mut failed, mut open) = (0, 0, 0);
        for shard in &run.plan.shards {
            match ledger.state(shard.id, max_attempts) {
                ShardState::Committed => committed += 1,
                ShardState::Failed { .. } => failed += 1,
                ShardState::Open => open += 1,
            }
        }
        let ended = counts.done + counts.not_done();
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
            unet_evaluations: counts.unet_evaluations,
            work_seconds: counts.busy_ms / 1000.0,
            is_halted: ledger.decisions.halted.is_some(),
            is_complete: open == 0,
            last_commit: now,
        }
    }

    fn show(&self) {
        let run = self.run.as_str();
        for (state, count) in self.items {
            names::RUN_ITEMS.gauge([run, state]).set(count as f64);
        }
        for (state, count) in self.shards {
            names::RUN_SHARDS.gauge([run, state]).set(count as f64);
        }
        let truth = |is_so: bool| f64::from(u8::from(is_so));
        for (metric, value) in [
            (names::RUN_ATTEMPTS_FAILED, self.attempts_failed as f64),
            (names::RUN_UNET_EVALUATIONS, self.unet_evaluations),
            (names::RUN_WORK_SECONDS, self.work_seconds),
            (names::RUN_HALTED, truth(self.is_halted)),
            (names::RUN_COMPLETE, truth(self.is_complete)),
            (names::RUN_LAST_COMMIT, self.last_commit.as_second() as f64),
        ] {
            metric.gauge([run]).set(value);
        }
    }
}

impl RunGauges {
    /// Takes note of what storage says about the run now.
    pub fn update(&mut self, run: &FrozenRun, ledger: &Ledger, counts: &Counts) {
        let mut seen = Seen::of(run, ledger, counts, Timestamp::now());
        if let Some(before) = &self.0
            && before.shards[0] == seen.shards[0]
        {
            seen.last_commit = before.last_commit;
        }
        self.0 = Some(seen);
    }
}

/// Shows the runs after a look at all of them.
pub fn looked<'a>(runs: impl Iterator<Item = &'a RunGauges>, elapsed: Duration) {
    runs.filter_map(|run| run.0.as_ref()).for_each(Seen::show);
    let seconds = names::COLLECTOR_LOOK_SECONDS.histogram([]);
    seconds.record(elapsed.as_secs_f64());
    let now = Timestamp::now().as_second() as f64;
    names::COLLECTOR_LAST_LOOK.gauge([]).set(now);
}

/// Shows how many messages wait; nothing if the broker does not say.
pub fn broker_said(depth: Option<&Depth>) {
    let reachable = names::QUEUE_REACHABLE.gauge([]);
    let Some(depth) = depth else {
        reachable.set(0.0);
        return;
    };
    reachable.set(1.0);
    for (metric, count) in [
        (names::QUEUE_SHARDS_READY, depth.ready),
        (names::QUEUE_DEAD_LETTERS, depth.dead),
        (names::QUEUE_WORKERS, depth.consumers),
    ] {
        metric.gauge([]).set(count as f64);
    }
}

/// Counts a dead letter that was taken note of.
pub fn dead_letter() {
    names::COLLECTOR_DEAD_LETTERS.counter([]).increment(1);
}
