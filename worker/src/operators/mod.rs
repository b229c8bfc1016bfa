//! Parts of graphs that are faster here than in ONNX Runtime.
//!
//! - [`convolution`]: convolutions of 3x3 pixels, at a quarter of their multiplications
//! - [`group_norm`]: group normalisation with the activation after it
//! - [`linear`]: products of tokens and weights with the sums that follow them
//! - [`gated_gelu`]: the activation of transformers' feed-forward layers with the sums before it

pub mod convolution;
pub(crate) mod exp2;
pub mod gated_gelu;
pub mod group_norm;
pub mod linear;

/// The number of partial results that a loop keeps, so that it vectorises in one order.
const LANES: usize = 64;
