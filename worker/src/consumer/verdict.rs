//! What becomes of a message, and of the worker that had it.

use shared::ids::RunId;
use shared::queue::Settlement;
use shared::queue::message::ShardTask;

use super::ConsumerError;

/// What becomes of a message, and of the worker that had it.
pub(super) struct Verdict {
    pub(super) settlement: Settlement,
    /// Why no other message is taken.
    pub(super) stop: Option<ConsumerError>,
    /// Whether to wait before the message is settled and the next one is taken.
    pub(super) failed: bool,
    /// A run that is not in the storage root, which has no other one either: it is waited for before a message is taken.
    pub(super) awaited: Option<RunId>,
}

impl Verdict {
    pub(super) fn settle(settlement: Settlement) -> Self {
        Self {
            settlement,
            stop: None,
            failed: false,
            awaited: None,
        }
    }

    /// Nothing can be made of the shard here and now, which says nothing about it.
    pub(super) fn give_back(reason: &str) -> Self {
        tracing::error!(reason, "the shard goes back: the attempt does not count");
        Self {
            failed: true,
            ..Self::settle(Settlement::Release)
        }
    }

    /// Nothing will work here: the shard goes back, and the worker stops.
    pub(super) fn fatal(task: &ShardTask, reason: String) -> Self {
        Self {
            stop: Some(ConsumerError::Fatal {
                run: task.run.clone(),
                shard: task.shard,
                reason,
            }),
            ..Self::settle(Settlement::Release)
        }
    }
}
