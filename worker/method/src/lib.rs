//! The method as pure functions on arrays: it reads as the paper and stands on [`kernels`].
//!
//! Latents are `(channels, height, width)`, label maps `(height, width)` of train ids, and tokens
//! `(tokens, heads * head_width)` with a head's columns next to each other.
//!
//! - [`schedule`]: timesteps and the steps between them
//! - [`noise`]: the noise that each image begins with
//! - [`denoise`]: the loop over steps, with styles and outputs side by side
//! - [`attention`], [`filtering`], [`class_filter`]: the attention of injected layers
//! - [`adain`], [`class_adain`], [`hybrid_adain`]: statistics given to latents, as a whole or class by class
//! - [`baseline`]: methods without a model
//! - [`prototypes`], [`class_map`]: classes of an image without labels; `cells`: pixels between a network's cells
//! - [`unit_range`]: pixels to the range of the model and back; [`translation`]: to that of a translator, with labels and noise
//! - [`finite`]: checks that each quantity is finite, where it is computed
//!
//! Each module ends its introduction with the **Source** that it implements and where it **Differs**.

#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod adain;
pub mod attention;
pub mod baseline;
mod cells;
pub mod class_adain;
pub mod class_filter;
pub mod class_map;
pub mod denoise;
pub mod filtering;
pub mod finite;
pub mod hybrid_adain;
pub mod noise;
pub mod prototypes;
pub mod schedule;
pub mod translation;
pub mod unit_range;
