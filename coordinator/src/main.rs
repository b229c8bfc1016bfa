//! The synth2real program.

// They panic when what they print cannot be written: `shared::console` does not.
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

use std::process::ExitCode;

use coordinator::ui::cli::{self, Cli};
use shared::{console, shutdown, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    let cli: Cli = match console::arguments() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let signals = shutdown::end_on_signals();
    telemetry::init("synth2real-coordinator", cli.log_filter());
    if let Err(error) = signals {
        tracing::warn!(%error, "signals end the program as the system has it");
    }
    let ended = cli::main(cli).await;
    telemetry::finish().await;
    let code = match ended {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            error.complain();
            error.exit_code()
        }
    };
    console::finish();
    code
}
