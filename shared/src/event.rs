//! What workers say while they work. Losing events loses nothing but liveliness.

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;
use crate::ids::{ItemId, RunId, ShardId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: jiff::Timestamp,
    /// At which worker.
    pub worker: String,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Happening {
    /// The worker is alive.
    Heartbeat {
        /// Its device.
        device: String,
        /// The shard in its hands.
        work: Option<ShardInHand>,
    },
    /// An item has its row.
    ItemEnded {
        /// The run.
        run: RunId,
        /// The shard.
        shard: ShardId,
        /// The item.
        item: ItemId,
    },
    /// A shard was committed.
    ShardCommitted {
        /// The run.
        run: RunId,
        /// The shard.
        shard: ShardId,
        /// Its items that are done.
        done: u32,
        /// Its items that are not.
        not_done: u32,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The run.
        run: RunId,
        /// The shard.
        shard: ShardId,
        /// Number of the attempt.
        attempt: u32,
        /// Its class.
        class: FailureClass,
        /// Why, with the whole chain.
        error: String,
        /// Whether the shard is given up.
        last: bool,
    },
    /// The worker ends.
    WorkerStopped {
        /// Why.
        reason: String,
    },
}

/// A shard that a worker works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardInHand {
    /// The run.
    pub run: RunId,
    /// The shard.
    pub shard: ShardId,
    /// What is being done, for people: `loading inputs`, `recording a style`, `denoising`, `storing`, ...
    pub step: String,
    /// Items that have their row.
    pub items_ended: u32,
    /// When work on the shard began.
    pub since: jiff::Timestamp,
}

impl Event {
    /// Returns the routing key: `{run}.{kind}`, or `worker.{kind}` for what belongs to no run.
    #[must_use]
    pub fn routing_key(&self) -> String {
        match &self.what {
            Happening::Heartbeat { .. } => "worker.heartbeat".to_owned(),
            Happening::WorkerStopped { .. } => "worker.stopped".to_owned(),
            Happening::ItemEnded { run, .. } => format!("{run}.item-ended"),
            Happening::ShardCommitted { run, .. } => format!("{run}.shard-committed"),
            Happening::AttemptFailed { run, .. } => format!("{run}.attempt-failed"),
        }
    }
}
