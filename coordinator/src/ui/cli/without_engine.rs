//! The commands that compute, in a program that was built without the engine.

use std::ffi::OsString;

use clap::Args;

use super::{CliError, Outcome};

/// Whatever the command was given.
#[derive(Debug, Args)]
pub(super) struct AnyArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _given: Vec<OsString>,
}

pub(super) use AnyArgs as ProbeArgs;
pub(super) use AnyArgs as ReferenceStatsArgs;
pub(super) use AnyArgs as RunArgs;
pub(super) use AnyArgs as TransferArgs;

/// Says where the command is to be found.
pub(super) async fn main(_: AnyArgs) -> Result<Outcome, CliError> {
    Err(CliError::Environment(
        "this synth2real was built without the engine, which run, transfer, probe and reference-stats need: take one that \
         was built with it (cargo build -p coordinator), or `synth2real launch CONFIG` and a worker"
            .to_owned(),
    ))
}
