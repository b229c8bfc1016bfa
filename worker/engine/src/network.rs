//! What the networks beside the model share: each is one graph with a contract.

use kernels::finite::are_finite;
use shared::model::verify_graph;
use shared::network::NetworkContract;

use crate::EngineError;
use crate::runtime::Runtime;
use crate::session::{GraphSession, InputSize};

/// Loads a network's graph after its files were compared with their digests. `size` is the fixed size of
/// its images; required on a GPU, to which the nodes that compute sizes would be left.
pub(super) fn session(
    contract: &NetworkContract,
    runtime: &Runtime,
    size: Option<InputSize>,
) -> Result<GraphSession, EngineError> {
    let folder = contract.path.parent();
    let folder = folder.expect("a contract is a file in a folder");
    let graph = &contract.network.graph;
    verify_graph(folder, graph)?;
    let session = match size {
        Some(size) => GraphSession::load_for(runtime, folder, graph, size)?,
        None => GraphSession::load(runtime, folder, graph)?,
    };
    session.with_host_outputs()
}

/// Returns values that a network gave, unless some of them are not finite.
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
