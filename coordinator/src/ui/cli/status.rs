//! `synth2real status`: how far a run is, from storage alone; and how many shards wait, if a broker is named.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use shared::console::{self, PrintError};
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::json;
use shared::queue::{self, Depth, WorkQueue};
use shared::settings::BrokerConfig;
use shared::storage::Storage;
use shared::warning::WarningKind;
use shared::wording::{MOST_NAMES, counted, human};

use super::{CliError, Outcome, RootArgs, setup};
use crate::run::cost::{UnitCosts, Workload};
use crate::run::freeze::FrozenRun;
use crate::run::gone::{self, Gone};
use crate::run::ledger::{Ledger, ShardState};
use crate::run::policy::{Fate, Standing};
use crate::run::stored_items::StoredItems;
use crate::run::tally::{self, Counts, Tally};
use crate::work::collector::pace;

/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Runs with more items are not searched for images of shards under way: that takes a listing of all images.
const MAX_ITEMS_LISTED: usize = 20_000;

/// What helps where images, labels or predictions are gone.
const MAKES_AGAIN: &str = "`synth2real run` with its settings makes them again, or `resume --only missing` by way of the broker";

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
    /// Show it again every two seconds until the run has ended or is halted
    #[arg(long)]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Status {
    run: RunId,
    #[serde(skip)]
    fate: Fate,
    /// Whether every planned item has ended, and everything that is done is there.
    complete: bool,
    /// Why it is not worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    halted: Option<String>,
    items: usize,
    done: usize,
    quarantined: usize,
    /// Quarantined items that are to be tried again.
    retried: usize,
    failed: usize,
    /// What is left to be made, as images that take as long as those that were.
    #[serde(skip)]
    images_left: f64,
    /// Images, labels and predictions of committed shards that are gone, once every shard has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<usize>,
    #[serde(skip)]
    what_is_gone: Gone,
    /// Shards whose files cannot be read, with what helps: they count as not done.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    damaged: BTreeMap<ShardId, String>,
    /// Images of shards that are not committed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_progress: Option<usize>,
    shards: usize,
    shards_committed: usize,
    shards_failed: usize,
    failed_attempts: usize,
    /// What waits at the broker, if one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<BrokerStatus>,
    reasons: BTreeMap<String, usize>,
    /// Items that are done with a warning of each kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    warnings: BTreeMap<WarningKind, usize>,
    /// Items that are done and whose labels are doubtful; none where no share of agreement is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubtful: Option<usize>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum BrokerStatus {
    Answers {
        /// Messages waiting, of all runs.
        ready: u64,
        /// Dead letters waiting for `serve`.
        dead_letters: u64,
        /// Workers connected.
        workers: u64,
    },
    Silent {
        /// Why it says nothing.
        error: String,
    },
}

impl BrokerStatus {
    fn told(&self) -> String {
        match *self {
            Self::Answers {
                ready,
                dead_letters: dead,
                workers: consumers,
            } => {
                let depth = Depth {
                    ready,
                    dead,
                    consumers,
                };
                let dead = usize::try_from(dead).unwrap_or(usize::MAX);
                format!("{depth}, {}", counted(dead, "dead letter", "dead letters"))
            }
            Self::Silent { ref error } => error.clone(),
        }
    }
}

/// Returns what is left to be made of a run, as images that take as long as those that were: others share their contents
/// with more or fewer.
fn images_left(run: &FrozenRun, ledger: &Ledger, tally: &Tally, counts: &Counts) -> f64 {
    let left = Workload::left_by(run, ledger, tally);
    match UnitCosts::of(counts, run.record.frozen.method.evaluations()) {
        Some(costs) => costs.ms_of(left) * counts.converted as f64 / counts.busy_ms,
        None => left.outputs,
    }
}

/// Asks the broker, which may be away: how far a run is does not depend on it.
async fn ask(broker: &BrokerConfig, queue: &mut Option<Arc<dyn WorkQueue>>) -> BrokerStatus {
    let asked = async {
        let queue = match queue {
            Some(queue) => queue,
            none => none.insert(queue::open(broker).await?.work),
        };
        queue.depth().await
    };
    match asked.await {
        Ok(depth) => BrokerStatus::Answers {
            ready: depth.ready,
            dead_letters: depth.dead,
            workers: depth.consumers,
        },
        Err(error) => BrokerStatus::Silent {
            error: chain(&error),
        },
    }
}

pub(super) async fn main(args: StatusArgs) -> Result<Outcome, CliError> {
    let storage = setup::storage(&args.root).await?;
    let storage = storage.as_ref();
    let run = setup::run(storage, &args.run).await?;
    let broker = setup::broker_of_environment()?;
    let mut queue = None;
    let stored = Tally::stored(storage, &args.run).await;
    let mut tally = stored.map_err(CliError::environment)?;
    let mut first = None;
    loop {
        let mut status = read(storage, &run, &mut tally).await?;
        if let Some(broker) = &broker {
            status.broker = Some(ask(broker, &mut queue).await);
        }
        let (began, done_then) = *first.get_or_insert((Instant::now(), status.done));
        let rate =
            (status.done - done_then.min(status.done)) as f64 / began.elapsed().as_secs_f64();
        print(&status, args.json, rate)?;
        let waits = match status.fate {
            Fate::GoesOn | Fate::AtItsLimit => args.watch,
            Fate::Complete | Fate::EndedWithLosses | Fate::Damaged | Fate::Halted => false,
        };
        if !waits {
            return Ok(outcome(&status));
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

/// Returns the outcome: failures where something failed or is gone, or where the run does not go on.
fn outcome(status: &Status) -> Outcome {
    match status.fate {
        Fate::EndedWithLosses | Fate::Damaged | Fate::Halted | Fate::AtItsLimit => {
            Outcome::WithFailures
        }
        Fate::GoesOn
            if status.quarantined > 0 || status.failed > 0 || !status.damaged.is_empty() =>
        {
            Outcome::WithFailures
        }
        Fate::GoesOn | Fate::Complete => Outcome::Done,
    }
}

async fn read(
    storage: &dyn Storage,
    run: &FrozenRun,
    tally: &mut Tally,
) -> Result<Status, CliError> {
    let id = &run.record.run;
    let ledger = setup::ledger(storage, run).await?;
    tally
        .update(storage, run, &ledger)
        .await
        .map_err(CliError::environment)?;
    let counts = tally
        .total_with_failed(storage, run, &ledger)
        .await
        .map_err(CliError::environment)?;
    let retried = ledger.retried(run.record.limits.max_attempts);
    let retried = retried.map(|(_, items)| items).sum();
    let standing = Standing::of(run, &ledger, tally);
    // That a run is complete is said only of what is there.
    let gone = if standing.fate().has_ended() {
        let gone = gone::of_run(storage, run, &ledger, tally).await;
        gone.map_err(CliError::environment)?
    } else {
        Gone::default()
    };
    let fate = standing.with_gone(gone.paths.len()).fate();
    Ok(Status {
        run: id.clone(),
        fate,
        complete: fate.is_complete(),
        halted: ledger.decisions.halted.clone(),
        gone: Some(gone.paths.len()).filter(|&count| count > 0),
        what_is_gone: gone,
        damaged: tally.damaged().clone(),
        items: standing.num_items,
        done: counts.done,
        quarantined: counts.quarantined,
        retried,
        failed: counts.failed,
        images_left: images_left(run, &ledger, tally, &counts),
        in_progress: in_progress(storage, run, &ledger).await?,
        shards: run.plan.shards.len(),
        shards_committed: ledger.committed.len() - tally.damaged().len(),
        shards_failed: num_failed(run, &ledger),
        failed_attempts: ledger.num_failed_attempts(),
        broker: None,
        reasons: counts.reasons,
        warnings: counts.warning_kinds,
        doubtful: run.has_predictions().then_some(counts.doubtful),
    })
}

fn num_failed(run: &FrozenRun, ledger: &Ledger) -> usize {
    let max_attempts = run.record.limits.max_attempts;
    let failed = |shard| matches!(ledger.state(shard, max_attempts), ShardState::Failed { .. });
    ledger
        .failed_attempts
        .keys()
        .filter(|&&shard| failed(shard))
        .count()
}

/// Counts the images of shards that are not committed, where listing all images is quick.
async fn in_progress(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Option<usize>, CliError> {
    if run.plan.num_items() > MAX_ITEMS_LISTED {
        return Ok(None);
    }
    let open = |shard: &&crate::run::plan::Shard| !ledger.committed.contains(&shard.id);
    if !run.plan.shards.iter().any(|shard| open(&shard)) {
        return Ok(Some(0));
    }
    let stored = StoredItems::read(storage, run)
        .await
        .map_err(CliError::environment)?;
    let items = run
        .plan
        .shards
        .iter()
        .filter(open)
        .flat_map(crate::run::plan::Shard::items);
    Ok(Some(items.filter(|&item| stored.has_image(item)).count()))
}

fn print(status: &Status, json: bool, items_per_second: f64) -> Result<(), PrintError> {
    if json {
        return console::print_json(&json::line(status));
    }
    let state = match status.fate {
        Fate::Complete | Fate::EndedWithLosses => "complete".to_owned(),
        Fate::Damaged => "damaged".to_owned(),
        Fate::Halted => match &status.halted {
            Some(reason) => format!("halted ({reason})"),
            None => "halted".to_owned(),
        },
        Fate::AtItsLimit | Fate::GoesOn => "incomplete".to_owned(),
    };
    let in_progress = status.in_progress.map_or_else(String::new, |count| {
        format!(", {count} images in the making")
    });
    let retried = match status.retried {
        0 => String::new(),
        retried => format!(" ({retried} to be tried again)"),
    };
    console::print(format_args!(
        "run {} is {state}: {} of {} items done, {} quarantined{retried}, {} failed{in_progress}; \
         {} of {} shards committed, {} failed, {} failed attempts",
        status.run,
        status.done,
        status.items,
        status.quarantined,
        status.failed,
        status.shards_committed,
        status.shards,
        status.shards_failed,
        status.failed_attempts
    ))?;
    if !status.what_is_gone.is_nothing() {
        console::print(format_args!(
            "  gone: {}; {}",
            status.what_is_gone,
            status.what_is_gone.what_helps(MAKES_AGAIN)
        ))?;
    }
    for why in status.damaged.values().take(MOST_NAMES) {
        console::print(format_args!("  damaged: {why}"))?;
    }
    if status.damaged.len() > MOST_NAMES {
        let others = status.damaged.len() - MOST_NAMES;
        let others = counted(others, "other shard", "other shards");
        console::print(format_args!("  damaged: {others}"))?;
    }
    if let Some(broker) = &status.broker {
        console::print(format_args!("  broker: {}", broker.told()))?;
    }
    if items_per_second > 0.0 && !status.complete {
        let per_minute = 60.0 * items_per_second;
        let eta = pace::left(status.images_left, per_minute);
        let eta = eta.map_or_else(String::new, |left| format!(", ETA {}", human(left)));
        console::print(format_args!("  {per_minute:.1} images/min{eta}"))?;
    }
    for (kind, count) in &status.warnings {
        console::print(format_args!("  done with a warning ({count}): {kind}"))?;
    }
    if let Some(line) = tally::doubtful_line(status.doubtful.unwrap_or_default()) {
        console::print(format_args!("  {line}"))?;
    }
    for line in tally::reason_lines(&status.reasons) {
        console::print(format_args!("  {line}"))?;
    }
    Ok(())
}
