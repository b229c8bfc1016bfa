//! `synth2real resume`: publish again what storage says is missing or failed, or what is quarantined.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use shared::console::{self, PrintError};
use shared::failure::{FailureClass, chain};
use shared::ids::{RunId, ShardId};
use shared::queue::WorkQueue;
use shared::settings::BrokerConfig;
use shared::storage::Storage;
use shared::wording::counted;

use super::{CliError, Outcome, RootArgs, setup};
use crate::run::estimate::Estimate;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Ledger;
use crate::run::redo::Redo;
use crate::run::tally::{Counts, Tally};
use crate::ui::progress::CountProgress;
use crate::work::resume::{self, Choice, Only, Quarantined, ResumeError};

/// Shards that are told with a line each.
const MOST_LINES: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
    /// Only shards that are not committed or whose images are gone, only shards that failed for good, or the items that
    /// are quarantined: those of inputs that were mended or have come back
    #[arg(long, value_enum)]
    only: Option<OnlyArg>,
    /// With --only quarantined: only items of this class
    #[arg(long, value_enum, value_name = "CLASS")]
    reason: Option<ReasonArg>,
    /// With --only quarantined: only items whose reason has this in it, such as the name of a file
    #[arg(long, value_name = "TEXT")]
    reason_contains: Option<String>,
    /// Only shards with this style, and only its quarantined items; may be given several times
    #[arg(long = "style", value_name = "S")]
    styles: Vec<String>,
    /// Only this shard; may be given several times
    #[arg(long = "shard", value_name = "K")]
    shards: Vec<ShardId>,
    /// Print what would be done again, why and how long that takes; publish nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnlyArg {
    Missing,
    Failed,
    Quarantined,
}

/// The classes that items are quarantined with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReasonArg {
    BadInput,
    Missing,
    Changed,
    BadOutput,
}

impl From<ReasonArg> for FailureClass {
    fn from(reason: ReasonArg) -> Self {
        match reason {
            ReasonArg::BadInput => Self::BadInput,
            ReasonArg::Missing => Self::Missing,
            ReasonArg::Changed => Self::Changed,
            ReasonArg::BadOutput => Self::BadOutput,
        }
    }
}

/// Returns what is to be done again.
fn choice(args: &ResumeArgs) -> Result<Choice, CliError> {
    let wanted = Quarantined {
        class: args.reason.map(FailureClass::from),
        reason: args.reason_contains.clone(),
    };
    let only = match args.only {
        Some(OnlyArg::Quarantined) => Some(Only::Quarantined(wanted)),
        None | Some(OnlyArg::Missing | OnlyArg::Failed) if wanted != Quarantined::default() => {
            return Err(CliError::Usage(
                "--reason and --reason-contains choose among quarantined items: give --only quarantined with them"
                    .to_owned(),
            ));
        }
        Some(OnlyArg::Missing) => Some(Only::Missing),
        Some(OnlyArg::Failed) => Some(Only::Failed),
        None => None,
    };
    Ok(Choice {
        only,
        styles: args.styles.clone(),
        shards: args.shards.clone(),
    })
}

pub(super) async fn main(args: ResumeArgs) -> Result<Outcome, CliError> {
    let storage = setup::storage(&args.root).await?;
    let storage = storage.as_ref();
    let run = setup::run(storage, &args.run).await?;
    let mut ledger = setup::ledger(storage, &run).await?;
    let choice = choice(&args)?;
    let redo = resume::find(storage, &run, &ledger, &choice)
        .await
        .map_err(cli_error)?;
    let damaged = resume::damaged(storage, &run, &ledger, &choice)
        .await
        .map_err(cli_error)?;
    let lines = damaged.iter().take(MOST_LINES);
    for (shard, why) in lines {
        console::print(format_args!("shard {shard}: {why}"))?;
    }
    print_more(damaged.len(), "damaged")?;
    // What is to be removed first is not done again.
    let done = match damaged.is_empty() {
        true => Outcome::Done,
        false => Outcome::WithFailures,
    };
    let broker = setup::broker_of_environment()?;
    if args.dry_run {
        let counts = counts(storage, &run, &ledger).await?;
        let queue = match &broker {
            Some(broker) => queue_to_ask(broker).await,
            None => None,
        };
        preview(&run, &redo, &counts, queue.as_deref()).await?;
        // What would be refused is told now.
        let _ = resume::changed_inputs(storage, &run, &ledger, &redo)
            .await
            .map_err(cli_error)?;
        return Ok(done);
    }
    if redo.is_empty() {
        console::tell(format_args!("run {}: nothing to do again", args.run));
        return Ok(done);
    }
    let is_retry = matches!(choice.only, Some(Only::Quarantined(_)));
    if is_retry && broker.is_none() {
        let changed = resume::changed_inputs(storage, &run, &ledger, &redo)
            .await
            .map_err(cli_error)?;
        resume::decide(storage, &run, &mut ledger, &redo, changed)
            .await
            .map_err(cli_error)?;
        console::tell(format_args!(
            "run {}: {} items of {} shards are to be tried again: the next `synth2real run CONFIG` makes them, or \
             `launch CONFIG` with a broker",
            args.run,
            resume::num_items(&redo),
            redo.len()
        ));
        return Ok(done);
    }
    let queue = setup::broker(broker.as_ref()).await?.work;
    let progress = CountProgress::new(redo.len(), "shards published");
    let publisher = resume::Publisher {
        storage,
        queue: queue.as_ref(),
        run: &run,
    };
    publisher
        .publish(&mut ledger, &redo, |count| progress.reached(count))
        .await
        .map_err(cli_error)?;
    progress.finish();
    console::tell(format_args!(
        "run {}: {} shards with {} items published to {}",
        args.run,
        redo.len(),
        resume::num_items(&redo),
        queue.locate()
    ));
    Ok(done)
}

/// Returns the queue that tells how many workers wait; none if it cannot be reached, as an estimate needs no broker.
async fn queue_to_ask(broker: &BrokerConfig) -> Option<Arc<dyn WorkQueue>> {
    match shared::queue::open(broker).await {
        Ok(broker) => Some(broker.work),
        Err(error) => {
            tracing::debug!(
                error = chain(&error),
                "the broker does not tell how many workers wait"
            );
            None
        }
    }
}

/// Returns what is counted of the shards that can be read.
async fn counts(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Counts, CliError> {
    let counted = async {
        let mut tally = Tally::stored(storage, &run.record.run).await?;
        tally.update(storage, run, ledger).await?;
        tally.total_with_failed(storage, run, ledger).await
    };
    counted.await.map_err(CliError::environment)
}

fn cli_error(error: ResumeError) -> CliError {
    match error {
        ResumeError::Changed(error) => setup::change_error(error),
        ResumeError::Unknown { .. } => CliError::usage(error),
        ResumeError::Queue(_) => CliError::Environment(format!("{}; resume again", chain(&error))),
        ResumeError::Storage(_) | ResumeError::Ledger(_) | ResumeError::Decision(_) => {
            CliError::environment(error)
        }
    }
}

/// Says how many shards have no line of their own.
fn print_more(count: usize, are: &str) -> Result<(), PrintError> {
    match count.checked_sub(MOST_LINES) {
        Some(more @ 1..) => console::print(format_args!(
            "and {} {are}",
            counted(more, "more shard", "more shards")
        )),
        Some(0) | None => Ok(()),
    }
}

async fn preview(
    run: &FrozenRun,
    redo: &[Redo],
    counts: &Counts,
    queue: Option<&dyn WorkQueue>,
) -> Result<(), PrintError> {
    for redo in redo.iter().take(MOST_LINES) {
        console::print(format_args!(
            "shard {}, {} items: {}",
            redo.shard, redo.num_items, redo.why
        ))?;
    }
    print_more(redo.len(), "to be done again")?;
    let num_items = resume::num_items(redo);
    let estimate = Estimate::of(num_items, counts, queue).await;
    console::print(format_args!(
        "run {}: {} shards with {num_items} items would be done again; {estimate}",
        run.record.run,
        redo.len(),
    ))
}
