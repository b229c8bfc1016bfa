//! What Prometheus would do: ask for metrics, read them, and check them with its own tool.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::program::Outcome;
use crate::repository;

/// Runs promtool, with something on its standard input.
///
/// # Panics
///
/// If it is not there.
#[must_use]
pub fn promtool(words: &[&str], input: &str) -> Outcome {
    let path: PathBuf = repository(".cache/prometheus/promtool");
    let mut command = Command::new(&path);
    command
        .args(words)
        .current_dir(repository("infra/monitoring"));
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        let path = path.display();
        panic!("{path}: {error}; run infra/setup/prometheus.sh first")
    });
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("promtool reads");
    drop(stdin);
    child.wait_with_output().expect("promtool ends").into()
}

/// Asks a server for a path; returns head and body of the answer.
///
/// # Panics
///
/// If there is no answer.
#[must_use]
pub fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("a server");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head.to_owned(), body.to_owned())
}

/// Metrics as they are shown.
#[derive(Debug)]
pub struct Shown {
    /// The text.
    pub text: String,
    series: Vec<(String, BTreeSet<String>, f64)>,
}

impl Shown {
    /// Reads metrics, after promtool has found nothing to criticise.
    ///
    /// # Panics
    ///
    /// If it has.
    #[must_use]
    pub fn read(text: String) -> Self {
        let checked = promtool(&["check", "metrics"], &text).exits(0);
        assert_eq!(checked.stderr, "", "{text}");
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split(',').map(str::to_owned);
            (
                name.to_owned(),
                labels.collect(),
                value.parse().expect("a number"),
            )
        });
        Self {
            series: series.collect(),
            text,
        }
    }

    /// Asks a server for its metrics.
    ///
    /// # Panics
    ///
    /// If it has none, or promtool criticises them.
    #[must_use]
    pub fn at(address: &str) -> Self {
        let (head, body) = get(address, "/metrics");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.contains("content-type: text/plain; version=0.0.4"),
            "{head}"
        );
        let plain = !head.contains("transfer-encoding");
        assert!(plain, "the body is in parts: {head}");
        Self::read(body)
    }

    /// Returns the sum over the series of a name that have all of some labels, such as `state="done"`.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let found: Vec<f64> = self
            .series
            .iter()
            .filter(|(of, with, _)| of == name && labels.iter().all(|label| with.contains(*label)))
            .map(|(_, _, value)| *value)
            .collect();
        assert!(!found.is_empty(), "no {name} {labels:?} in\n{}", self.text);
        found.iter().sum()
    }

    /// Returns the names of all metrics, as their types are told.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let types = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect()
    }
}
