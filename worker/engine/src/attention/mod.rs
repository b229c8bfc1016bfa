//! The attention of the injected layers, computed on the device that their tensors are on.
//!
//! - [`host`]: by the functions of [`method`], on the CPU
//! - [`graph`]: the same as ONNX graphs, on any device; `writer`, `weak`, `strong` and `median` say what is in them
//! - `fused`: the same by kernels of ours, on GPUs that there are some for

mod fused;
pub mod graph;
pub mod host;
mod median;
mod strong;
#[cfg(test)]
mod tests;
mod weak;
mod writer;

use std::fmt;

use ort::value::DynValue;
use shared::settings::{Device, InjectionKernels};

use self::fused::{NotFused, Unsupported};
use crate::EngineError;
use crate::runtime::Runtime;
use method::attention::{Heads, SoftmaxStats};
use method::class_filter::{ClassFilter, KeptPairs};
use method::filtering::Filter;
use shared::model::{InjectedLayer, Precision};

/// Tensors of a layer, each `(1, tokens, heads * head_width)`.
#[derive(Debug)]
pub struct LayerTensors {
    /// Query.
    pub query: DynValue,
    /// Key.
    pub key: DynValue,
    /// Value.
    pub value: DynValue,
    /// What they are projected from, `(1, tokens, heads * head_width)`, of layers that hand it over.
    pub input: Option<DynValue>,
}

/// Tensors of a style's layer, each `(1, tokens, heads * head_width)`.
#[derive(Debug)]
pub struct StyleLayer {
    /// Key.
    pub key: DynValue,
    /// Value.
    pub value: DynValue,
    /// What they are projected from, of layers that vote on classes.
    pub input: Option<DynValue>,
}

impl StyleLayer {
    /// Returns its tensors, key and value first.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &DynValue> {
        [&self.key, &self.value].into_iter().chain(&self.input)
    }

    /// Returns the layer of what is made of each tensor.
    pub(crate) fn try_map<E>(
        &self,
        mut map: impl FnMut(&DynValue) -> Result<DynValue, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            key: map(&self.key)?,
            value: map(&self.value)?,
            input: self.input.as_ref().map(map).transpose()?,
        })
    }
}

/// A layer of the content branch, kept for the outputs of the same step.
#[derive(Debug)]
pub struct ContentLayer {
    /// Its query, key and value.
    pub tensors: LayerTensors,
    /// Row maxima and denominators of its self-attention, if they are kept on the host for reuse.
    pub softmax_stats: Option<SoftmaxStats>,
}

/// The result of an image's self-attention.
#[derive(Debug)]
pub struct SelfAttention {
    /// The attended values `(1, tokens, heads * head_width)`.
    pub output: DynValue,
    /// Row maxima and denominators, if they are kept on the host for reuse.
    pub softmax_stats: Option<SoftmaxStats>,
}

/// What an output attends to where attention is filtered by class.
#[derive(Debug)]
pub struct ClassTensors<'a> {
    /// The output's query.
    pub query: &'a DynValue,
    /// The style's layer.
    pub style: &'a StyleLayer,
    /// The attention of the content to itself, `(1, tokens, heads * head_width)`.
    pub content: &'a DynValue,
    /// The content's class at each query.
    pub query_classes: &'a [u8],
    /// The style's class at each key.
    pub key_classes: &'a [u8],
    /// Whether it is read which pairs are kept.
    pub reads_kept: bool,
}

/// The settings of cross-image attention: how outputs attend to their styles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InjectedAttention {
    /// Factor by which attention weights are stretched about their mean, `1 / tokens`; 1 leaves them.
    pub contrast_strength: f32,
    /// The filter of CACTIF; none for plain injection.
    pub filter: Option<Filter>,
}

/// What computes the attention of injected layers, as it is recorded of what comes out: bytes depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelKind {
    /// Functions on the CPU.
    Host,
    /// Graphs of ONNX Runtime.
    Graph,
    /// Fused kernels of this program.
    Fused {
        /// The architecture of GPUs that they are compiled for, such as 90.
        architecture: u32,
    },
}

impl fmt::Display for KernelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Graph => f.write_str("graph"),
            Self::Fused { architecture } => write!(f, "fused sm_{architecture}"),
        }
    }
}

/// Computes the attention of injected layers.
pub trait AttentionKernel: Send {
    /// Returns what computes injected attention.
    fn kind(&self) -> KernelKind;

    /// Returns the self-attention of an image.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if tensors do not fit the layer or the device fails.
    fn self_attention(
        &mut self,
        layer: &InjectedLayer,
        image: &LayerTensors,
    ) -> Result<SelfAttention, EngineError>;

    /// Returns the attention of an output, whose query is given, to its style, `(1, tokens, heads * head_width)`; a filter
    /// needs the content's tensors.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if tensors do not fit the layer or the device fails.
    fn cross_image_attention(
        &mut self,
        layer: &InjectedLayer,
        query: &DynValue,
        style: &StyleLayer,
        content: Option<&ContentLayer>,
    ) -> Result<DynValue, EngineError>;

    /// Returns the attention of an output to strong pairs of one class, `(1, tokens, heads * head_width)`, and, where that is
    /// read, which these are.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if tensors do not fit the layer or the device fails.
    fn class_filtered_attention(
        &mut self,
        layer: &InjectedLayer,
        tensors: &ClassTensors<'_>,
        filter: &ClassFilter,
    ) -> Result<(DynValue, Option<KeptPairs>), EngineError>;

    /// Returns a copy of a tensor `(1, tokens, heads * head_width)` that may be kept, on the same device.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if it is of another kind or the device fails.
    fn copied(&mut self, tensor: &DynValue) -> Result<DynValue, EngineError>;
}

/// What is to be done where fused kernels fail, in words.
pub(crate) const WITHOUT_FUSED: &str = "[engine] injection = \"graph\" (of a worker: injection = \"graph\") goes on without fused kernels";

/// Returns the fastest kernel for some layers that leaves tensors on the runtime's device, of those that its settings allow
/// and, where attention is filtered by class, of those that can.
///
/// Which one it is depends on device, layers, method, settings and this program alone, and never on what fails.
///
/// # Errors
///
/// [`EngineError::Device`] if fused kernels are wanted of a GPU, and it has none for these layers, or if it has some and
/// they cannot be loaded.
pub fn on<'a>(
    runtime: &Runtime,
    precision: Precision,
    settings: InjectedAttention,
    is_by_class: bool,
    layers: impl Iterator<Item = &'a InjectedLayer>,
) -> Result<Box<dyn AttentionKernel>, EngineError> {
    let device = runtime.device();
    let number = match device {
        Device::Cpu => {
            let kernels = host::HostAttention::new(precision, settings);
            return Ok(Box::new(kernels.with_operands(runtime.operands())));
        }
        Device::Cuda(number) => number,
    };
    let graphs = || Box::new(graph::GraphAttention::new(runtime, precision, settings));
    let injection = runtime.injection();
    match injection {
        InjectionKernels::Graph => return Ok(graphs()),
        InjectionKernels::Auto | InjectionKernels::Fused => {}
    }
    let fused = match is_by_class {
        true => Err(Unsupported::ByClass.into()),
        false => fused::FusedAttention::new(runtime, number, precision, settings, layers),
    };
    match fused {
        Ok(kernels) => {
            let kind = kernels.kind();
            tracing::info!("injected layers are computed by kernels: {kind}");
            Ok(Box::new(kernels))
        }
        Err(error) => {
            let reason = why_graphs(device, injection, error)?;
            tracing::info!("injected layers are computed by graphs: {reason}");
            Ok(graphs())
        }
    }
}

/// Returns why graphs take the place of fused kernels, where they may: for lack of kernels, and never because something
/// failed, so that the same GPU computes the same bytes at every attempt.
fn why_graphs(
    device: Device,
    injection: InjectionKernels,
    error: NotFused,
) -> Result<Unsupported, EngineError> {
    let reason = match (error, injection) {
        (NotFused::Unsupported(reason), InjectionKernels::Auto | InjectionKernels::Graph) => {
            return Ok(reason);
        }
        (NotFused::Unsupported(reason), InjectionKernels::Fused) => format!(
            "fused kernels were asked for, and {reason}; set injection of the engine to auto or graph"
        ),
        (NotFused::Failed(failure), _) => {
            format!("its kernels of injected layers cannot be used: {failure}; {WITHOUT_FUSED}")
        }
    };
    Err(EngineError::Device { device, reason })
}

/// Returns the error of a filter without a content to fall back on.
fn no_content() -> ort::Error {
    ort::Error::new("filtered attention needs the content's tensors, and got none")
}

/// Returns number and width of a layer's heads.
pub(crate) fn heads_of(layer: &InjectedLayer) -> Heads {
    Heads::of(layer.heads, layer.head_width)
}
