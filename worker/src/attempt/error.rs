use std::path::PathBuf;

use shared::failure::FailureClass;
use shared::manifest::ManifestError;
use shared::storage::{StorageError, StorageErrorKind};

use crate::dataset::InputError;
use crate::engine::EngineError;
use crate::engine_thread::EngineGone;

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// An artifact cannot be stored or read.
    #[error("storage failed")]
    Storage(#[from] StorageError),
    /// The engine failed.
    #[error("the engine failed")]
    Engine(#[from] EngineError),
    /// The shard's rows cannot be written.
    #[error("the shard's manifest failed")]
    Manifest(#[from] ManifestError),
    /// An output cannot be encoded.
    #[error("an output cannot be encoded")]
    Encode(#[source] InputError),
    /// An input file cannot be read just now.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl From<EngineGone> for AttemptError {
    fn from(gone: EngineGone) -> Self {
        Self::Engine(EngineError::Gone(gone))
    }
}

impl AttemptError {
    /// Returns what the failure leads to.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Storage(error) => match error.kind {
                StorageErrorKind::Unavailable => FailureClass::Transient,
                StorageErrorKind::NotFound
                | StorageErrorKind::Conflict
                | StorageErrorKind::Full
                | StorageErrorKind::Denied => FailureClass::Fatal,
            },
            Self::Engine(error) => error.class(),
            Self::Read { .. } => FailureClass::Transient,
            Self::Manifest(_) | Self::Encode(_) => FailureClass::Fatal,
        }
    }
}
