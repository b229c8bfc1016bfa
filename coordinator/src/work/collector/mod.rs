//! Watches every run of a storage root: counts what is committed, stops runs in which too much fails, writes the
//! manifest of those that have ended, and takes note of dead letters.
//!
//! - [`live_state`]: what was seen last, which the dashboard shows; `gauges`: the same for Prometheus
//! - [`run_view`], [`pace`]: a run as it was seen last, and how fast it goes
//! - [`fleet`]: the workers, as their events tell; `broker`: what the broker says
//! - `watched_run`: a run under watch; `poll`: all of them, again and again; `poll_error`: why one cannot be polled
//! - `update`: one run brought up to date; `reports`: its report; `lifecycle`: it is stopped at its limit, and ended
//! - `dead_letters`: shards that were given up

mod broker;
mod dead_letters;
pub mod fleet;
pub(crate) mod gauges;
mod lifecycle;
pub mod live_state;
pub mod pace;
mod poll;
mod poll_error;
mod reports;
pub mod run_view;
mod update;
mod watched_run;

use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use shared::queue::{EventBus, WorkQueue};
use shared::storage::Storage;
use tokio_util::sync::CancellationToken;

pub use self::live_state::LiveState;
pub use self::run_view::RunView;

/// Watches every run of a storage root.
pub struct Collector {
    /// The storage root.
    pub storage: Arc<dyn Storage>,
    /// The queue whose shards are counted and whose dead letters are noted, if there is one.
    pub queue: Option<Arc<dyn WorkQueue>>,
    /// Where workers report what they do, if there is such a place.
    pub events: Option<Arc<dyn EventBus>>,
    /// What it does beside watching.
    pub mode: Mode,
    /// Between two polls.
    pub every: Duration,
    /// Where it notes what it sees.
    pub live: Arc<LiveState>,
    /// Cancelled to stop.
    pub stop: CancellationToken,
}

/// What a collector does beside watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It stops runs in which too much fails, writes manifests and counts, and notes dead letters.
    Manage,
    /// Nothing: the run in this process does it itself.
    Observe,
}

impl Collector {
    /// Watches until told to stop.
    pub async fn run(&self) {
        let (queue, events) = (self.queue.as_deref(), self.events.as_deref());
        let managed = match self.mode {
            Mode::Manage => queue,
            Mode::Observe => None,
        };
        // Where there is no broker, what needs one does not run.
        let dead_letters = managed.map(|queue| self.note_dead_letters(queue));
        let events = events.map(|events| self.consume_events(events));
        let broker = queue.map(|queue| self.poll_broker(queue));
        tokio::select! {
            () = self.stop.cancelled() => {}
            Some(()) = OptionFuture::from(dead_letters) => {}
            Some(()) = OptionFuture::from(events) => {}
            Some(()) = OptionFuture::from(broker) => {}
            () = self.flush_live_state() => {}
            () = self.poll_runs() => {}
        }
    }
}
