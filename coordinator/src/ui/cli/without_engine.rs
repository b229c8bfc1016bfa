//! The commands that compute, in a program that was built without the engine.

use std::ffi::OsString;

use clap::Args;

use super::{CliError, Outcome};

/// All that the command was given.
#[derive(Debug, Args)]
pub(super) struct AnyArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _given: Vec<OsString>,
}

#[cfg(not(feature = "embedded"))]
pub(super) use AnyArgs as CompareArgs;
#[cfg(not(feature = "embedded"))]
pub(super) use AnyArgs as DemoArgs;
#[cfg(not(feature = "embedded"))]
pub(super) use AnyArgs as PriorsArgs;
#[cfg(not(feature = "embedded"))]
pub(super) use AnyArgs as ProbeArgs;
#[cfg(not(feature = "embedded"))]
pub(super) use AnyArgs as ReferenceStatsArgs;
#[cfg(not(feature = "embedded"))]
pub(super) use AnyArgs as RunArgs;
#[cfg(not(feature = "embedded"))]
pub(super) use AnyArgs as TransferArgs;

/// Says where the command is to be found.
pub(super) async fn main(_: AnyArgs) -> Result<Outcome, CliError> {
    Err(CliError::Environment(
        "this synth2real was built without the engine, which run, demo, transfer, probe, compare, priors and reference-stats \
         need: take one that was built with it (cargo build -p coordinator), or `synth2real launch CONFIG` and a worker"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    #[cfg(not(feature = "embedded"))]
    use clap::CommandFactory;

    use super::*;
    #[cfg(not(feature = "embedded"))]
    use crate::ui::cli::Cli;

    #[cfg(not(feature = "embedded"))]
    #[test]
    fn the_help_of_each_command_that_computes_says_that_it_needs_the_engine() {
        let program = Cli::command();
        for name in [
            "run",
            "demo",
            "transfer",
            "probe",
            "compare",
            "priors",
            "reference-stats",
        ] {
            let command = program.find_subcommand(name).unwrap();
            let about = command.get_about().unwrap().to_string();
            assert!(about.contains("(needs the engine"), "{name}: {about}");
        }
        let launch = program.find_subcommand("launch").unwrap();
        let about = launch.get_about().unwrap().to_string();
        assert!(!about.contains("engine"), "{about}");
    }

    #[tokio::test]
    async fn a_command_that_computes_says_what_is_missing_and_what_helps() {
        let given = AnyArgs { _given: Vec::new() };
        let told = main(given).await.unwrap_err();
        assert!(matches!(told, CliError::Environment(_)), "{told:?}");
        let told = told.to_string();
        for words in [
            "without the engine",
            "cargo build -p coordinator",
            "launch CONFIG",
        ] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
    }
}
