//! Why what storage says cannot be read, and whether a file of a shard is to blame.

use shared::decision::DecisionError;
use shared::manifest::ManifestError;
use shared::storage::StorageError;
use shared::wording::first_of;

use crate::run::gone::{RUN_AGAIN, Vanished};
use crate::run::unreadable::Unreadable;

/// Why the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A decision cannot be read.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// Something of a shard was listed and is not there any more.
    #[error("{}; {}", .0, RUN_AGAIN)]
    Gone(Vanished),
    /// Something of a shard cannot be read, and the rest of storage can.
    #[error("{0}: put a copy of it in its place, or remove it and run again to make it anew")]
    Unreadable(#[source] Unreadable),
    /// A manifest is damaged.
    #[error("{path} is damaged: remove it and run again to make it anew")]
    Manifest {
        /// The shard's manifest.
        path: String,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A manifest has other rows than those of its shard or revision.
    #[error(
        "{path} holds other rows than it must: {}: remove it and run again to make it anew",
        first_of(.differences, "; ")
    )]
    OtherRows {
        /// The shard's manifest.
        path: String,
        /// What differs.
        differences: Vec<String>,
    },
}

impl LedgerError {
    /// Returns whether it is about a file of a shard that is damaged or cannot be read, and not about storage: nothing but
    /// removing the file helps, and other shards are not concerned.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Manifest { .. } | Self::OtherRows { .. } => true,
            Self::Storage(_) | Self::Decision(_) | Self::Gone(_) => false,
        }
    }

    /// Returns what storage said, if it is about storage.
    #[must_use]
    pub fn of_storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) | Self::Decision(DecisionError::Storage(error)) => Some(error),
            Self::Decision(
                DecisionError::Malformed { .. }
                | DecisionError::TooLarge { .. }
                | DecisionError::Meanwhile { .. },
            )
            | Self::Gone(_)
            | Self::Unreadable(_)
            | Self::Manifest { .. }
            | Self::OtherRows { .. } => None,
        }
    }
}
