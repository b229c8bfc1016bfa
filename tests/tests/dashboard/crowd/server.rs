//! A small server with limits that are reached soon or never, and its clients.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures::stream;
use shared::http_server::{self, Peer, ServerLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Limits that are reached soon, or never.
pub(super) fn limits() -> ServerLimits {
    ServerLimits {
        head: PATIENCE,
        body: PATIENCE,
        answer: PATIENCE,
        ..ServerLimits::default()
    }
}

pub(super) const SOON: Duration = Duration::from_millis(200);

/// Tells when an answer is let go of.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) dropped: mpsc::UnboundedReceiver<()>,
    stop: CancellationToken,
}

impl Server {
    pub(super) async fn start(limits: ServerLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, dropped) = mpsc::unbounded_channel();
        let endless = move || {
            let guard = Dropped(told.clone());
            let parts = stream::unfold(guard, |guard| async move {
                let part: Result<Bytes, std::io::Error> = Ok(Bytes::from(vec![0_u8; 1 << 16]));
                Some((part, guard))
            });
            async move { Body::from_stream(parts) }
        };
        let router = Router::new()
            .route(
                "/",
                get(|peer: Extension<Peer>| async move { peer.0.0.to_string() }),
            )
            .route("/endless", get(endless))
            .route(
                "/length",
                post(|body: Bytes| async move { body.len().to_string() }),
            );
        let stop = CancellationToken::new();
        tokio::spawn(http_server::serve(listener, router, limits, stop.clone()));
        Self {
            address,
            dropped,
            stop,
        }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let source: IpAddr = source.parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    socket.connect(address).await.unwrap()
}

/// Asks and returns the answer, on a connection that is kept; nothing if it was cut.
pub(super) async fn ask_on(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return String::new();
    }
    let mut answer = vec![0; 1 << 16];
    let length = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..length.unwrap_or(0)]).into_owned()
}

/// Returns all that comes until the server hangs up.
pub(super) async fn until_cut(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let mut some = [0; 4096];
    loop {
        match timeout(PATIENCE, stream.read(&mut some)).await.unwrap() {
            Ok(0) | Err(_) => return said,
            Ok(length) => said.extend_from_slice(&some[..length]),
        }
    }
}
