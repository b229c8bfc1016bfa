//! The server that shows a worker's metrics.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared::http_server::{self, ServerLimits, names_this_machine};
use shared::metrics::{Exporter, names};
use shared::readiness::Readiness;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Meters;

/// Returns what the server grants: readers of metrics need few connections, and descriptors are for the work.
fn limits() -> ServerLimits {
    ServerLimits {
        max_connections: 64,
        max_per_address: 16,
        ..ServerLimits::default()
    }
}

/// A server at an address that is taken.
#[derive(Debug)]
pub struct MetricsEndpoint {
    listener: TcpListener,
    is_local: bool,
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

impl MetricsEndpoint {
    /// Takes an address, and begins to keep this process's metrics.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] if another program has it.
    pub async fn bind(address: SocketAddr) -> Result<Self, EndpointError> {
        let failed = |source| EndpointError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tracing::info!(%address, "shows metrics");
        Ok(Self {
            listener,
            is_local: address.ip().is_loopback(),
            exporter: Exporter::install(&[names::S3_OPERATIONS, names::S3_REQUESTS]),
        })
    }

    /// Shows `/metrics`, `/healthz` for as long as the process answers and `/readyz` while storage and broker do, beside the
    /// work.
    pub fn serve(self, meters: Arc<Meters>, readiness: Arc<Readiness>) {
        let metrics = move || {
            meters.refresh();
            let shown = self.exporter.render();
            async move { ([(CONTENT_TYPE, Exporter::MEDIA_TYPE)], shown) }
        };
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(move || readyz(Arc::clone(&readiness))));
        let router = match self.is_local {
            true => router.layer(middleware::from_fn(check_host)),
            false => router,
        };
        tokio::spawn(async move {
            let serving =
                http_server::serve(self.listener, router, limits(), CancellationToken::new());
            if let Err(error) = serving.await {
                tracing::error!(%error, "shows no metrics any more");
            }
        });
    }
}

async fn readyz(readiness: Arc<Readiness>) -> (StatusCode, String) {
    match readiness.away().await {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(away) => (StatusCode::SERVICE_UNAVAILABLE, format!("{away}\n")),
    }
}

/// Refuses names that a page of another site may have given this address.
async fn check_host(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok());
    if host.is_some_and(names_this_machine) {
        next.run(request).await
    } else {
        let said = "metrics of this machine are shown to localhost only\n";
        (StatusCode::MISDIRECTED_REQUEST, said).into_response()
    }
}
