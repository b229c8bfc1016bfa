//! What an injected layer does, on the device that its tensors are on.
//!
//! - [`host`]: the kernels of [`method`](crate::method), on the processor
//! - [`graph`]: the same as ONNX graphs, on any device; `writer` and `weak` say what is in them

pub mod graph;
pub mod host;
#[cfg(test)]
mod tests;
mod weak;
mod writer;

use ort::value::DynValue;
use shared::settings::Device;

use super::EngineError;
use super::runtime::Runtime;
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

/// Key and value of a layer, as [`LayerTensors`] has them.
#[derive(Debug)]
pub struct StyleLayer {
    /// Key.
    pub key: DynValue,
    /// Value.
    pub value: DynValue,
}

/// What a content leaves for its outputs.
#[derive(Debug)]
pub struct ContentLayer {
    /// Its tensors.
    pub tensors: LayerTensors,
    /// What its attention to itself left behind, on the processor.
    pub softmax_stats: Option<SoftmaxStats>,
}

/// The attention of an image to itself.
#[derive(Debug)]
pub struct Own {
    /// The result, as [`LayerTensors`] has them.
    pub output: DynValue,
    /// What it left behind, on the processor.
    pub softmax_stats: Option<SoftmaxStats>,
}

/// How outputs attend to their styles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InjectedAttention {
    /// Contrast of the attention about its mean.
    pub contrast_strength: f32,
    /// The filter of CACTIF; none for plain injection.
    pub filter: Option<Filter>,
}

/// The attention of injected layers.
pub trait AttentionKernel: Send {
    /// Returns the attention of an image to itself.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if tensors do not fit the layer or the device fails.
    fn own(&mut self, layer: &InjectedLayer, of: &LayerTensors) -> Result<Own, EngineError>;

    /// Returns the attention of an output to its style; a filter needs the content's tensors.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if tensors do not fit the layer or the device fails.
    fn injected(
        &mut self,
        layer: &InjectedLayer,
        query: &DynValue,
        style: &StyleLayer,
        content: Option<&ContentLayer>,
    ) -> Result<DynValue, EngineError>;
}

/// Returns the fastest attention that leaves tensors where they are.
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

/// What a filter says that got no content to fall back on.
fn no_content() -> ort::Error {
    ort::Error::new("filtered attention needs the content's tensors, and got none")
}

/// Returns the heads of a layer.
pub(crate) fn heads_of(layer: &InjectedLayer) -> Heads {
    Heads {
        num: layer.heads,
        width: layer.head_width,
    }
}
