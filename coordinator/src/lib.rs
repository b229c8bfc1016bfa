//! Plans runs, drives workers, and tells people how it goes.
//!
//! - [`run`]: what a run is, and what storage says has become of it
//! - [`work`]: shards handed out and watched
//! - [`output`]: manifest, audit, figures and reports
//! - [`ui`]: command line, dashboard, metrics
//!
//! Arrows run down this list from the bottom up: `ui` uses all, `run` uses none of the others. The feature `embedded` brings
//! the engine, for what computes in this process: `run`, `transfer`, `probe` and `reference-stats`.

// They panic when what they print cannot be written: `shared::console` does not.
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod output;
pub mod run;
pub mod ui;
pub mod work;
