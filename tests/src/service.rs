//! A program that serves a dashboard.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Outcome, Running, synth2real};

/// What a program says before the address of its dashboard.
const SAYS: &str = "dashboard: ";

/// A program that serves a dashboard, on a port of its own.
#[derive(Debug)]
pub struct Service {
    running: Running,
    /// `http://host:port`
    pub address: String,
    folder: TempDir,
}

/// Returns the address of a dashboard out of what its program has said so far.
#[must_use]
pub fn address_in(log: &str) -> Option<String> {
    let line = log.lines().find_map(|line| line.strip_prefix(SAYS));
    line.map(str::to_owned)
}

impl Service {
    /// Starts a command and waits until its dashboard listens.
    ///
    /// # Panics
    ///
    /// If it never does.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut running = Running::start_into(command, &log);
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let complete =
            |log: &str| log.lines().any(|line| line.starts_with(SAYS)) && log.ends_with('\n');
        assert!(running.wait_until(|| complete(&said())), "{}", said());
        Self {
            address: address_in(&said()).expect("an address"),
            running,
            folder,
        }
    }

    /// Starts `synth2real serve` on a storage root, looking twice a second.
    #[must_use]
    pub fn serve(root: &std::path::Path, more: &[&str]) -> Self {
        Self::start(serve_command(root, "127.0.0.1:0").args(more))
    }

    /// Returns what the program has said.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log()).expect("a log")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Tells the program to stop; returns how it ended and what it had said.
    #[must_use]
    pub fn stop(self) -> Outcome {
        self.running.signal("TERM");
        self.end()
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    ///
    /// If its log cannot be read.
    #[must_use]
    pub fn end(self) -> Outcome {
        let log = self.log();
        let outcome = self.running.end();
        Outcome {
            stderr: std::fs::read_to_string(log).expect("a log"),
            ..outcome
        }
    }
}

/// Returns `synth2real serve` on a storage root, looking twice a second.
#[must_use]
pub fn serve_command(root: &std::path::Path, listen: &str) -> Command {
    let mut command = synth2real();
    command
        .args(["serve", "--every", "0.5", "--listen", listen, "--root"])
        .arg(root);
    command
}
