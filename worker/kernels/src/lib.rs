//! Vectorised arithmetic on plain numbers, which knows nothing of what the numbers are.
//!
//! - [`vectors`]: the SIMD instructions that kernels use; `vectorised`: parts of their loops
//! - [`bf16`]: products of numbers of half the width
//! - `parts`: how work is cut for threads
//! - [`attention`]: softmax attention of several heads, tile by tile
//! - [`convolution`]: convolutions of 3x3 pixels (Winograd), with the normalisation or upsampling before them
//! - [`small_convolution`]: convolutions of 3x3 pixels on images of few of them, of bfloat16
//! - [`pointwise`]: convolutions of single pixels, on images as they lie in memory
//! - [`group_norm`]: group normalisation with the activation after it
//! - [`linear`]: products of tokens and weights with the sums that follow them
//! - [`gated_gelu`]: the activation of transformers' feed-forward layers with the sums before it
//! - [`median`]: medians of numbers that are gone through and not held
//! - [`finite`]: whether numbers are finite
//! - [`regions`]: what of a call threads can share
//!
//! The bytes that a kernel writes depend neither on the number of threads nor on what else is computed with it, nor on
//! the width of vectors but for the products of [`pointwise`] that are of single precision.
//!
//! # Why there are five matrix products
//!
//! Each sums a block of rows by vectors of columns in registers. Their sizes with AVX-512 and with AVX2:
//!
//! | product | in registers | rows are read from | columns are read from | sums begin with | and then |
//! |---|---|---|---|---|---|
//! | scores of [`attention`] | 6 queries by 64 keys, or by 16 | queries, packed for each call: `(width, 6)` | keys, packed for each call: `(width, 64)` | zero, or the columns before | the largest score of each row is kept |
//! | weighted sums of [`attention`] | 6 queries by up to 64 columns, or 16 | weights, as the softmax writes them: `(6, 512)` | values, packed for each call: `(keys, padded width)` | the blocks before | two rows share the half of a vector |
//! | [`linear`] | 8 tokens by 32 outputs, or 4 by 16 | tokens as they lie: `(tokens, inputs)` | weights, packed once: `(inputs, 32)` | the bias and what is there | |
//! | [`convolution`] | 8 outputs by 32 tiles, or 4 by 16 | transformed weights: `(channels, 32)` | transformed patches: `(channels, 32)` | zero, or the channels before | pixels are made of them |
//! | [`pointwise`] | faer's | pixels as they lie: `(channels, pixels)` | weights as they lie: `(outputs, channels)` | the bias and what is there | |
//!
//! What they could share is the innermost loop, a broadcast and a fused multiply-add. It is fast where the compiler knows
//! the strides of both operands and keeps every sum in a register; to share it would make arguments of them. [`linear`]
//! and [`convolution`] have one register shape, but one broadcasts from rows that are a whole token apart and the other
//! from neighbours. The first four sum in the order of their terms, one fused multiply-add for each, and tests compare
//! the bytes of every width of vectors. [`pointwise`] takes any number of channels and pixels, whose edges faer handles.

#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod attention;
pub mod bf16;
pub mod convolution;
pub mod finite;
pub mod gated_gelu;
pub mod group_norm;
pub mod linear;
pub mod median;
mod parts;
pub mod pointwise;
#[cfg(test)]
mod random;
pub mod regions;
pub mod small_convolution;
mod vectorised;
pub mod vectors;
