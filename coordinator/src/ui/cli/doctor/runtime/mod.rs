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

use shared::settings::Method;

use super::finding::Finding;

/// The check of the library.
const LIBRARY: &str = "onnxruntime";
/// What helps where the environment names vectors that cannot be used.
pub(super) const VECTORS_HELPS: &str =
    "unset SYNTH2REAL_VECTORS, or name vectors that this processor has";

/// Returns that a run without a model and without networks that judge needs no library.
pub(super) fn not_needed(method: Method) -> Finding {
    let found = format!("not needed: method {method} has no model, and no network judges");
    Finding::ok(LIBRARY, found)
}

/// The vectors that kernels compute with, as the numbers that one holds, whether pairs of bfloat16 are multiplied, and the
/// name that pins them, or why not.
pub(super) type Vectors = Result<(usize, bool, Option<&'static str>), String>;
