//! A worker as it is shown.

use jiff::Timestamp;
use shared::platform::Platform;
use shared::queue::message::ShardInHand;

/// A worker at a moment. Its times are by this machine's clock as it is set at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: WorkerState,
    /// Its device, once a heartbeat has told.
    pub device: Option<String>,
    /// What its device computes with, once a heartbeat has told.
    pub platform: Platform,
    /// The shard in its hands.
    pub work: Option<ShardInHand>,
    /// When it was heard last.
    pub heard_at: Timestamp,
    /// Why it ended, once it has said so.
    pub stopped: Option<String>,
    /// Since when it is asked to finish what it has in hand and stop.
    pub drained_at: Option<Timestamp>,
    /// Items that it was heard to end.
    pub items_ended: u64,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkerState {
    /// It has a shard in hand.
    Working,
    /// It waits for a shard.
    Waiting,
    /// It was not heard for too long.
    Silent,
    /// It said that it ends.
    Stopped,
}
