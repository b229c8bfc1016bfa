//! Inputs that are others than a run was planned with: which they are, and whether the run may go on with them.
//!
//! A run goes on with a changed file if nothing was made of the old one, and without a file that is gone: what is left to be
//! made of it is quarantined as missing. Everything else is refused by name: an output and its input never come from two versions of a file.

mod compare;
mod judge;

pub use compare::{Change, Changes, Difference, of_retried};
pub use judge::{Accepted, judge};
use shared::ids::RunId;
use shared::storage::StorageError;
use shared::wording::first_of;

use crate::ledger::LedgerError;

/// Why a run cannot go on with inputs that have changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// They are not those that it was planned with, and it depends on those.
    #[error("run {run} was planned with other inputs: {}; {}; {advice}", .found.join(", "), first_of(.refused, "; "))]
    Refused {
        /// The run.
        run: RunId,
        /// How they have changed.
        found: Vec<String>,
        /// What of that cannot be accepted, and why.
        refused: Vec<String>,
        /// What to do.
        advice: &'static str,
    },
    /// What was made of them cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was made of them cannot be listed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
