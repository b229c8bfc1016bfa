//! The dashboard: an HTTP server that shows the runs of a storage root in a browser and takes actions on them.
//!
//! Pages are rendered on the server, from snapshots of the collector's live state and from storage. Scripts only refresh
//! them, so everything but the live part works without scripts.
//!
//! - `access`: who may see and do what: tokens, sessions, the strict headers
//! - `pages`: what is shown, a file or folder a page; `layout`, `format`, `assets`: what pages are made of
//! - `actions`: forms that change something: resume, cancel, drain, log in and out
//! - `api`: the same figures as JSON; `events`: server-sent events that keep pages fresh; `images`: inputs and outputs
//! - `error`: why a request fails, as data; `error_layer`: the one place that renders it
//!
//! Arrows run one way: `error` and `format` know none of the others, `access` only these two, and `layout` of `access`
//! only the visitor; pages, actions and the error layer use them all.

mod access;
mod actions;
mod api;
mod assets;
mod error;
mod error_layer;
mod events;
mod format;
mod images;
mod layout;
mod pages;

use std::io;
use std::sync::Arc;

pub use access::{Access, Token, TokenError};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use shared::http_server::{self, ServerLimits};
use shared::ids::RunId;
use shared::queue::{WorkQueue, WorkerControl};
use shared::readiness::Readiness;
use shared::storage::Storage;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use self::access::session::{self, Sessions};
use self::error::PageError;
use self::images::Images;
use crate::work::collector::{LiveState, RunView};

/// Most bytes of a form.
const MAX_FORM_BYTES: usize = 1 << 20;
/// Most bytes of a login form, which is taken without a session.
const MAX_LOGIN_BYTES: usize = 4 << 10;

/// The dashboard of a storage root.
#[derive(Debug)]
pub struct Dashboard {
    storage: Arc<dyn Storage>,
    queue: Option<Arc<dyn WorkQueue>>,
    control: Option<Arc<dyn WorkerControl>>,
    live: Arc<LiveState>,
    access: Access,
    root: String,
    port: u16,
    sessions: Sessions,
    images: Images,
    readiness: Readiness,
    /// Random prefix of version names: versions of an earlier process are told apart by it.
    start: String,
    stop: CancellationToken,
}

/// The state that a dashboard shows and acts on.
#[derive(Debug)]
pub struct DashboardState {
    /// The storage root.
    pub storage: Arc<dyn Storage>,
    /// The queue that resumed shards are published to, if a broker is named.
    pub queue: Option<Arc<dyn WorkQueue>>,
    /// How workers are asked to drain, if a broker is named.
    pub control: Option<Arc<dyn WorkerControl>>,
    /// The collector's snapshots.
    pub live: Arc<LiveState>,
    /// The storage root as pages name it.
    pub root: String,
}

/// Where a dashboard listens, to whom it answers, and how much.
#[derive(Debug)]
pub struct Endpoint {
    /// The socket it listens on.
    pub listener: TcpListener,
    /// Who is let in.
    pub access: Access,
    /// Limits on connections and requests.
    pub limits: ServerLimits,
}

impl Dashboard {
    /// Serves `state` until `stop` is cancelled. `more` holds further routes behind the same access check.
    ///
    /// # Errors
    ///
    /// If the listener fails.
    pub async fn serve(
        state: DashboardState,
        endpoint: Endpoint,
        more: Router,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let Endpoint {
            listener,
            access,
            limits,
        } = endpoint;
        let readiness = Readiness::new(Arc::clone(&state.storage), state.queue.clone());
        let dashboard = Self {
            port: listener.local_addr()?.port(),
            start: session::random()?[..8].to_owned(),
            storage: state.storage,
            queue: state.queue,
            control: state.control,
            live: state.live,
            root: state.root,
            access,
            sessions: Sessions::new(session::random()?),
            images: Images::default(),
            readiness,
            stop: stop.clone(),
        };
        let router = router(Arc::new(dashboard), more);
        http_server::serve(listener, router, limits, stop).await
    }

    /// Returns the newest snapshot of a run.
    fn run(&self, name: &str) -> Result<Arc<RunView>, PageError> {
        let run: RunId = name
            .parse()
            .map_err(|_| PageError::NotFound(format!("there is no run {name:?}")))?;
        if let Some(view) = self.live.run(&run) {
            return Ok(view);
        }
        if let Some(trouble) = self.live.unreadable().remove(&run) {
            return Err(PageError::Unavailable(trouble.reason));
        }
        match (self.live.polled_at(), self.live.storage_trouble()) {
            (None, Some(trouble)) => Err(PageError::Unavailable(trouble.reason)),
            (None, None) => Err(PageError::NotReady(
                "the runs of the storage root are being read; this page comes by itself".to_owned(),
            )),
            (Some(_), _) => Err(PageError::NotFound(format!(
                "there is no run {run} in {}",
                self.root
            ))),
        }
    }

    /// Returns the name of the newest version of what is shown.
    fn version(&self) -> String {
        self.name_of(*self.live.watch().borrow())
    }

    fn name_of(&self, version: u64) -> String {
        format!("{}-{version}", self.start)
    }

    /// Returns the version of a name; 0, which every change is newer than, if this process made no such name.
    fn version_of(&self, name: &str) -> u64 {
        let number = name
            .split_once('-')
            .filter(|(start, _)| *start == self.start);
        number
            .and_then(|(_, number)| number.parse().ok())
            .unwrap_or(0)
    }
}

/// Returns the routes behind the access check.
fn guarded_routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/", get(pages::runs::show))
        .route("/runs/{run}", get(pages::run::show))
        .route("/runs/{run}/shards/{shard}", get(pages::shard::show))
        .route("/runs/{run}/losses", get(pages::failures::show))
        .route("/runs/{run}/labels", get(pages::labels::show))
        .route("/runs/{run}/doubtful", get(pages::doubtful::show))
        .route("/runs/{run}/priors", get(pages::priors::show))
        .route("/runs/{run}/report", get(pages::report::show))
        .route(
            "/runs/{run}/resume",
            get(actions::resume::preview).post(actions::resume::publish),
        )
        .route(
            "/runs/{run}/cancel",
            get(actions::cancel::ask).post(actions::cancel::cancel),
        )
        .route("/comparisons", get(pages::comparisons::list))
        .route("/comparisons/{run}", get(pages::comparisons::show))
        .route("/workers", get(pages::workers::show))
        .route("/workers/drain", post(actions::drain::drain))
        .route("/runs/{run}/images/content/{content}", get(images::content))
        .route("/runs/{run}/images/style/{style}", get(images::style))
        .route(
            "/runs/{run}/images/output/{style}/{content}",
            get(images::output),
        )
        .route("/runs/{run}/images/label/{content}", get(images::label))
        .route("/runs/{run}/images/prior/{style}", get(images::prior))
        .route(
            "/runs/{run}/images/predictions/content/{style}/{content}",
            get(images::content_prediction),
        )
        .route(
            "/runs/{run}/images/predictions/output/{style}/{content}",
            get(images::output_prediction),
        )
        .route("/events", get(events::events))
        .route("/api/runs", get(api::runs))
        .route("/api/runs/{run}", get(api::run))
        .route("/api/runs/{run}/grid", get(api::grid))
        .route("/api/runs/{run}/history", get(api::history))
        .route("/api/workers", get(api::workers))
        .route("/logout", post(actions::login::logout))
        .fallback(pages::missing)
}

fn router(dashboard: Arc<Dashboard>, more: Router) -> Router {
    let guarded = guarded_routes()
        .with_state(Arc::clone(&dashboard))
        .merge(more)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&dashboard),
            access::guard,
        ));
    Router::new()
        .route(
            "/login",
            get(actions::login::show)
                .post(actions::login::login)
                .layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES)),
        )
        .route("/assets/{digest}/{*name}", get(assets::asset))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(Arc::clone(&dashboard))
        .merge(guarded)
        .layer(middleware::from_fn(error_layer::render))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(
            dashboard,
            access::host::check_host,
        ))
        .layer(middleware::from_fn(access::headers::add_headers))
        .layer(middleware::from_fn(log))
}

/// Answers those who supervise the process; without a token, so in few words.
async fn readyz(State(dashboard): State<Arc<Dashboard>>) -> (StatusCode, String) {
    match dashboard.readiness.away().await {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(away) => (StatusCode::SERVICE_UNAVAILABLE, format!("{away}\n")),
    }
}

/// Logs each request and its status at debug level.
async fn log(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    response
}
