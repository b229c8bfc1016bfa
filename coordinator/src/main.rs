//! The synth2real program.

use std::process::ExitCode;

use clap::Parser;
use coordinator::cli::{self, Cli};
use shared::telemetry;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init("synth2real-coordinator", cli.log_filter());
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
