//! What a worker counts and times, and where Prometheus reads it.
//!
//! - [`Meters`]: counts and times what the consumer and its attempts tell
//! - [`MetricsEndpoint`]: a small server beside the work

mod clock;
mod endpoint;

pub use self::endpoint::{EndpointError, MetricsEndpoint};

use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::ids::RunId;
use shared::manifest::ManifestRow;
use shared::metrics::names;
use tokio::time::Instant;

use self::clock::Clock;
use crate::attempt::{AttemptError, Progress, ShardOutcome, Stage};

/// Who a worker is, as `synth2real_worker_info` says it.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its device.
    pub device: &'a str,
    /// Its version.
    pub version: &'a str,
}

/// Counts and times a worker's work.
#[derive(Debug)]
pub struct Meters {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    clock: Clock,
    /// When the recording of a style began, while one is recorded.
    style_since: Option<Instant>,
}

impl Meters {
    /// Returns the meters of a worker that waits for its first shard.
    #[must_use]
    pub fn new(identity: Identity<'_>) -> Self {
        let Identity {
            name,
            device,
            version,
        } = identity;
        names::WORKER_INFO.gauge([name, device, version]).set(1.0);
        let meters = Self {
            state: Mutex::new(State {
                clock: Clock::start(Instant::now()),
                style_since: None,
            }),
        };
        meters.refresh();
        meters
    }

    /// Brings what grows with time up to date. To be called before the metrics are shown.
    pub fn refresh(&self) {
        let (busy, waiting) = self.state().clock.totals(Instant::now());
        let is_busy = self.state().clock.is_busy();
        names::WORKER_BUSY
            .gauge([])
            .set(f64::from(u8::from(is_busy)));
        names::WORKER_BUSY_SECONDS
            .counter([])
            .absolute(busy.as_secs());
        names::WORKER_WAITING_SECONDS
            .counter([])
            .absolute(waiting.as_secs());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Meters {
    fn shard_started(&self) {
        self.state().clock.set_busy(true, Instant::now());
    }

    fn shard_finished(&self) {
        self.state().clock.set_busy(false, Instant::now());
    }

    fn begin(&self, stage: Stage) {
        let now = Instant::now();
        let began = match stage {
            Stage::StyleStep => self.state().style_since.replace(now),
            Stage::Load
            | Stage::Wait
            | Stage::ClassMap
            | Stage::OutputStep
            | Stage::Store
            | Stage::Evaluate => self.state().style_since.take(),
        };
        if let Some(began) = began {
            let style = names::WORKER_STAGE_SECONDS.histogram(["style"]);
            style.record((now - began).as_secs_f64());
        }
    }

    fn item(&self, row: &ManifestRow) {
        let labels = [row.run.as_str(), row.status.as_str()];
        names::WORKER_ITEMS.counter(labels).increment(1);
        if let Some(work) = &row.work {
            for (stage, milliseconds) in work.stages() {
                let seconds = milliseconds / 1000.0;
                names::WORKER_STAGE_SECONDS
                    .histogram([stage])
                    .record(seconds);
            }
        }
    }

    fn attempt_ended(&self, run: &RunId, outcome: &Result<ShardOutcome, AttemptError>) {
        // What was not recorded to its end is no sample.
        self.state().style_since = None;
        let name = match outcome {
            Ok(ShardOutcome::Committed(_)) => "committed",
            Ok(ShardOutcome::Stopped) => "stopped",
            Err(_) => "failed",
        };
        names::WORKER_ATTEMPTS
            .counter([run.as_str(), name])
            .increment(1);
        if let Err(error) = outcome {
            let labels = [run.as_str(), error.class().as_str()];
            names::WORKER_ATTEMPTS_FAILED.counter(labels).increment(1);
        }
    }
}
