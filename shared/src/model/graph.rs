//! What a contract says of a graph: its files, and the tensors that enter and leave it.

use serde::Deserialize;

/// A graph: an ONNX file, with its weights in a file beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFile {
    /// The ONNX file.
    pub file: String,
    /// Its digest.
    pub sha256: String,
    /// The file of its weights, if it has any.
    pub data: Option<DataFile>,
    /// Inputs by name.
    pub inputs: Vec<TensorContract>,
    /// Outputs by name.
    pub outputs: Vec<TensorContract>,
}

/// External data of a graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// The file.
    pub file: String,
    /// Its digest.
    pub sha256: String,
}

/// A tensor that enters or leaves a graph.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorContract {
    /// Its name.
    pub name: String,
    /// `float32`, `float16` or `int64`.
    pub dtype: String,
    /// Its dimensions.
    pub shape: Vec<Dimension>,
}

/// A dimension: a number, or a name where it is free.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    /// Fixed.
    Fixed(i64),
    /// Free, such as `batch`.
    Free(String),
}

impl GraphFile {
    /// Returns the graph with some of its free dimensions fixed, by their names.
    #[must_use]
    pub fn with_known(&self, known: &[(&str, i64)]) -> Self {
        let mut graph = self.clone();
        let tensors = graph.inputs.iter_mut().chain(&mut graph.outputs);
        for dimension in tensors.flat_map(|tensor| &mut tensor.shape) {
            let Dimension::Free(name) = &*dimension else {
                continue;
            };
            if let Some((_, length)) = known.iter().find(|(known, _)| known == name) {
                *dimension = Dimension::Fixed(*length);
            }
        }
        graph
    }
}
