//! Connections that are too slow, or speak another protocol.

use shared::http_server::ServerLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::server::{PATIENCE, SOON, Server, ask_on, limits, until_cut};

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
