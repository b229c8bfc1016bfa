//! The method as pure functions on arrays.
//!
//! Latents are `(channels, height, width)`, label maps `(height, width)` of train ids, and tokens
//! `(tokens, heads * head_width)` with a head's columns next to each other.

pub mod adain;
pub mod attention;
pub mod class_adain;
pub mod denoise;
pub mod filtering;
pub mod finite;
pub mod image;
pub mod label_map;
pub mod noise;
mod resample;
pub mod schedule;
pub(crate) mod vectorised;
