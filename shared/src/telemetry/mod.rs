//! Logs, and traces for those who collect them.
//!
//! Logs go to standard error by way of [`crate::console`]: text on a terminal, JSON elsewhere, each event with its spans
//! and their fields. `traces` sends the spans to an OpenTelemetry collector, if the environment names one.

mod traces;

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

pub use self::traces::{finish, follow, traceparent};
use crate::console::LogWriter;

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

/// Begins to log, and to send traces of a program called `service`. `RUST_LOG` chooses what is logged, within the limits
/// of secrecy; `filter` without it.
///
/// # Panics
///
/// If it was called before, or outside a runtime: a defect of the program.
pub fn init(service: &'static str, filter: &str) {
    let (traces, trouble) = match traces::layer(service) {
        Ok(layer) => (layer, None),
        Err(error) => (None, Some(error)),
    };
    let subscriber = tracing_subscriber::registry();
    subscriber.with(logs(filter)).with(traces).init();
    if let Some(error) = trouble {
        tracing::warn!(error = crate::failure::chain(&error), "sends no traces");
    }
}

fn logs(filter: &str) -> impl Layer<Registry> {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    for name in LOQUACIOUS {
        if let Ok(cap) = format!("{name}={}", LevelFilter::WARN).parse() {
            filter = filter.add_directive(cap);
        }
    }
    let layer = tracing_subscriber::fmt::layer();
    let layer = if std::io::stderr().is_terminal() {
        let layer = layer.with_writer(LogWriter::of_text());
        layer.compact().without_time().with_target(false).boxed()
    } else {
        layer.with_writer(LogWriter::of_json()).json().boxed()
    };
    layer.with_filter(filter)
}
