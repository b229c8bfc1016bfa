//! Logs and the last word.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::Problem;

/// Sends logs to standard error: text on a terminal, JSON elsewhere. `RUST_LOG` chooses what; warnings by default.
pub fn init() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,ort=error"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.compact().without_time().with_target(false).init();
    } else {
        builder.json().init();
    }
}

/// Tells a person why the program ends.
#[expect(clippy::print_stderr, reason = "this is the command line")]
pub fn complain(problem: &Problem) {
    eprintln!("synth2real: {problem}");
}
