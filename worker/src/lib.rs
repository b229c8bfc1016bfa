//! Converts the items of shards taken from a queue.
//!
//! - [`attempt`]: one try at a shard, from its inputs to its commit (what is done)
//! - [`consumer`]: shards taken from the queue and given back or settled (when it is done)
//! - [`run_context`]: the model and datasets of a run, loaded for its attempts
//! - [`evaluation`]: figures of an output, compared with its content
//! - [`metrics`]: what is counted and timed, and where it is read
//! - [`arguments`]: the program's command line
//!
//! It stands on `engine` (ONNX Runtime), `method` (the paper) and `imaging` (images and labels); `kernels` is below those.

// They panic when what they print cannot be written: `shared::console` does not.
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod arguments;
pub mod attempt;
pub mod consumer;
pub mod evaluation;
pub mod metrics;
mod retry_pauses;
pub mod run_context;
