//! Why bytes are not the record of a run.

use super::MAX_BYTES;
use crate::ids::RunId;
use crate::run_record::FORMAT_VERSION;
use crate::seal::SealError;

/// Why bytes are not the record of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// It is larger than any record.
    #[error("it has {found} bytes, expected at most {most}", most = MAX_BYTES)]
    TooLarge {
        /// Its bytes.
        found: usize,
    },
    /// It was written by another version.
    #[error("its format_version is {found}, expected {expected}", expected = FORMAT_VERSION)]
    Version {
        /// What it says.
        found: u32,
    },
    /// It is no JSON, or has other fields than a record: this, and where.
    #[error("{0}")]
    Malformed(String),
    /// It is the record of another run.
    #[error("its run is {found}, expected {folder} as its folder says: it was copied or renamed")]
    OtherRun {
        /// The run that it is of.
        found: RunId,
        /// The run whose folder it lies in.
        folder: RunId,
    },
    /// A value is out of all proportion.
    #[error("its {field} is {found}, expected {expected}")]
    Value {
        /// The field.
        field: String,
        /// What it is.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// A setting is out of its range.
    #[error("its {0}")]
    Setting(String),
    /// What is frozen has another digest.
    #[error(
        "its plan_hash is {stated}, expected {found} of what it freezes: a value in frozen, or plan_hash itself, was altered"
    )]
    PlanHash {
        /// What it says.
        stated: String,
        /// What is frozen gives.
        found: String,
    },
    /// Something beside what is frozen was altered.
    #[error(transparent)]
    Seal(#[from] SealError),
}
