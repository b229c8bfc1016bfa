//! An HTTP/1 server with limits and timeouts, so that slow or hostile clients cannot stop the process.
//!
//! - `timeouts`: heads, bodies and answers that make no progress are cut, and so are idle connections.
//! - `connection_limit`: connections are limited in total and for each client address; the other file descriptors are left
//!   to the rest of the process.
//! - `host`: tells requests for another host name apart.
//! - HTTP/2 is not spoken: without TLS no browser asks for it.

mod connection_limit;
mod host;
mod timeouts;

pub use self::host::names_this_machine;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use futures::{StreamExt, stream};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::connection_limit::{ConnectionLimit, ConnectionPermit};
use self::timeouts::WriteTimeout;
use crate::rate::RateLimit;

/// The largest head of a request, and what a connection reads and writes ahead.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// Time for requests under way to end when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);
/// Pause after a failed accept: what the process may open is used up, and none of it comes back at once.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Descriptors that no connection takes: logs, storage, broker and bucket, and the threads' own.
const RESERVED: u64 = 128;

/// Limits and timeouts of a server's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once.
    pub max_connections: usize,
    /// Connections of one address at once.
    pub max_per_address: usize,
    /// Time for the head of a request to come whole, and for a connection to wait for the next.
    pub head: Duration,
    /// Time for a request to come whole.
    pub body: Duration,
    /// Time without anything of an answer being taken.
    pub answer: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_per_address: 256,
            head: Duration::from_secs(15),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(30),
        }
    }
}

impl ServerLimits {
    /// Returns limits that leave some of a number of descriptors to the rest of the process. A connection may need two:
    /// its own, and one of a file.
    #[must_use]
    pub fn within(num_descriptors: u64) -> Self {
        let default = Self::default();
        let free = usize::try_from(num_descriptors.saturating_sub(RESERVED) / 2);
        let max_connections = free.unwrap_or(usize::MAX);
        let max_connections = max_connections.clamp(8, default.max_connections);
        Self {
            max_connections,
            max_per_address: default.max_per_address.min(max_connections / 2),
            ..default
        }
    }
}

/// The address that a request came from, which may be a proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Serves a router until told to stop. Requests find [`Peer`] among their extensions.
///
/// # Errors
///
/// If the listener has no address.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
) -> io::Result<()> {
    let connection_limit = ConnectionLimit::new(limits.max_connections, limits.max_per_address);
    let refusals = RateLimit::new(1, Duration::from_secs(60));
    let address = listener.local_addr()?;
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                if let Some(num_held) = refusals.pass(Instant::now()) {
                    tracing::warn!(%address, %error, num_held, "cannot take connections");
                }
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match connection_limit.acquire(peer.ip()) {
            Ok(permit) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(serve_connection(
                    Connection {
                        stream,
                        peer,
                        permit,
                    },
                    router,
                    limits,
                    stop,
                ));
            }
            // It is closed at once: an answer would take what there is too little of.
            Err(full) => {
                if let Some(num_held) = refusals.pass(Instant::now()) {
                    tracing::warn!(peer = %peer.ip(), num_held, reason = %full, "a connection was refused");
                }
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    // What does not end is cut when its task is dropped.
    let _ = timeout(SHUTDOWN_GRACE, ended).await;
    Ok(())
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// An accepted connection.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    permit: ConnectionPermit,
}

async fn serve_connection(
    connection: Connection,
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let Connection {
        stream,
        peer,
        permit,
    } = connection;
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| within(body, limits.body));
        request.extensions_mut().insert(Peer(peer.ip()));
        router.call(request)
    });
    let stream = TokioIo::new(WriteTimeout::new(stream, limits.answer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.ip(), %error, "a connection was cut");
    }
    drop(permit);
}

/// Returns a body that ends with an error when it is not whole in time, however steadily it drips.
fn within(body: Incoming, time: Duration) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    let deadline = tokio::time::Instant::now() + time;
    let parts = Body::new(body).into_data_stream();
    let parts = stream::unfold(Some(parts), move |parts| async move {
        let mut parts = parts?;
        match timeout_at(deadline, parts.next()).await {
            Ok(Some(Ok(part))) => Some((Ok(part), Some(parts))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
            Ok(None) => None,
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    });
    Body::from_stream(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_process_keeps_descriptors_however_few_there_are() {
        let many = ServerLimits::within(65_536);
        assert_eq!(many, ServerLimits::default());
        for num_descriptors in [256, 512, 1024, 1500] {
            let limits = ServerLimits::within(num_descriptors);
            let taken = 2 * limits.max_connections as u64;
            assert!(taken + RESERVED <= num_descriptors, "{limits:?}");
            assert!(limits.max_per_address <= limits.max_connections / 2);
        }
        assert_eq!(ServerLimits::within(16).max_connections, 8);
    }
}
