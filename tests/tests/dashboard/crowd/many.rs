//! Many connections: of one address, and thousands that are idle.

use std::net::SocketAddr;
use std::process::Command;

use shared::descriptors;
use shared::http_server::ServerLimits;
use shared::settings::ShardSize;
use tests::planned;
use tests::service::{Service, serve_command};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::server::{PATIENCE, SOON, Server, ask_on, connect_from, limits};
use crate::Planned;

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
