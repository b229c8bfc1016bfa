//! Why a worker stops without being asked to.

use std::time::Duration;

use shared::ids::{RunId, ShardId};
use shared::queue::QueueError;

/// Why a worker stopped without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The queue cannot be used.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Nothing will work here.
    #[error("shard {shard} of run {run} stopped this worker: {reason}")]
    Fatal {
        /// The run.
        run: RunId,
        /// The shard that was tried; it goes back uncounted.
        shard: ShardId,
        /// Why, with the whole chain.
        reason: String,
    },
    /// The storage root has none of the runs that messages are about.
    #[error(
        "this storage root has no run {run}: {path} is not there, {} s after it was missed first; is the root mounted, and is \
         it the root that `launch` used?",
        .waited.as_secs()
    )]
    NoRun {
        /// The run that was missed last.
        run: RunId,
        /// Where its record would be.
        path: String,
        /// How long the root was waited for.
        waited: Duration,
    },
    /// The engine hangs or is gone, so that only a new process can go on. The attempt is recorded as failed.
    #[error(
        "the engine does no more work since shard {shard} of run {run}: start this worker anew; {reason}"
    )]
    Stuck {
        /// The run.
        run: RunId,
        /// The shard that was tried.
        shard: ShardId,
        /// Why, with the whole chain.
        reason: String,
    },
}
