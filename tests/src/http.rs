//! Plain HTTP, to ask what no browser would.

use std::io::{Read, Write};
use std::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    head: String,
    /// What came after the headers.
    pub body: String,
}

/// Asks a server at `http://host:port`. Each header is a line without its end.
///
/// # Panics
///
/// If there is no answer.
#[must_use]
pub fn ask(server: &str, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let host = server.trim_start_matches("http://");
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        request.push_str(&format!("Host: {host}\r\n"));
    }
    if !body.is_empty() {
        request.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for header in headers {
        request.push_str(&format!("{header}\r\n"));
    }
    let mut stream = TcpStream::connect(host).expect("a server");
    let request = format!("{request}\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("headers");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

impl Answer {
    /// Returns a header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = pairs.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.trim())
    }
}
