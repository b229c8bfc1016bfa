//! The method as pure functions on arrays: it reads as the paper and stands on [`kernels`].
//!
//! Latents are `(channels, height, width)`, label maps `(height, width)` of train ids, and tokens
//! `(tokens, heads * head_width)` with a head's columns next to each other.
//!
//! - [`schedule`]: timesteps and the steps between them
//! - [`noise`]: the noise that each image begins with
//! - [`denoise`]: the loop over steps, with styles and outputs side by side
//! - [`attention`], [`filtering`]: the attention of injected layers
//! - [`adain`], [`class_adain`]: statistics given to latents, as a whole or class by class
//! - [`unit_range`]: pixels to the range of the model and back
//! - [`finite`]: checks that each quantity is finite, where it is computed
//!
//! Each module ends its introduction with the **Source** that it implements and where it **Differs**.

#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod adain;
pub mod attention;
pub mod class_adain;
pub mod denoise;
pub mod filtering;
pub mod finite;
pub mod noise;
pub mod schedule;
pub mod unit_range;
