//! Plans runs, drives workers, and tells people how it goes.
//!
//! - [`ui`]: command line, dashboard, metrics
//! - [`work`]: shards handed out and watched
//! - [`output`]: manifest, audit, figures and reports
//! - [`run`]: what a run is, and what storage says has become of it
//!
//! Arrows run down this list only: `ui` may use all, `work` may use `output` and `run` (the collector writes the reports of
//! runs that it watches), `output` may use `run`, and `run` uses none of the others. What two rooms need stands in the lower
//! one. A unit test reads the sources and names each line that points upwards.
//!
//! The feature `embedded` brings the engine, for what computes in this process: `run`, `demo`, `transfer`,
//! `probe`, `compare`, `priors` and `reference-stats`. Without it neither ONNX Runtime nor the kernels are linked.

// They panic when what they print cannot be written: `shared::console` does not.
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

#[cfg(test)]
mod layers;
pub mod output;
pub mod run;
pub mod ui;
pub mod work;
