//! Converts the items of a shard with the CACTI/CACTIF method.
//!
//! - [`method`]: the numerics, pure functions on arrays
//! - [`operators`]: parts of graphs that are faster here than in ONNX Runtime, pure functions as well
//! - [`vectors`]: which of the processor's vectors both compute with
//! - [`engine`]: ONNX Runtime, split subgraphs and what happens between them
//! - [`conversion`]: method and engine put together, for one content
//! - [`dataset`]: images and labels as datasets publish them
//! - [`quality`]: what an output is like, compared with its content
//! - [`attempt`]: one try at a shard, from its inputs to its commit (what is done)
//! - [`consumer`]: shards taken from the queue and given back or settled (when it is done)
//! - [`workshop`]: what a run needs, got ready
//! - [`engine_thread`]: the one thread that owns the engine
//! - [`metrics`]: what is counted and timed, and where it is read
//! - [`npz`]: arrays of NumPy, whose sizes are checked before they are believed

// They panic when what they print cannot be written: `shared::console` does not.
#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod attempt;
pub mod consumer;
pub mod conversion;
pub mod dataset;
pub mod engine;
pub mod engine_thread;
pub mod method;
pub mod metrics;
pub mod npz;
pub mod operators;
pub mod quality;
pub mod vectors;
pub mod workshop;
