//! Workers that join a fleet, and leave it in many ways.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use shared::queue::message::ControlRequest;

use super::{Fleet, RESULTS};
use crate::program::{self, Outcome, Running};
use crate::s3_server::BUCKET;

/// A worker and where it logs.
pub(super) struct Worker {
    name: String,
    running: Running,
    log: PathBuf,
}

impl Worker {
    fn end(self) -> Outcome {
        let outcome = self.running.end();
        Outcome {
            stderr: std::fs::read_to_string(self.log).expect("a log"),
            ..outcome
        }
    }
}

impl Fleet {
    /// A worker joins.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn join(&mut self) {
        let (name, mut command) = self.worker();
        let log = self.log(&name);
        let running = Running::start_into(&mut command, &log);
        self.workers.push(Worker { name, running, log });
    }

    /// A worker joins whose output is not read.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn join_unheard(&mut self) {
        let (name, mut command) = self.worker();
        let running = Running::start_unheard(&mut command);
        let log = self.log(&name);
        std::fs::write(&log, "").expect("a writable file");
        self.workers.push(Worker { name, running, log });
    }

    /// Returns another worker's name and how it is started.
    fn worker(&mut self) -> (String, Command) {
        self.joined += 1;
        let name = format!("worker-{}", self.joined);
        let cache = self.folder.path().join("cache");
        let settings = format!(
            "root = 's3://{BUCKET}/{RESULTS}'\nname = '{name}'\nthreads = 1\ncache_dir = '{}'\n{}",
            cache.display(),
            self.worker_settings
        );
        let settings = settings.parse().expect("valid settings");
        let settings = self.write(&format!("{name}.toml"), &settings);
        let mut command = Command::new(program::path_of("worker"));
        command.arg("--config").arg(settings);
        command.args(self.worker_arguments);
        let command = self.logging(command);
        (name, command)
    }

    /// A worker is killed by `kill -9`.
    pub fn kill(&mut self, place: usize) {
        self.workers.remove(place).running.kill();
    }

    /// A worker is told to stop by SIGTERM; returns how it ended.
    #[must_use]
    pub fn drain(&mut self, place: usize) -> Outcome {
        let worker = self.workers.remove(place);
        worker.running.signal("TERM");
        worker.end()
    }

    /// A worker is asked to stop over the broker; returns how it ended.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    pub async fn ask_to_drain(&mut self, place: usize) -> Outcome {
        let worker = self.workers.remove(place);
        let control = self.ports().await.control;
        let asked = control.send(&worker.name, ControlRequest::Drain).await;
        assert!(asked.expect("asks"), "{} does not listen", worker.name);
        worker.end()
    }

    /// A worker is told to stop, and told again while it finishes the image in hand; returns how it ended.
    #[must_use]
    pub fn hurry(&mut self, place: usize) -> Outcome {
        let worker = self.workers.remove(place);
        worker.running.signal("TERM");
        let log = || std::fs::read_to_string(&worker.log).expect("a log");
        self.wait_until("it is told to stop", |_| {
            log().contains("finishing the image")
        });
        worker.running.signal("TERM");
        worker.running.end()
    }

    /// Waits until every worker has reached broker and bucket: before that, trouble with them ends it.
    ///
    /// # Panics
    ///
    /// If one never does.
    pub fn wait_until_joined(&self) {
        let has_joined = |worker: &Worker| {
            let log = std::fs::read_to_string(&worker.log).expect("a log");
            log.contains("worker starts")
        };
        self.wait_until("every worker starts", |fleet| {
            fleet.workers.iter().all(has_joined)
        });
    }

    /// Waits until a worker has a shard in hand.
    ///
    /// # Panics
    ///
    /// If it never has.
    pub fn wait_until_in_hand(&self, place: usize) {
        let log = &self.workers[place].log;
        self.wait_until("a shard is in hand", |_| {
            let log = std::fs::read_to_string(log).expect("a log");
            log.contains("getting model and datasets ready")
        });
    }

    /// Returns where a worker shows its metrics, once it does.
    ///
    /// # Panics
    ///
    /// If it never does.
    #[must_use]
    pub fn metrics_address(&self, place: usize) -> String {
        let shown = || {
            let log = std::fs::read_to_string(&self.workers[place].log).expect("a log");
            let mut lines = log.lines().filter(|line| line.contains("shows metrics"));
            let event: Value = serde_json::from_str(lines.next()?).ok()?;
            Some(event["fields"]["address"].as_str()?.to_owned())
        };
        self.wait_until("metrics are shown", |_| shown().is_some());
        shown().expect("it was there")
    }

    /// Returns how many workers there are.
    #[must_use]
    pub fn num_workers(&self) -> usize {
        self.workers.len()
    }
}
