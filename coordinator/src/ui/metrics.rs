//! `/metrics`: what the collector sees, for Prometheus.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use shared::metrics::{Exporter, names};

use crate::work::collector::gauges;

/// Begins to export what a collector sees that starts now.
pub fn install() -> &'static Exporter {
    let exporter = Exporter::install(&[
        names::COLLECTOR_DEAD_LETTERS,
        names::S3_OPERATIONS,
        names::S3_REQUESTS,
    ]);
    gauges::set_last_poll();
    exporter
}

/// Returns the route under which Prometheus reads it.
pub fn router() -> Router {
    let exporter = install();
    let show = get(|| async { ([(CONTENT_TYPE, Exporter::MEDIA_TYPE)], exporter.render()) });
    Router::new().route("/metrics", show)
}
