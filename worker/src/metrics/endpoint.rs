//! The server that shows a worker's metrics.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use shared::metrics::{Exporter, names};
use tokio::net::TcpListener;

use super::Meters;

/// A server at an address that is taken.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
    exporter: &'static Exporter,
}

/// Why the metrics cannot be shown where they are to be.
#[derive(Debug, thiserror::Error)]
#[error(
    "metrics ({address}) must be an address of this machine and a free port: choose another, or leave it out to show \
     no metrics"
)]
pub struct EndpointError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

impl Endpoint {
    /// Takes an address, and begins to keep this process's metrics.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] if somebody else has it.
    pub async fn bind(address: SocketAddr) -> Result<Self, EndpointError> {
        let failed = |source| EndpointError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tracing::info!(%address, "shows metrics");
        Ok(Self {
            listener,
            exporter: Exporter::install(&[names::S3_OPERATIONS, names::S3_REQUESTS]),
        })
    }

    /// Shows `/metrics`, and `/healthz` for as long as the process answers, beside the work.
    pub fn serve(self, meters: Arc<Meters>) {
        let metrics = move || {
            meters.refresh();
            let shown = self.exporter.render();
            async move { ([(CONTENT_TYPE, Exporter::MEDIA_TYPE)], shown) }
        };
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "ok\n"));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, router).await {
                tracing::error!(%error, "shows no metrics any more");
            }
        });
    }
}
