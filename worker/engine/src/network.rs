//! A network of one graph with its contract, ready to judge outputs.

use std::path::Path;

use kernels::finite::are_finite;
use shared::model::verify_part;
use shared::network::NetworkContract;

use super::EngineError;
use super::runtime::Runtime;
use super::session::{InputSize, PartSession};

/// Loads the graph for images of a size, or of any, after its files were compared with their digests.
pub(super) fn session(
    contract: &NetworkContract,
    runtime: &Runtime,
    size: Option<InputSize>,
) -> Result<PartSession, EngineError> {
    let folder = contract.path.parent().unwrap_or(Path::new("."));
    let part = &contract.network.part;
    verify_part(folder, part)?;
    let session = match size {
        Some(size) => PartSession::load_for(runtime, folder, part, size)?,
        None => PartSession::load(runtime, folder, part)?,
    };
    session.with_outputs_here()
}

/// Returns values of this network, unless some of them are not finite.
pub(super) fn finite(
    contract: &NetworkContract,
    values: Vec<f32>,
) -> Result<Vec<f32>, EngineError> {
    if are_finite(&values) {
        return Ok(values);
    }
    Err(EngineError::NotJudged {
        network: contract.network.name.clone(),
        path: contract.path.clone(),
    })
}
