//! Contracts of the networks that judge outputs, wherever they lie.

use std::path::{Path, PathBuf};

use shared::location::Location;
use shared::source;
use shared::storage::StorageError;
use worker::engine::EngineError;
use worker::engine::network::NetworkContract;

/// Why a network's contract cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// It cannot be reached.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Returns the contract `file` of the network at a location. Its other files are left to whoever loads it.
///
/// # Errors
///
/// [`NetworkError`] naming the file.
pub async fn contract(at: &Location, file: &str) -> Result<NetworkContract, NetworkError> {
    match at {
        Location::Folder(folder) => Ok(NetworkContract::load(folder, file)?),
        Location::Bucket(_) => {
            let json = source::open(at).await?.read(Path::new(file)).await?;
            let path = PathBuf::from(at.to_string()).join(file);
            Ok(NetworkContract::from_json(&json, path)?)
        }
    }
}
