//! A network that can be broken: a TCP proxy between a client and a server.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to what comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    /// New connections end at once.
    Refuse,
    /// Nothing comes through, and neither side is told.
    Stall,
}

#[derive(Debug, Clone, Copy)]
struct Weather {
    mode: Mode,
    /// Connections of an earlier number are cut.
    epoch: u64,
}

/// A proxy on a loopback port. It ends when it is dropped, and its connections with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
}

impl Proxy {
    /// Returns a proxy that passes everything to `server`, a host and a port.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let mode = Mode::Pass;
        let (weather, seen) = watch::channel(Weather { mode, epoch: 0 });
        tokio::spawn(accept(listener, server.to_owned(), seen));
        let weather = Arc::new(weather);
        Self { address, weather }
    }

    /// Returns where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection now. New ones are as welcome as before.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.epoch += 1);
    }

    /// Lets everything through again.
    pub fn pass(&self) {
        self.set(Mode::Pass);
    }

    /// Ends new connections at once; the others go on.
    pub fn refuse(&self) {
        self.set(Mode::Refuse);
    }

    /// Swallows everything without a word: connections stay, and new ones are made.
    pub fn stall(&self) {
        self.set(Mode::Stall);
    }

    fn set(&self, mode: Mode) {
        self.weather.send_modify(|weather| weather.mode = mode);
    }
}

async fn accept(listener: TcpListener, server: String, mut weather: watch::Receiver<Weather>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gone(&mut weather) => return,
        };
        let Ok((client, _)) = accepted else { return };
        if weather.borrow().mode != Mode::Refuse {
            tokio::spawn(join(client, server.clone(), weather.clone()));
        }
    }
}

/// Waits until the proxy is dropped.
async fn gone(weather: &mut watch::Receiver<Weather>) {
    while weather.changed().await.is_ok() {}
}

/// Waits until a connection that was made in `epoch` is cut.
async fn cut_off(weather: &mut watch::Receiver<Weather>, epoch: u64) {
    // An error means that the proxy is gone.
    weather.wait_for(|weather| weather.epoch > epoch).await.ok();
}

async fn join(client: TcpStream, server: String, weather: watch::Receiver<Weather>) {
    let epoch = weather.borrow().epoch;
    let mut end = weather.clone();
    let both = async {
        let server = TcpStream::connect(server).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::join!(
            copy(from_client, to_server, weather.clone()),
            copy(from_server, to_client, weather),
        );
        Some(())
    };
    tokio::select! {
        _ = both => {}
        () = cut_off(&mut end, epoch) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let flows = weather.wait_for(|weather| weather.mode != Mode::Stall);
        if flows.await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
