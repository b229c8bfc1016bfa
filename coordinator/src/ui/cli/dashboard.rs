//! Where the dashboard listens and who may look: what `serve` and `run --dashboard` share.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use shared::descriptors;
use shared::failure::chain;
use shared::http_server::ServerLimits;
use shared::queue::Broker;
use shared::read_file::{self, max_bytes};
use shared::storage::Storage;
use tokio::net::{TcpListener, lookup_host};
use tokio_util::sync::CancellationToken;

use super::CliError;
use crate::ui::dashboard::{Access, Dashboard, DashboardState, Endpoint, Token};
use crate::ui::metrics;
use crate::work::collector::{Collector, LiveState, Mode};

/// Where it listens unless something else is said.
pub(super) const ADDRESS: &str = "127.0.0.1:8080";
/// The variable for the token that opens it.
const TOKEN: &str = "SYNTH2REAL_DASHBOARD_TOKEN";

/// Who may look.
#[derive(Debug, Default, Args)]
pub(super) struct AccessArgs {
    /// A file with the token that opens the dashboard, in place of SYNTH2REAL_DASHBOARD_TOKEN; needed to listen beyond
    /// this machine
    #[arg(long, value_name = "FILE", value_parser = super::path())]
    token_file: Option<PathBuf>,
}

/// A dashboard that is about to be served.
pub(super) struct Listening {
    listener: TcpListener,
    access: Access,
    /// Where people find it.
    pub(super) address: String,
}

/// Begins to listen; beyond this machine only with a token.
pub(super) async fn listen(address: &str, args: &AccessArgs) -> Result<Listening, CliError> {
    let token = token(args.token_file.as_deref())?;
    let usage = |error: std::io::Error| {
        CliError::Usage(format!(
            "--listen {address:?} must be ADDRESS:PORT, such as {ADDRESS}: {}",
            chain(&error)
        ))
    };
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(usage)?.collect();
    let access = match token {
        Some(token) => Access::Token(token),
        None if addresses.iter().all(|address| address.ip().is_loopback()) => Access::Loopback,
        None => {
            return Err(CliError::Usage(format!(
                "--listen {address} is open to other machines and needs a token: put one into {TOKEN}, or into a file \
                 for --token-file (`openssl rand -hex 32` makes a good one); or listen on {ADDRESS}"
            )));
        }
    };
    let environment = |error: std::io::Error| {
        CliError::Environment(format!(
            "cannot listen on {address}: {}; choose another address with --listen",
            chain(&error)
        ))
    };
    let bound = TcpListener::bind(addresses.as_slice()).await;
    let listener = bound.map_err(environment)?;
    let local = listener.local_addr().map_err(environment)?;
    Ok(Listening {
        listener,
        access,
        address: format!("http://{local}"),
    })
}

fn token(file: Option<&Path>) -> Result<Option<Token>, CliError> {
    let (place, text) = match file {
        Some(file) => {
            let text = read_file::read_text(file, max_bytes::SECRET).map_err(|error| {
                let file = file.display();
                CliError::Usage(format!(
                    "cannot read the token in {file}: {}",
                    chain(&error)
                ))
            })?;
            warn_if_readable_by_all(file);
            (file.display().to_string(), text)
        }
        None => match std::env::var(TOKEN) {
            Ok(text) if !text.is_empty() => (TOKEN.to_owned(), text),
            Ok(_) | Err(_) => return Ok(None),
        },
    };
    let token = Token::new(&text);
    token
        .map(Some)
        .map_err(|error| CliError::Usage(format!("the token in {place} is too short: {error}")))
}

fn warn_if_readable_by_all(file: &Path) {
    let mode = std::fs::metadata(file).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o004 != 0) {
        tracing::warn!(
            file = %file.display(),
            "the token can be read by every user of this machine: `chmod o-r` its file"
        );
    }
}

/// The options of a collector and its dashboard.
pub(super) struct CollectorOptions {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) broker: Option<Broker>,
    pub(super) root: String,
    pub(super) mode: Mode,
    pub(super) every: Duration,
    pub(super) stop: CancellationToken,
}

/// Watches and serves until told to stop.
pub(super) async fn serve(options: CollectorOptions, listening: Listening) -> Result<(), CliError> {
    let live = Arc::new(LiveState::default());
    let (queue, events, control) = match options.broker {
        Some(broker) => (Some(broker.work), Some(broker.events), Some(broker.control)),
        None => (None, None, None),
    };
    let collector = Collector {
        storage: Arc::clone(&options.storage),
        queue: queue.clone(),
        events,
        mode: options.mode,
        every: options.every,
        live: Arc::clone(&live),
        stop: options.stop.clone(),
    };
    let state = DashboardState {
        storage: options.storage,
        queue,
        control,
        live,
        root: options.root,
    };
    let Listening {
        listener, access, ..
    } = listening;
    // The collector runs on, whatever the dashboard suffers: connections never take all that may be open.
    let endpoint = Endpoint {
        listener,
        access,
        limits: ServerLimits::within(descriptors::raise()),
    };
    let more = metrics::router();
    let serving = Dashboard::serve(state, endpoint, more, options.stop.clone());
    // In a task of its own: counting a hundred thousand shards must keep no page waiting.
    let collecting = tokio::spawn(async move { collector.run().await });
    let served = serving.await;
    options.stop.cancel();
    if let Err(error) = collecting.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
    served
        .map_err(|error| CliError::Environment(format!("the dashboard failed: {}", chain(&error))))
}
