//! What computes the attention of injected layers on a GPU.

use std::str::FromStr;

/// What computes the attention of injected layers on a GPU; on the processor there is one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InjectionKernels {
    /// Fused kernels where there are some for GPU, model and method, and else graphs; kernels that cannot be loaded are an error.
    #[default]
    Auto,
    /// Fused kernels, or nothing.
    Fused,
    /// Graphs.
    Graph,
}

/// Text that names none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be auto, fused or graph")]
pub struct InjectionKernelsError;

impl FromStr for InjectionKernels {
    type Err = InjectionKernelsError;

    fn from_str(text: &str) -> Result<Self, InjectionKernelsError> {
        match text {
            "auto" => Ok(Self::Auto),
            "fused" => Ok(Self::Fused),
            "graph" => Ok(Self::Graph),
            _ => Err(InjectionKernelsError),
        }
    }
}
