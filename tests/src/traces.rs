//! A collector of traces: takes spans over HTTP as OpenTelemetry's does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use tokio::net::TcpListener;

/// A span as it was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Who sent it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The trace that it is part of.
    pub trace: Vec<u8>,
    /// Its own id.
    pub id: Vec<u8>,
    /// The span that it is part of; empty if there is none.
    pub parent: Vec<u8>,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

/// A collector on a loopback port. It ends with its runtime.
#[derive(Debug)]
pub struct TraceCollector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Sent>>>,
}

impl TraceCollector {
    /// Starts a collector.
    ///
    /// # Panics
    ///
    /// If it cannot.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let spans = Arc::<Mutex<Vec<Sent>>>::default();
        let kept = Arc::clone(&spans);
        let take = async move |body: Bytes| {
            let Ok(request) = ExportTraceServiceRequest::decode(body) else {
                return StatusCode::BAD_REQUEST;
            };
            kept.lock().expect("no panic").extend(read(request));
            StatusCode::OK
        };
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, spans }
    }

    /// Returns its address for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the spans of a name that a service has sent.
    ///
    /// # Panics
    ///
    /// Never: no holder panics.
    #[must_use]
    pub fn spans(&self, service: &str, name: &str) -> Vec<Sent> {
        let spans = self.spans.lock().expect("no panic");
        let these = spans
            .iter()
            .filter(|span| span.service == service && span.name == name);
        these.cloned().collect()
    }
}

fn read(request: ExportTraceServiceRequest) -> Vec<Sent> {
    let mut sent = Vec::new();
    for resource in request.resource_spans {
        let about = fields(resource.resource.unwrap_or_default().attributes);
        let service = about.iter().find(|(key, _)| key == "service.name");
        let service = service.map(|(_, name)| name.clone()).unwrap_or_default();
        let spans = resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans);
        sent.extend(spans.map(|span| Sent {
            service: service.clone(),
            name: span.name,
            trace: span.trace_id,
            id: span.span_id,
            parent: span.parent_span_id,
            fields: fields(span.attributes),
        }));
    }
    sent
}

fn fields(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = attributes.into_iter();
    attributes
        .map(|field| (field.key, text(field.value)))
        .collect()
}
