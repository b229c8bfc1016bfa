//! ONNX Runtime, and the device that it computes on.
//!
//! - `with_engine`, `without_engine`: in a program of either kind; `gpus`: what the driver says there is

#[cfg(feature = "embedded")]
mod gpus;
#[cfg(feature = "embedded")]
mod with_engine;
#[cfg(not(feature = "embedded"))]
mod without_engine;

#[cfg(feature = "embedded")]
pub(super) use with_engine::{check, vectors};
#[cfg(not(feature = "embedded"))]
pub(super) use without_engine::{check, vectors};

/// The check of the library.
const LIBRARY: &str = "onnxruntime";

/// The vectors that kernels compute with, as the numbers that one holds and the name that pins them, or why not.
pub(super) type Vectors = Result<(usize, Option<&'static str>), String>;
