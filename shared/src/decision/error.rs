//! Why the decisions about a run cannot be read, or one more not be made.

use crate::ids::RunId;
use crate::seal::DocumentError;
use crate::storage::StorageError;

/// Why decisions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// One of them is no decision.
    #[error("{path} is no decision of this version")]
    Malformed {
        /// The object.
        path: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// What was to be decided names more than a decision can hold.
    #[error(
        "a decision about run {run} would have {found} bytes, expected at most {most}: choose fewer items at once"
    )]
    TooLarge {
        /// The run.
        run: RunId,
        /// What it would have.
        found: u64,
        /// What it may have.
        most: u64,
    },
    /// Another decision came first, and what was to be decided depends on it.
    #[error("something else was decided about run {run} meanwhile: look at it, and decide anew")]
    Meanwhile {
        /// The run.
        run: RunId,
    },
}
