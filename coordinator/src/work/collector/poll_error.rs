//! Why a run cannot be polled.

use shared::decision::DecisionError;
use shared::storage::{StorageError, StorageErrorKind};

use crate::output::collect::CollectError;
use crate::output::report::ReportError;
use crate::run::freeze::FreezeError;
use crate::run::ledger::LedgerError;

/// Why a run cannot be polled just now.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
}

impl PollError {
    /// Returns whether storage does not answer, for any run.
    pub(super) fn is_outage(&self) -> bool {
        let of_storage = match self {
            Self::Storage(error)
            | Self::Freeze(FreezeError::Storage(error))
            | Self::Collect(CollectError::Storage(error))
            | Self::Report(ReportError::Storage(error)) => Some(error),
            Self::Ledger(error) | Self::Collect(CollectError::Ledger(error)) => error.of_storage(),
            Self::Decision(error) => of_decision(error),
            Self::Freeze(
                FreezeError::Different { .. }
                | FreezeError::Missing { .. }
                | FreezeError::Malformed { .. }
                | FreezeError::Leftovers { .. },
            )
            | Self::Collect(CollectError::Manifest(_) | CollectError::Temporary(_))
            | Self::Report(ReportError::Statistics { .. }) => None,
        };
        of_storage.is_some_and(|error| error.kind == StorageErrorKind::Unavailable)
    }
}

fn of_decision(error: &DecisionError) -> Option<&StorageError> {
    match error {
        DecisionError::Storage(error) => Some(error),
        DecisionError::Malformed { .. }
        | DecisionError::TooLarge { .. }
        | DecisionError::Meanwhile { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: StorageErrorKind) -> StorageError {
        StorageError {
            kind,
            operation: "read",
            path: "run.json".to_owned(),
            source: None,
        }
    }

    #[test]
    fn an_outage_is_one_wherever_storage_was_asked() {
        let wrapped: [fn(StorageError) -> PollError; 8] = [
            |error| error.into(),
            |error| FreezeError::from(error).into(),
            |error| LedgerError::from(error).into(),
            |error| LedgerError::from(DecisionError::from(error)).into(),
            |error| CollectError::from(error).into(),
            |error| CollectError::from(LedgerError::from(error)).into(),
            |error| ReportError::from(error).into(),
            |error| DecisionError::from(error).into(),
        ];
        for (position, wrapped) in wrapped.into_iter().enumerate() {
            let outage = wrapped(error(StorageErrorKind::Unavailable));
            assert!(outage.is_outage(), "{position}: {outage:?}");
            let other = wrapped(error(StorageErrorKind::Denied));
            assert!(!other.is_outage(), "{position}: {other:?}");
        }
    }
}
