//! The synth2real program.

use std::process::ExitCode;

use clap::Parser;
use coordinator::cli::{self, Cli};
use shared::{shutdown, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let signals = shutdown::end_on_signals();
    telemetry::init("synth2real-coordinator", cli.log_filter());
    if let Err(error) = signals {
        tracing::warn!(%error, "signals end the program as the system has it");
    }
    let ended = cli::main(cli).await;
    telemetry::finish().await;
    match ended {
        Ok(ending) => ending.into(),
        Err(problem) => {
            problem.complain();
            problem.exit_code()
        }
    }
}
