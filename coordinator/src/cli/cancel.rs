//! `synth2real cancel`: nobody works on a run any more.

use clap::Args;
use shared::console;
use shared::decision::{Decided, Decisions};
use shared::ids::RunId;

use super::{Ending, Problem, RootArgs, opening};
use crate::freeze;

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
}

pub(super) async fn main(args: CancelArgs) -> Result<Ending, Problem> {
    let storage = opening::storage(&args.root).await?;
    let storage = storage.as_ref();
    freeze::open_record(storage, &args.run)
        .await
        .map_err(opening::freeze_problem)?;
    let decisions = Decisions::read(storage, &args.run).await;
    let mut decisions = decisions.map_err(Problem::environment)?;
    if let Some(reason) = &decisions.halted {
        console::tell(format_args!("run {} was halted before: {reason}", args.run));
        return Ok(Ending::Done);
    }
    let halt = Decided::Halt {
        reason: "cancelled".to_owned(),
    };
    decisions
        .decide(storage, &args.run, halt)
        .await
        .map_err(Problem::environment)?;
    console::tell(format_args!(
        "run {} is cancelled: workers finish the image in hand and drop its shards; `resume` takes it up again",
        args.run
    ));
    Ok(Ending::Done)
}
