//! Why the contract of a model, or a file that it names, cannot be used.

use std::path::{Path, PathBuf};

use crate::read_file;
use crate::storage::StorageError;

/// Why a contract, or a file that it names, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// A file is missing, altered, or not what the contract says.
    #[error("model file {} {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A file cannot be read, and neither can what it lies in: that may pass.
    #[error(
        "model file {} cannot be read: is its folder mounted and permitted here? It is written by onnx-export",
        .path.display()
    )]
    Away {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl ContractError {
    /// Returns what it means that a file of a folder cannot be read. It is waited for unless others of the folder are there.
    #[must_use]
    pub fn unreadable(folder: &Path, path: PathBuf, source: std::io::Error) -> Self {
        if read_file::is_away(folder, &source) {
            return Self::Away { path, source };
        }
        Self::Unusable {
            path,
            reason: format!("cannot be read ({source}); its folder is written by onnx-export"),
        }
    }

    /// Returns whether what the files lie in cannot be read.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Unusable { .. } => false,
        }
    }
}

/// Why a contract at a location cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It cannot be used.
    #[error(transparent)]
    Contract(#[from] ContractError),
}
