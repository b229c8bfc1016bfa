//! Vectorised arithmetic on plain numbers. It knows neither the paper nor ONNX Runtime.
//!
//! - [`vectors`]: which SIMD instructions kernels are compiled for; [`vectorised`]: what their loops share
//! - [`attention`]: softmax attention of several heads, tile by tile
//! - [`convolution`]: convolutions of 3x3 pixels (Winograd), with the normalisation or upsampling before them
//! - [`pointwise`]: convolutions of single pixels, on images as they lie in memory
//! - [`group_norm`]: group normalisation with the activation after it
//! - [`linear`]: products of tokens and weights with the sums that follow them
//! - [`gated_gelu`]: the activation of transformers' feed-forward layers with the sums before it
//! - [`finite`]: whether numbers are finite
//!
//! The bytes that a kernel writes depend neither on the number of threads nor on the width of vectors, nor on what else is
//! computed with it.

#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod attention;
pub mod convolution;
pub mod finite;
pub mod gated_gelu;
pub mod group_norm;
pub mod linear;
pub mod pointwise;
#[cfg(test)]
mod random;
mod vectorised;
pub mod vectors;
