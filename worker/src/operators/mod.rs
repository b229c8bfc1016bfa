//! Parts of graphs that are faster here than in ONNX Runtime.
//!
//! - [`convolution`]: convolutions of 3x3 pixels, at a quarter of their multiplications, with the normalisation or
//!   upsampling before them
//! - [`pointwise`]: convolutions of single pixels, on images as they lie in memory
//! - [`group_norm`]: group normalisation with the activation after it
//! - [`linear`]: products of tokens and weights with the sums that follow them
//! - [`attention`]: attention of several heads, by the kernels of the method
//! - [`gated_gelu`]: the activation of transformers' feed-forward layers with the sums before it

pub mod attention;
pub mod convolution;
pub mod gated_gelu;
pub mod group_norm;
pub mod linear;
pub mod pointwise;
