//! The synth2real program.

use std::process::ExitCode;

use clap::Parser;
use coordinator::cli::{self, Cli};
use coordinator::telemetry;

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::init();
    match cli::main(Cli::parse()).await {
        Ok(ending) => ending.into(),
        Err(problem) => {
            telemetry::complain(&problem);
            problem.exit_code()
        }
    }
}
