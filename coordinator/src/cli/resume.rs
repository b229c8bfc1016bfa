//! `synth2real resume`: publish again what storage says is missing or failed.

use clap::{Args, ValueEnum};
use shared::console::{self, PrintError};
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::queue::Queue;

use super::{Ending, Problem, RootArgs, opening};
use crate::estimate::Estimate;
use crate::freeze::FrozenRun;
use crate::progress::CountProgress;
use crate::resume::{self, Choice, Only, Redo, ResumeError};
use crate::tally::{self, Counts};

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
    /// Only shards that are not committed or whose images are gone, or only shards that failed for good
    #[arg(long, value_enum)]
    only: Option<OnlyArg>,
    /// Only shards with this style; may be given several times
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
}

impl From<OnlyArg> for Only {
    fn from(only: OnlyArg) -> Self {
        match only {
            OnlyArg::Missing => Self::Missing,
            OnlyArg::Failed => Self::Failed,
        }
    }
}

pub(super) async fn main(args: ResumeArgs) -> Result<Ending, Problem> {
    let storage = opening::storage(&args.root).await?;
    let storage = storage.as_ref();
    let run = opening::run(storage, &args.run).await?;
    let mut ledger = opening::ledger(storage, &args.run).await?;
    let choice = Choice {
        only: args.only.map(Only::from),
        styles: args.styles,
        shards: args.shards,
    };
    let redo = resume::find(storage, &run, &ledger, &choice)
        .await
        .map_err(problem)?;
    let broker = opening::broker_of_environment()?;
    if args.dry_run {
        let counts = tally::count(storage, &run, &ledger)
            .await
            .map_err(Problem::environment)?;
        let queue = match &broker {
            Some(broker) => shared::queue::open(broker).await.ok(),
            None => None,
        };
        preview(&run, &redo, &counts, queue.as_deref()).await?;
        return Ok(Ending::Done);
    }
    if redo.is_empty() {
        console::tell(format_args!("run {}: nothing to do again", args.run));
        return Ok(Ending::Done);
    }
    let queue = opening::queue(broker.as_ref()).await?;
    let progress = CountProgress::new(redo.len(), "shards published");
    resume::publish(storage, queue.as_ref(), &run, &mut ledger, &redo, |count| {
        progress.reached(count);
    })
    .await
    .map_err(problem)?;
    progress.finish();
    console::tell(format_args!(
        "run {}: {} shards with {} items published to {}",
        args.run,
        redo.len(),
        resume::num_items(&redo),
        queue.locate()
    ));
    Ok(Ending::Done)
}

fn problem(error: ResumeError) -> Problem {
    match error {
        ResumeError::Unknown { .. } => Problem::usage(error),
        ResumeError::Queue(_) => Problem::Environment(format!("{}; resume again", chain(&error))),
        ResumeError::Storage(_) | ResumeError::Ledger(_) | ResumeError::Decision(_) => {
            Problem::environment(error)
        }
    }
}

async fn preview(
    run: &FrozenRun,
    redo: &[Redo],
    counts: &Counts,
    queue: Option<&dyn Queue>,
) -> Result<(), PrintError> {
    for redo in redo {
        console::print(format_args!(
            "shard {}, {} items: {}",
            redo.shard, redo.num_items, redo.why
        ))?;
    }
    let num_items = resume::num_items(redo);
    let estimate = Estimate::of(num_items, counts, queue).await;
    console::print(format_args!(
        "run {}: {} shards with {num_items} items would be done again; {estimate}",
        run.record.run,
        redo.len(),
    ))
}
