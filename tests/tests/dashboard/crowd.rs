//! Connections that do not get on: slow ones, idle ones, many of them.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures::stream;
use shared::descriptors;
use shared::http_server::{self, Peer, ServerLimits};
use shared::settings::ShardSize;
use tests::http::ask;
use tests::planned;
use tests::service::{Service, serve_command};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{HTML, Planned, get as look, wait_for_run};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "correct horse battery staple";

/// Limits that are reached soon, or never.
fn limits() -> ServerLimits {
    ServerLimits {
        head: PATIENCE,
        body: PATIENCE,
        answer: PATIENCE,
        ..ServerLimits::default()
    }
}

const SOON: Duration = Duration::from_millis(200);

/// Tells when an answer is let go of.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

struct Server {
    address: SocketAddr,
    dropped: mpsc::UnboundedReceiver<()>,
    stop: CancellationToken,
}

impl Server {
    async fn start(limits: ServerLimits) -> Self {
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

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let source: IpAddr = source.parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    socket.connect(address).await.unwrap()
}

/// Asks and returns the answer, on a connection that is kept; nothing if it was cut.
async fn ask_on(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return String::new();
    }
    let mut answer = vec![0; 1 << 16];
    let length = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..length.unwrap_or(0)]).into_owned()
}

/// Returns all that comes until the server hangs up.
async fn until_cut(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let mut some = [0; 4096];
    loop {
        match timeout(PATIENCE, stream.read(&mut some)).await.unwrap() {
            Ok(0) | Err(_) => return said,
            Ok(length) => said.extend_from_slice(&some[..length]),
        }
    }
}

#[tokio::test]
async fn a_connection_without_a_head_is_cut_before_between_and_within_requests() {
    let server = Server::start(ServerLimits {
        head: SOON,
        ..limits()
    })
    .await;
    let mut silent = server.connect().await;
    assert_eq!(until_cut(&mut silent).await, b"");

    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let said = until_cut(&mut slow).await;
    assert!(!said.starts_with(b"HTTP/1.1 200"), "{said:?}");

    let mut idle = server.connect().await;
    assert!(ask_on(&mut idle, "/").await.starts_with("HTTP/1.1 200"));
    assert_eq!(until_cut(&mut idle).await, b"");
}

#[tokio::test]
async fn a_body_that_drips_is_cut_however_steadily() {
    let server = Server::start(ServerLimits {
        body: SOON,
        ..limits()
    })
    .await;
    let head = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: ";
    let mut prompt = server.connect().await;
    let whole = format!("{head}3\r\nConnection: close\r\n\r\nabc");
    prompt.write_all(whole.as_bytes()).await.unwrap();
    let said = until_cut(&mut prompt).await;
    assert!(said.ends_with(b"\r\n\r\n3"), "{said:?}");

    let (mut hears, mut says) = server.connect().await.into_split();
    let begun = format!("{head}1000000\r\n\r\n");
    says.write_all(begun.as_bytes()).await.unwrap();
    let dripping = async {
        while says.write_all(b".").await.is_ok() {
            tokio::time::sleep(SOON / 10).await;
        }
    };
    let mut said = vec![0; 4096];
    let cut = tokio::select! {
        () = dripping => 0,
        length = timeout(PATIENCE, hears.read(&mut said)) => length.unwrap().unwrap_or(0),
    };
    assert!(!said[..cut].starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_let_go() {
    let mut server = Server::start(ServerLimits {
        answer: SOON,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    let request = b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let dropped = timeout(PATIENCE, server.dropped.recv()).await;
    assert_eq!(dropped.expect("the answer is let go"), Some(()));
}

#[tokio::test]
async fn one_address_is_refused_what_others_still_get() {
    let server = Server::start(ServerLimits {
        max_connections: 6,
        max_per_address: 4,
        ..limits()
    })
    .await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        let mut stream = server.connect().await;
        assert!(ask_on(&mut stream, "/").await.ends_with("127.0.0.1"));
        kept.push(stream);
    }
    let mut fifth = server.connect().await;
    assert_eq!(ask_on(&mut fifth, "/").await, "");
    let mut other = connect_from("127.0.0.2", server.address).await;
    assert!(ask_on(&mut other, "/").await.ends_with("127.0.0.2"));
    let mut third = connect_from("127.0.0.3", server.address).await;
    assert!(ask_on(&mut third, "/").await.ends_with("127.0.0.3"));
    let mut fourth = connect_from("127.0.0.4", server.address).await;
    assert_eq!(ask_on(&mut fourth, "/").await, "");
    drop(kept);
    let comes_again = async {
        loop {
            let mut stream = server.connect().await;
            if !ask_on(&mut stream, "/").await.is_empty() {
                break;
            }
        }
    };
    timeout(PATIENCE, comes_again).await.unwrap();
}

#[tokio::test]
async fn the_next_version_of_the_protocol_is_not_spoken() {
    let server = Server::start(limits()).await;
    let mut stream = server.connect().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    let said = until_cut(&mut stream).await;
    assert!(
        said.is_empty() || said.starts_with(b"HTTP/1."),
        "{said:?} is a frame"
    );
}

/// Returns a command under a limit on descriptors that it cannot raise.
fn with_descriptors(number: usize, plain: &Command) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {number}; exec \"$0\" \"$@\"")])
        .arg(plain.get_program())
        .args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

#[tokio::test]
async fn five_thousand_idle_connections_stop_neither_the_collector_nor_another_browser() {
    let room = usize::try_from(descriptors::raise()).unwrap();
    let crowd = room.saturating_sub(500).min(5_000);
    let planned = Planned::new(4).await;
    let plain = serve_command(planned.root.path(), "127.0.0.1:0");
    let service = Service::start(&mut with_descriptors(512, &plain));
    let address: SocketAddr = service
        .address
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    let mut idle = Vec::with_capacity(crowd);
    for _ in 0..crowd {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await;
        idle.push(stream.unwrap().unwrap());
    }

    let size = ShardSize {
        contents: 2,
        styles: 1,
    };
    let late = planned::run("late", &["00001".to_owned()], &["fog".to_owned()], size);
    planned::store(planned.storage.as_ref(), &late).await;
    let seen = async {
        loop {
            let mut browser = connect_from("127.0.0.2", address).await;
            let answer = ask_on(&mut browser, "/api/runs/late").await;
            assert!(!answer.is_empty(), "another browser is refused");
            if answer.starts_with("HTTP/1.1 200") {
                break;
            }
            tokio::time::sleep(SOON).await;
        }
    };
    timeout(PATIENCE, seen).await.expect("the run is seen");
    drop(idle);
    let log = service.stop().exits(0).stderr;
    assert!(!log.contains("Too many open files"), "{log}");
    assert!(
        log.matches("a connection was refused").count() <= 2,
        "{log}"
    );
}

fn with_token(planned: &Planned) -> Service {
    let mut command = serve_command(planned.root.path(), "127.0.0.1:0");
    Service::start(command.env("SYNTH2REAL_DASHBOARD_TOKEN", TOKEN))
}

#[tokio::test]
async fn a_login_is_a_small_form() {
    let planned = Planned::new(4).await;
    let service = with_token(&planned);
    let log_in = |filling: usize| {
        let body = format!(
            "token={}&next={}",
            TOKEN.replace(' ', "+"),
            "a".repeat(filling)
        );
        ask(&service.address, "POST", "/login", &[], &body).status
    };
    assert_eq!(log_in(3000), 303);
    assert_eq!(log_in(5000), 413);
    let _ = service.stop().exits(0);
}

#[tokio::test]
async fn wrong_tokens_are_logged_with_their_address_and_not_all_of_them() {
    let planned = Planned::new(4).await;
    let service = with_token(&planned);
    std::thread::scope(|scope| {
        for guess in 0..30 {
            let address = &service.address;
            scope.spawn(move || {
                let headers = ["X-Forwarded-For: 203.0.113.9"];
                let answer = if guess % 2 == 0 {
                    ask(address, "POST", "/login", &headers, "token=guess")
                } else {
                    let bearer = [headers[0], "Authorization: Bearer guess"];
                    ask(address, "GET", "/api/runs", &bearer, "")
                };
                assert!([401, 429].contains(&answer.status), "{answer:?}");
            });
        }
    });
    let log = service.stop().exits(0).stderr;
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("a wrong token"))
        .collect();
    assert!((1..=20).contains(&lines.len()), "{log}");
    for line in lines {
        assert!(
            line.contains("127.0.0.1") && line.contains("203.0.113.9"),
            "{line}"
        );
    }
}

/// Returns a picture of few bytes that claims to have many pixels.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0; 16]).unwrap();
    drop(writer);
    bytes
}

#[tokio::test]
async fn pictures_that_claim_much_take_little() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    wait_for_run(&service, "planned", &[]);
    let folder = planned.root.path().join("runs/planned/images/fog");
    std::fs::create_dir_all(&folder).unwrap();
    let output = |name: &str| folder.join(format!("{name}.png"));
    std::fs::write(output("00001"), claiming(23_000, 23_000)).unwrap();
    std::fs::write(output("00002"), vec![0; 1 << 20]).unwrap();
    let sparse = std::fs::File::create(output("00003")).unwrap();
    sparse.set_len(6 << 30).unwrap();
    std::fs::write(output("00004"), "root:x:0:0").unwrap();
    for (name, width, words) in [
        ("00004", "", "no PNG file"),
        ("00004", "?w=320", "cannot be shown"),
        ("00001", "?w=320", "33554432 pixels"),
        ("00002", "?w=320", "1048576 bytes"),
        ("00002", "", "1048576 bytes"),
        ("00003", "", "6442450944 bytes"),
    ] {
        let path = format!("/runs/planned/images/output/fog/{name}{width}");
        let answer = look(&service, &path, &[HTML]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
        assert!(!answer.body.contains("root:x"), "{path}");
    }
    let _ = service.stop().exits(0);
}
