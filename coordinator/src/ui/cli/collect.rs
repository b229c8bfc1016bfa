//! `synth2real collect`: manifest and report of a run, made of what is committed.

use clap::Args;
use shared::ids::RunId;

use super::{CliError, Outcome, RootArgs, ending, setup};
use crate::run::policy::Fate;

#[derive(Debug, Args)]
pub(super) struct CollectArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
}

pub(super) async fn main(args: CollectArgs) -> Result<Outcome, CliError> {
    let root = setup::location(&args.root)?;
    let storage = setup::storage(&args.root).await?;
    let run = setup::run(storage.as_ref(), &args.run).await?;
    Ok(match ending::close(storage.as_ref(), run, &root).await? {
        Fate::Complete => Outcome::Done,
        Fate::EndedWithLosses | Fate::Damaged | Fate::Halted | Fate::AtItsLimit | Fate::GoesOn => {
            Outcome::WithFailures
        }
    })
}
