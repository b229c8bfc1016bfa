//! The dashboard: what the collector sees, in a browser, and what people may do about it.
//!
//! Pages are made here from snapshots of the collector's live state and from storage, and scripts only refresh them, so
//! everything works without scripts but the live part.
//!
//! - [`mod@token`], `access`, `session`, `login`: who may look and act
//! - `pages`, `frame`, `format`: what is shown; `acts`: what can be done
//! - `events`, `api`, `images`, `assets`: what pages load; `budget`: memory for the images among it

mod access;
mod acts;
mod api;
mod assets;
mod budget;
mod error;
mod events;
mod format;
mod frame;
mod images;
mod login;
mod pages;
mod session;
pub mod token;

use std::io;
use std::sync::Arc;

pub use access::Access;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use shared::http_server::{self, ServerLimits};
use shared::ids::RunId;
use shared::queue::{WorkQueue, WorkerControl};
use shared::storage::Storage;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use self::error::PageError;
use self::images::Images;
use self::session::Sessions;
use crate::work::collector::{LiveState, RunView};

/// The largest form.
const MAX_FORM_BYTES: usize = 1 << 20;
/// The largest form of a login, which anybody may send.
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
    /// Tells apart the versions of this process and those of the one before.
    start: String,
    stop: CancellationToken,
}

/// The state that a dashboard shows and acts on.
#[derive(Debug)]
pub struct DashboardState {
    /// The storage root.
    pub storage: Arc<dyn Storage>,
    /// Where shards are published that are done again, if there is such a place.
    pub queue: Option<Arc<dyn WorkQueue>>,
    /// How workers are asked to stop, if they can be.
    pub control: Option<Arc<dyn WorkerControl>>,
    /// What the collector sees.
    pub live: Arc<LiveState>,
    /// The storage root, as people call it.
    pub root: String,
}

/// How people come in.
#[derive(Debug)]
pub struct Entrance {
    /// Where it listens.
    pub listener: TcpListener,
    /// Who may look.
    pub access: Access,
    /// What whoever connects may take.
    pub limits: ServerLimits,
}

impl Dashboard {
    /// Serves `state` until told to stop. `more` is added to what whoever may look can ask for.
    ///
    /// # Errors
    ///
    /// If the listener fails.
    pub async fn serve(
        state: DashboardState,
        entrance: Entrance,
        more: Router,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let Entrance {
            listener,
            access,
            limits,
        } = entrance;
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
            stop: stop.clone(),
        };
        let router = router(Arc::new(dashboard), more);
        http_server::serve(listener, router, limits, stop).await
    }

    /// Returns a run as it was seen last.
    fn run(&self, name: &str) -> Result<Arc<RunView>, PageError> {
        let run: RunId = name
            .parse()
            .map_err(|_| PageError::Missing(format!("there is no run {name:?}")))?;
        if let Some(view) = self.live.run(&run) {
            return Ok(view);
        }
        if let Some(trouble) = self.live.unreadable().remove(&run) {
            return Err(PageError::Trouble(trouble.reason));
        }
        match (self.live.polled_at(), self.live.storage_trouble()) {
            (None, Some(trouble)) => Err(PageError::Trouble(trouble.reason)),
            (None, None) => Err(PageError::Early(
                "the runs of the storage root are being read; this page comes by itself".to_owned(),
            )),
            (Some(_), _) => Err(PageError::Missing(format!(
                "there is no run {run} in {}",
                self.root
            ))),
        }
    }

    /// Returns the name of the version that is shown now.
    fn version(&self) -> String {
        self.name_of(*self.live.watch().borrow())
    }

    fn name_of(&self, version: u64) -> String {
        format!("{}-{version}", self.start)
    }

    /// Returns the version of a name; the first one, if it is the name of another process's version.
    fn version_of(&self, name: &str) -> u64 {
        let number = name
            .split_once('-')
            .filter(|(start, _)| *start == self.start);
        number.map_or(0, |(_, number)| number.parse().unwrap_or_default())
    }
}

fn router(dashboard: Arc<Dashboard>, more: Router) -> Router {
    let guarded = Router::new()
        .route("/", get(pages::runs::show))
        .route("/runs/{run}", get(pages::run::show))
        .route("/runs/{run}/shards/{shard}", get(pages::shard::show))
        .route("/runs/{run}/losses", get(pages::losses::show))
        .route("/runs/{run}/report", get(pages::report::show))
        .route(
            "/runs/{run}/resume",
            get(acts::resume::preview).post(acts::resume::publish),
        )
        .route(
            "/runs/{run}/cancel",
            get(acts::cancel::ask).post(acts::cancel::cancel),
        )
        .route("/workers", get(pages::workers::show))
        .route("/workers/drain", post(acts::drain::drain))
        .route("/runs/{run}/images/content/{content}", get(images::content))
        .route("/runs/{run}/images/style/{style}", get(images::style))
        .route(
            "/runs/{run}/images/output/{style}/{content}",
            get(images::output),
        )
        .route("/events", get(events::events))
        .route("/api/runs", get(api::runs))
        .route("/api/runs/{run}", get(api::run))
        .route("/api/runs/{run}/grid", get(api::grid))
        .route("/api/runs/{run}/history", get(api::history))
        .route("/api/workers", get(api::workers))
        .route("/logout", post(login::logout))
        .fallback(pages::missing)
        .with_state(Arc::clone(&dashboard))
        .merge(more)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&dashboard),
            access::guard,
        ));
    Router::new()
        .route(
            "/login",
            get(login::show)
                .post(login::login)
                .layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES)),
        )
        .route("/assets/{digest}/{*name}", get(assets::asset))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(Arc::clone(&dashboard))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(
            dashboard,
            access::check_host,
        ))
        .layer(middleware::from_fn(access::add_headers))
        .layer(middleware::from_fn(log))
}

/// Says at debug level what was asked for and what came of it.
async fn log(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    response
}
