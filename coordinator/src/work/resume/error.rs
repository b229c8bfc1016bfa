//! Why nothing can be said or done about what is to be done again.

use shared::decision::DecisionError;
use shared::queue::QueueError;
use shared::storage::StorageError;

use crate::run::changes::ChangeError;
use crate::run::ledger::LedgerError;

/// Why it cannot be said what is to be done again.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// A style or shard that the run does not have.
    #[error("run {run} has no {what}")]
    Unknown {
        /// The run.
        run: String,
        /// What it does not have.
        what: String,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A shard or an attempt cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A decision cannot be stored.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// Inputs of quarantined items have changed, and something was made of the old ones.
    #[error(transparent)]
    Changed(#[from] ChangeError),
    /// The shards cannot be handed to the queue; some of them may be there.
    #[error(transparent)]
    Queue(#[from] QueueError),
}
