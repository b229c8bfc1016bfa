//! `synth2real cancel`: a run is not worked on any more.

use clap::Args;
use shared::console;
use shared::decision::Decisions;
use shared::ids::RunId;

use super::{CliError, Outcome, RootArgs, setup};
use crate::run::decisions::{self, Resolution};
use crate::run::freeze;

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
}

pub(super) async fn main(args: CancelArgs) -> Result<Outcome, CliError> {
    let storage = setup::storage(&args.root).await?;
    let storage = storage.as_ref();
    freeze::open_record(storage, &args.run)
        .await
        .map_err(setup::freeze_error)?;
    if decisions::has_ended(storage, &args.run).await {
        console::tell(format_args!(
            "run {} has ended: there is nothing to cancel",
            args.run
        ));
        return Ok(Outcome::Done);
    }
    let decisions = Decisions::read(storage, &args.run).await;
    let mut decisions = decisions.map_err(CliError::environment)?;
    let cancelled = decisions::cancel(storage, &args.run, &mut decisions).await;
    if let Resolution::IsHalted(reason) = cancelled.map_err(CliError::environment)? {
        console::tell(format_args!("run {} was halted before: {reason}", args.run));
        return Ok(Outcome::Done);
    }
    console::tell(format_args!(
        "run {} is cancelled: workers finish the image in hand and drop its shards; `resume` takes it up again",
        args.run
    ));
    Ok(Outcome::Done)
}
