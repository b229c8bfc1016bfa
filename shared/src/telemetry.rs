//! Logs: spans and events on standard error, text on a terminal, JSON elsewhere.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Their finest logs hold what is sent to a broker or a bucket, with passwords and signatures.
const LOQUACIOUS: [&str; 7] = [
    "lapin",
    "amq_protocol",
    "aws_config",
    "aws_runtime",
    "aws_sdk_s3",
    "aws_sigv4",
    "aws_smithy_runtime",
];

/// Sends logs to standard error. `RUST_LOG` chooses what, within the limits of secrecy; `filter` without it.
pub fn init(filter: &str) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    for name in LOQUACIOUS {
        if let Ok(cap) = format!("{name}={}", LevelFilter::WARN).parse() {
            filter = filter.add_directive(cap);
        }
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.compact().without_time().with_target(false).init();
    } else {
        builder.json().init();
    }
}
