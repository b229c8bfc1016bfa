//! What is asked of a worker by name, beside the shards that it takes from the queue.

use serde::{Deserialize, Serialize};

/// Something that a worker is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Finish the item in hand, give the shard back and stop.
    Drain,
}
