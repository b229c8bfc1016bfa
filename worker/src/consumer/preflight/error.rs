//! Why no attempt at a shard can begin.

use shared::decision::DecisionError;
use shared::failure::{FailureClass, StorageUse};
use shared::manifest::ManifestError;
use shared::plan::PlanError;
use shared::storage::{StorageError, StorageErrorKind};

use crate::run_context::RunContextError;

/// Why the checks before an attempt give no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::consumer) enum PreflightError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    RunContext(#[from] RunContextError),
    #[error("{path} is damaged")]
    Manifest {
        path: String,
        #[source]
        source: ManifestError,
    },
}

impl PreflightError {
    pub(super) fn class(&self) -> FailureClass {
        match self {
            // It is there, and no file of ours: no waiting helps.
            Self::Storage(error) if error.refused().is_some() => FailureClass::Unworkable,
            Self::Storage(error) | Self::Decision(DecisionError::Storage(error)) => {
                FailureClass::of_storage(error.kind, StorageUse::Preflight)
            }
            Self::Plan(PlanError::Storage(error)) => {
                FailureClass::of_storage(error.kind, StorageUse::Plan)
            }
            Self::Decision(
                DecisionError::Malformed { .. }
                | DecisionError::TooLarge { .. }
                | DecisionError::Meanwhile { .. },
            )
            | Self::Plan(PlanError::Malformed { .. })
            | Self::Manifest { .. } => FailureClass::Unworkable,
            Self::RunContext(error) => error.class(),
        }
    }

    /// Returns whether the storage root refuses an object of the run.
    pub(super) fn is_denied(&self) -> bool {
        match self {
            Self::Storage(error)
            | Self::Decision(DecisionError::Storage(error))
            | Self::Plan(PlanError::Storage(error)) => error.kind == StorageErrorKind::Denied,
            Self::Decision(
                DecisionError::Malformed { .. }
                | DecisionError::TooLarge { .. }
                | DecisionError::Meanwhile { .. },
            )
            | Self::Plan(PlanError::Malformed { .. })
            | Self::RunContext(_)
            | Self::Manifest { .. } => false,
        }
    }

    /// Returns whether what the run needs beside the storage root is away.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::RunContext(error) => error.is_away(),
            Self::Storage(_) | Self::Decision(_) | Self::Plan(_) | Self::Manifest { .. } => false,
        }
    }

    /// Returns whether it is about what the run needs beside the storage root: other runs may need something else.
    pub(super) fn is_of_context(&self) -> bool {
        match self {
            Self::RunContext(_) => true,
            Self::Storage(_) | Self::Decision(_) | Self::Plan(_) | Self::Manifest { .. } => false,
        }
    }
}
