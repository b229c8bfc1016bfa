//! Converts the items of shards taken from a queue.
//!
//! - [`attempt`]: one try at a shard, from its inputs to its commit (what is done)
//! - [`consumer`]: shards taken from the queue and given back or settled (when it is done)
//! - [`workshop`]: what a run needs, got ready
//! - [`quality`]: what an output is like, compared with its content
//! - [`metrics`]: what is counted and timed, and where it is read
//!
//! It stands on the crates below its folder: `engine` computes with ONNX Runtime, `method` is the paper, `kernels` its
//! arithmetic, `imaging` reads and writes images and labels.

// They panic when what they print cannot be written: `shared::console` does not.
#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod attempt;
pub mod consumer;
pub mod metrics;
pub mod quality;
pub mod workshop;
