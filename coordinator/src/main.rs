//! The synth2real program.

use std::process::ExitCode;

use clap::Parser;
use coordinator::cli::{self, Cli};
use shared::telemetry;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(cli.log_filter());
    match cli::main(cli).await {
        Ok(ending) => ending.into(),
        Err(problem) => {
            problem.complain();
            problem.exit_code()
        }
    }
}
