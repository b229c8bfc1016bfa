//! Fusion: parts of a graph that one operator of ours computes faster become a node of that operator.
//!
//! A model file stays plain ONNX. When it is loaded, what it says is read (`onnx`), each [`Fusion`] finds the parts that its
//! kernel of [`kernels`] computes, and puts nodes in their place (`graph_rewriter`), of a domain of operators that this
//! program brings along (`custom_ops`). The rest is ONNX Runtime's.
//!
//! A new operator is a kernel, a file here that implements [`CustomOp`] and [`Fusion`] for it, and a line in [`FUSIONS`].

mod attentions;
mod convolutions;
mod custom_ops;
mod gated_gelus;
mod graph_rewriter;
mod group_norms;
mod linears;
mod onnx;
mod pointwise;
mod small_convolutions;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use kernels::bf16::Operands;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use prost::Message;
use shared::read_file::{self, max_bytes};

use self::custom_ops::{CustomOp, CustomOps, OpRegistry, RegisteredOp};
use self::graph_rewriter::GraphRewriter;
use self::onnx::{Model, OperatorSet};
use crate::cause;

/// Where ONNX Runtime looks for the weights of a model that it gets as bytes.
const FOLDER_OF_WEIGHTS: &str = "session.model_external_initializers_file_folder_path";

/// The fusions, in the order in which they look at a graph: what one takes, those after it do not see.
const FUSIONS: &[Fuse] = &[
    // A convolution takes the normalisation before it along.
    fuse::<kernels::convolution::Convolution>,
    fuse::<kernels::group_norm::GroupNorm>,
    // The sums before an activation are its own, so products come after it.
    fuse::<kernels::gated_gelu::GatedGelu>,
    fuse::<kernels::linear::Linear>,
    fuse::<kernels::pointwise::Pointwise>,
    fuse::<kernels::small_convolution::SmallConvolution>,
    fuse::<kernels::attention::MultiHeadAttention>,
];

/// An operator and the parts of graphs that it takes the place of.
trait Fusion: CustomOp {
    /// Puts nodes of this operator in the place of all parts that it computes, and their kernels into `registry`.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if constants of such a part cannot be read.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError>;
}

/// Runs one fusion on a graph; returns the operator with the kernels of its nodes.
type Fuse = fn(&mut GraphRewriter<'_>) -> Result<Box<dyn RegisteredOp>, LoadError>;

fn fuse<C: Fusion>(rewriter: &mut GraphRewriter<'_>) -> Result<Box<dyn RegisteredOp>, LoadError> {
    let mut registry = OpRegistry::<C>::default();
    // What the graphs inside read is not seen.
    if !rewriter.has_graphs_inside() {
        C::fuse(rewriter, &mut registry)?;
    }
    Ok(Box::new(registry))
}

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

/// Returns a session on a model file, with our operators where they are faster, whose products are made of `operands`.
///
/// # Errors
///
/// [`LoadError`] if the file or its weights cannot be read, or ONNX Runtime refuses the model.
pub(super) fn load(
    builder: SessionBuilder,
    path: &Path,
    operands: Operands,
) -> Result<Session, LoadError> {
    let folder = path.parent().expect("a graph is a file in a folder");
    let model = read_file::read(path, max_bytes::GRAPH).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    let (model, ops) = rewrite(&model, folder, operands)?;
    tracing::debug!(file = %path.display(), nodes = %ops, "replaced parts of the graph");
    let mut builder = builder
        .with_operators(ops.into_domain()?)
        .map_err(ort::Error::from)?
        .with_config_entry(FOLDER_OF_WEIGHTS, folder.to_string_lossy())
        .map_err(ort::Error::from)?;
    Ok(builder.commit_from_memory(&model)?)
}

/// Returns a model whose graph has nodes of our operators, and these operators with their kernels. Weights are read from
/// the model or from files in `folder`.
fn rewrite(
    model: &[u8],
    folder: &Path,
    operands: Operands,
) -> Result<(Vec<u8>, CustomOps), LoadError> {
    let mut model = Model::decode(model)?;
    let mut ops = CustomOps::default();
    if let Some(graph) = model.graph.take() {
        let mut rewriter = GraphRewriter::new(graph, folder, operands)?;
        for fuse in FUSIONS {
            ops.push(fuse(&mut rewriter)?);
        }
        model.graph = Some(rewriter.finish());
    }
    model.opset_import.push(OperatorSet {
        domain: Some(custom_ops::DOMAIN.to_owned()),
        version: Some(1),
    });
    Ok((model.encode_to_vec(), ops))
}
