//! Logs, and traces for those who collect them.
//!
//! Logs go to standard error by way of [`crate::console`]: text on a terminal, JSON elsewhere, each event with its spans
//! and their fields. `traces` sends the spans to an OpenTelemetry collector, if the environment names one.

mod traces;

use std::env::{self, VarError};
use std::io::IsTerminal;

use tracing_subscriber::filter::{Directive, LevelFilter};
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
/// of secrecy; `filter` without it, and where it cannot be read, which is told.
///
/// # Panics
///
/// If it was called before, or outside a runtime: a defect of the program.
pub fn init(service: &'static str, filter: &str) {
    let (traces, trouble) = match traces::layer(service) {
        Ok(layer) => (layer, None),
        Err(error) => (None, Some(error)),
    };
    let (filter, refused) = chosen(env::var(EnvFilter::DEFAULT_ENV), filter);
    let subscriber = tracing_subscriber::registry();
    subscriber.with(logs(filter)).with(traces).init();
    if let Some(error) = refused {
        tracing::warn!(
            error,
            "RUST_LOG is not heeded: it must be as warn or info,worker=debug,engine=debug"
        );
    }
    if let Some(error) = trouble {
        tracing::warn!(error = crate::failure::chain(&error), "sends no traces");
    }
}

/// Returns the filter that `RUST_LOG` says, or else the default; and what is wrong with one that cannot be read.
fn chosen(said: Result<String, VarError>, default: &str) -> (EnvFilter, Option<String>) {
    let refused = match said.map(EnvFilter::try_new) {
        Ok(Ok(filter)) => return (filter, None),
        Ok(Err(error)) => Some(error.to_string()),
        Err(error @ VarError::NotUnicode(_)) => Some(error.to_string()),
        Err(VarError::NotPresent) => None,
    };
    (EnvFilter::new(default), refused)
}

fn logs(mut filter: EnvFilter) -> impl Layer<Registry> {
    for name in LOQUACIOUS {
        let cap = format!("{name}={}", LevelFilter::WARN).parse::<Directive>();
        filter = filter.add_directive(cap.expect("a name and a level are a directive"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_told_and_the_default_holds() {
        let said = |text: &str| chosen(Ok(text.to_owned()), "info");
        let (filter, refused) = said("warn");
        assert_eq!((filter.to_string(), refused), ("warn".to_owned(), None));
        let (filter, refused) = said("worker=loud");
        assert_eq!(filter.to_string(), "info");
        assert!(refused.is_some());
        let (filter, refused) = chosen(Err(VarError::NotPresent), "info");
        assert_eq!((filter.to_string(), refused), ("info".to_owned(), None));
    }
}
