//! Spans sent to an OpenTelemetry collector, over HTTP, if the environment names one.
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT` (or `_TRACES_ENDPOINT`) says where; the other `OTEL_*` variables mean what OpenTelemetry
//! says they mean. A message carries the span that published it as a W3C `traceparent`, and the work on it is a part of
//! the same trace. No work waits for a collector, or fails without one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Key, Value};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use tokio::runtime::Handle;
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// The variables that name a collector, the more specific one first.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
/// The crates whose spans are sent, with the events in them.
const OURS: [&str; 8] = [
    "coordinator",
    "engine",
    "imaging",
    "kernels",
    "method",
    "shared",
    "synth2real",
    "worker",
];
/// How long a program waits at its end for a collector to take what is left.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
const HEADER: &str = "traceparent";

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Why no traces are sent although a collector is named.
#[derive(Debug, thiserror::Error)]
pub(super) enum TracesError {
    #[error(
        "{variable} must be an address as http://127.0.0.1:4318; for TLS, run a collector beside this program"
    )]
    NotHttp { variable: &'static str },
    #[error("the OTEL_* variables cannot be used")]
    Unusable(#[from] ExporterBuildError),
}

/// Returns what sends spans; nothing if no collector is named.
pub(super) fn layer<S>(service: &'static str) -> Result<Option<impl Layer<S>>, TracesError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let named = |&variable: &&'static str| {
        let endpoint = std::env::var(variable).ok()?;
        (!endpoint.is_empty()).then_some((variable, endpoint))
    };
    let Some((variable, endpoint)) = ENDPOINTS.iter().find_map(named) else {
        return Ok(None);
    };
    if !endpoint.starts_with("http://") {
        return Err(TracesError::NotHttp { variable });
    }
    let exporter = SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(service))
        .with_batch_exporter(RuntimeExporter {
            exporter: Arc::new(exporter),
            runtime: Handle::current(),
            failing: AtomicBool::new(false),
        })
        .build();
    let tracer = provider.tracer("synth2real");
    PROVIDER.set(provider).ok();
    let ours = OURS.map(|target| (target, Level::INFO));
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_filter(Targets::new().with_targets(ours));
    Ok(Some(layer))
}

/// Returns who sends the spans: what the environment says, or else the program's own name.
fn resource(service: &'static str) -> Resource {
    let said = Resource::builder().build();
    match said.get(&Key::from_static_str("service.name")) {
        Some(Value::String(name)) if !name.as_str().starts_with("unknown_service") => said,
        _ => Resource::builder().with_service_name(service).build(),
    }
}

/// Sends the spans that are left, as far as that can be done in a moment. To be called before the program ends.
pub async fn finish() {
    if let Some(provider) = PROVIDER.get() {
        // Blocks while the runtime sends. Failing to send has been said.
        let sent = tokio::task::spawn_blocking(|| provider.shutdown_with_timeout(FLUSH_TIMEOUT));
        sent.await.ok();
    }
}

/// Returns the current span for a message; nothing if no traces are sent.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove(HEADER)
}

/// Makes a span that was not entered yet a part of the span that published its message. Without one it begins a trace.
pub fn follow(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else {
        return;
    };
    let carrier = HashMap::from([(HEADER.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    // It fails where no traces are sent.
    span.set_parent(context).ok();
}

/// Sends spans on the program's runtime, and says once when a collector cannot be reached.
#[derive(Debug)]
struct RuntimeExporter {
    exporter: Arc<SpanExporter>,
    runtime: Handle,
    failing: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for RuntimeExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = Arc::clone(&self.exporter);
        let sending = self
            .runtime
            .spawn(async move { exporter.export(batch).await });
        let sent = match sending.await {
            Ok(sent) => sent,
            Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
        };
        match &sent {
            Ok(()) if self.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("traces are sent again");
            }
            Ok(()) => {}
            Err(_) if self.failing.swap(true, Ordering::Relaxed) => {}
            Err(error) => tracing::warn!(
                %error,
                "traces are lost until the collector of OTEL_EXPORTER_OTLP_ENDPOINT takes them; the work goes on"
            ),
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_every_crate_that_programs_are_made_of_are_sent() {
        let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let workspace: toml::Table =
            toml::from_str(&std::fs::read_to_string(workspace).unwrap()).unwrap();
        let members = workspace["workspace"]["members"].as_array().unwrap().iter();
        let members = members.map(|member| member.as_str().unwrap());
        let crates = members.filter(|member| !member.starts_with("tests"));
        let mut expected: Vec<&str> = crates
            .map(|path| path.rsplit('/').next().unwrap())
            .collect();
        // The program of the coordinator.
        expected.push("synth2real");
        expected.sort_unstable();
        assert_eq!(OURS.to_vec(), expected);
    }
}
