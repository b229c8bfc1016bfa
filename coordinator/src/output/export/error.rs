//! Why a run is not exported.

use imaging::InputError;
use shared::failure::chain;
use shared::storage::{StorageError, StorageErrorKind};

use crate::run::ledger::LedgerError;

/// Why a run is not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What is asked for cannot be had: one line that says why, and the way out.
    #[error("{0}")]
    Refused(String),
    /// Pictures of the run are not there any more: one line that names them, and the way out.
    #[error("{0}")]
    Gone(String),
    /// A picture of the run is another one than its row says.
    #[error(
        "{path} has SHA-256 {found}, its row says {stated}: put a copy of it in its place, or remove it and run again to \
         make it anew"
    )]
    Altered {
        /// The picture.
        path: String,
        /// Its digest.
        found: String,
        /// The digest in its row.
        stated: String,
    },
    /// A label of the run cannot be read as what it was stored as.
    #[error(
        "the label {path} cannot be exported ({}): put the run's own file back, or remove it and run again",
        chain(.why)
    )]
    Label {
        /// The label.
        path: String,
        /// Why, which is told within the sentence.
        why: InputError,
    },
    /// What is stored of the run cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Storage, of the run or of the export, failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Something else than what is to be written there is in the export.
    #[error(
        "{path} is there with other bytes than the export has: remove it, or name another --out"
    )]
    Other {
        /// The file.
        path: String,
    },
    /// The export that was read is not there any more.
    #[error("{path} was there a moment ago and is not any more: check whether --out is mounted")]
    Away {
        /// Its record.
        path: String,
    },
    /// It was told to stop.
    #[error("stopped: run the same command again to go on")]
    Stopped,
}

impl ExportError {
    /// Returns what an error of writing there means.
    pub(super) fn of_target(error: StorageError) -> Self {
        match error.kind {
            StorageErrorKind::Conflict => Self::Other { path: error.path },
            StorageErrorKind::NotFound
            | StorageErrorKind::Full
            | StorageErrorKind::Denied
            | StorageErrorKind::Invalid
            | StorageErrorKind::Unavailable => Self::Storage(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_cannot_be_read_is_named_with_why_and_the_way_out() {
        let path = "labels/00001.png".to_owned();
        let name = path.clone();
        let why = InputError::Empty { name };
        let told = chain(&ExportError::Label { path, why });
        let expected = "the label labels/00001.png cannot be exported (labels/00001.png is empty (0 bytes): copy or \
                        download it again): put the run's own file back, or remove it and run again";
        assert_eq!(told, expected);
    }
}
