//! Parts of a graph by our own [operators](crate::operators).
//!
//! A model file stays plain ONNX. When it is loaded, what it says is read (`onnx`); parts that an operator of ours
//! computes faster are found (`convolutions`, `group_norms`, `pointwise`, `linears`, `gated_gelus`, `attentions`) and replaced
//! (`graph`) by nodes of a domain that this program brings along (`domain`). The rest is ONNX Runtime's.

mod attentions;
mod convolutions;
mod domain;
mod gated_gelus;
mod graph;
mod group_norms;
mod linears;
mod onnx;
mod pointwise;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use ort::session::Session;
use ort::session::builder::SessionBuilder;
use prost::Message;
use shared::read_file::{self, max_bytes};

use self::domain::Operators;
use self::graph::Editor;
use self::onnx::{Model, OperatorSet};
use super::cause;

/// Where ONNX Runtime looks for the weights of a model that it gets as bytes.
const FOLDER_OF_WEIGHTS: &str = "session.model_external_initializers_file_folder_path";

/// Why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("{} cannot be read: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("it is no ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("the weights {0} are not as long as their shape says")]
    Length(String),
    #[error("{}", cause(.0.message()))]
    Refused(#[from] ort::Error),
}

/// Returns a session on a model file, with our operators where they are faster.
///
/// # Errors
///
/// [`LoadError`] if the file or its weights cannot be read, or ONNX Runtime refuses the model.
pub(super) fn load(builder: SessionBuilder, path: &Path) -> Result<Session, LoadError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let model = read_file::read(path, max_bytes::GRAPH).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    let (model, operators) = replace(&model, folder)?;
    tracing::debug!(
        file = %path.display(),
        convolutions = operators.convolutions.len(),
        pointwise = operators.pointwise.len(),
        group_norms = operators.group_norms.len(),
        gated_gelus = operators.gated_gelus.len(),
        linears = operators.linears.len(),
        attentions = operators.attentions.len(),
        "replaced parts of the graph"
    );
    let mut builder = builder
        .with_operators(domain::of(operators)?)
        .map_err(ort::Error::from)?
        .with_config_entry(FOLDER_OF_WEIGHTS, folder.to_string_lossy())
        .map_err(ort::Error::from)?;
    Ok(builder.commit_from_memory(&model)?)
}

/// Returns a model that refers to our operators, and what its nodes refer to. Weights are read from the model or from
/// files in `folder`.
fn replace(model: &[u8], folder: &Path) -> Result<(Vec<u8>, Operators), LoadError> {
    let mut model = Model::decode(model)?;
    let mut operators = Operators::default();
    if let Some(graph) = model.graph.take() {
        let mut editor = Editor::new(graph, folder)?;
        if !editor.has_graphs_inside() {
            // A convolution takes the normalisation before it along.
            convolutions::replace(&mut editor, &mut operators.convolutions)?;
            group_norms::replace(&mut editor, &mut operators.group_norms)?;
            // The sums before an activation are its own, so products come after it.
            gated_gelus::replace(&mut editor, &mut operators.gated_gelus)?;
            linears::replace(&mut editor, &mut operators.linears)?;
            pointwise::replace(&mut editor, &mut operators.pointwise)?;
            attentions::replace(&mut editor, &mut operators.attentions);
        }
        model.graph = Some(editor.finish());
    }
    model.opset_import.push(OperatorSet {
        domain: Some(domain::DOMAIN.to_owned()),
        version: Some(1),
    });
    Ok((model.encode_to_vec(), operators))
}
