//! The attention of the injected layers, computed on the device that their tensors are on.
//!
//! - [`host`]: by the functions of [`method`], on the CPU
//! - [`graph`]: the same as ONNX graphs, on any device; `writer` and `weak` say what is in them

pub mod graph;
pub mod host;
#[cfg(test)]
mod tests;
mod weak;
mod writer;

use ort::value::DynValue;
use shared::settings::Device;

use crate::EngineError;
use crate::runtime::Runtime;
use method::attention::{Heads, SoftmaxStats};
use method::filtering::Filter;
use shared::model::{InjectedLayer, Precision};

/// Query, key and value of a layer, each `(1, tokens, heads * head_width)`.
#[derive(Debug)]
pub struct LayerTensors {
    /// Query.
    pub query: DynValue,
    /// Key.
    pub key: DynValue,
    /// Value.
    pub value: DynValue,
}

/// Key and value of a style's layer, each `(1, tokens, heads * head_width)`.
#[derive(Debug)]
pub struct StyleLayer {
    /// Key.
    pub key: DynValue,
    /// Value.
    pub value: DynValue,
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

/// The settings of cross-image attention: how outputs attend to their styles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InjectedAttention {
    /// Factor by which attention weights are stretched about their mean, `1 / tokens`; 1 leaves them.
    pub contrast_strength: f32,
    /// The filter of CACTIF; none for plain injection.
    pub filter: Option<Filter>,
}

/// Computes the attention of injected layers.
pub trait AttentionKernel: Send {
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
}

/// Returns the fastest kernel that leaves tensors on the runtime's device.
#[must_use]
pub fn on(
    runtime: &Runtime,
    precision: Precision,
    how: InjectedAttention,
) -> Box<dyn AttentionKernel> {
    match runtime.device() {
        Device::Cpu => Box::new(host::HostAttention::new(precision, how)),
        Device::Cuda(_) => Box::new(graph::GraphAttention::new(runtime, precision, how)),
    }
}

/// Returns the error of a filter without a content to fall back on.
fn no_content() -> ort::Error {
    ort::Error::new("filtered attention needs the content's tensors, and got none")
}

/// Returns number and width of a layer's heads.
pub(crate) fn heads_of(layer: &InjectedLayer) -> Heads {
    Heads {
        num: layer.heads,
        width: layer.head_width,
    }
}
