//! The proof that files are those that a contract names, by their digests.

use std::path::Path;

use super::{ContractError, GraphFile};
use crate::digest;
use crate::read_file::{self, max_bytes};

/// Proves that a graph's files have the digests that its contract gives.
///
/// # Errors
///
/// [`ContractError`] naming the first file that is missing or altered.
pub fn verify_graph(folder: &Path, graph: &GraphFile) -> Result<(), ContractError> {
    for (file, expected) in files_of_graph(graph) {
        verify(folder, &file, &expected)?;
    }
    Ok(())
}

/// Returns the files of a graph with their digests.
pub(super) fn files_of_graph(graph: &GraphFile) -> impl Iterator<Item = (String, String)> + use<> {
    let file = (graph.file.clone(), graph.sha256.clone());
    let data = graph
        .data
        .as_ref()
        .map(|data| (data.file.clone(), data.sha256.clone()));
    [file].into_iter().chain(data)
}

/// Proves that a file has a digest.
pub(super) fn verify(folder: &Path, file: &str, expected: &str) -> Result<(), ContractError> {
    let path = folder.join(file);
    let found = read_file::open_within(&path, max_bytes::WEIGHTS).and_then(digest::sha256_of_open);
    let found = match found {
        Ok(found) => found,
        Err(error) => return Err(ContractError::unreadable(folder, path, error)),
    };
    if found == expected {
        return Ok(());
    }
    // The digest that was found is not told: a link may lead to a file that is secret.
    Err(ContractError::Unusable {
        path,
        reason: format!(
            "is truncated or altered: its SHA-256 is not {expected}, as the contract says; copy or export it again"
        ),
    })
}

/// Returns why the files of a graph that were verified can be read no more; nothing if they can.
#[must_use]
pub fn gone(folder: &Path, graph: &GraphFile) -> Option<ContractError> {
    files_of_graph(graph).find_map(|(file, _)| {
        let path = folder.join(file);
        let error = read_file::open(&path).err()?;
        Some(ContractError::unreadable(folder, path, error))
    })
}
