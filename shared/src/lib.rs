//! What crosses a process boundary, and the ports to the world.
//!
//! - [`ids`], [`artifact`]: names of things, and where each kind of object is stored
//! - [`dataset`]: labelled datasets: how files are named, what labels are, what was found and is used
//! - [`model`], [`network`]: contracts of exported models; [`npz`]: arrays of NumPy, whose sizes are checked before they are
//!   believed
//! - [`location`], [`paths`]: a folder or a bucket; paths as they are written, and where they really are
//! - [`settings`]: what a run or a worker may be told, checked once and passed on
//! - [`storage`]: results; everything durable goes through this port
//! - [`source`]: datasets and models, which are only read; [`target`]: files written for others, such as an export
//! - [`globs`]: patterns of names
//! - [`s3`]: the bucket under all of them
//! - [`queue`]: the broker: shards that wait for workers, what workers report, and requests to them
//! - [`run_record`], [`plan`], [`decision`], [`making`], [`manifest`]: the formats that outlive a process; [`seal`]: their
//!   digests of themselves
//! - [`failure`], [`warning`]: the classes of failure and what each leads to; what is odd about an item that is done
//! - [`platform`]: what a process computes with
//! - [`item_metric`]: the figures that compare an output with its content; [`confusion`]: what a segmenter predicts beside
//!   what a label says
//! - [`metrics`], [`telemetry`]: what is counted and timed; logs and traces
//! - [`digest`], [`json`], [`blocking`], [`shutdown`]: SHA-256 of bytes and files; our own types as JSON; work that waits;
//!   being told to stop
//! - [`enumerated!`]: enums that know their variants
//! - [`clock`]: what time it is, and what may be believed of times that were stored
//! - [`read_file`]: files of this machine, which may be anything and of any size; [`guarded`]: panics of decoders as errors
//! - [`http_server`], [`descriptors`], [`rate`]: a server with limits and timeouts; how many files may be open at once;
//!   how often something is logged; [`disk_space`]: how much room a disk has
//! - [`readiness`]: whether storage and broker answer, for those who supervise a program
//! - [`spread`]: some of many; [`wording`]: names and numbers in messages, which never grow with a dataset
//! - [`console`]: output of programs, so that a reader who is gone or slow harms no work

// They panic when what they print cannot be written: `shared::console` does not.
#![forbid(unsafe_code)]
#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod artifact;
pub mod blocking;
pub mod clock;
pub mod confusion;
pub mod console;
pub mod dataset;
pub mod decision;
pub mod descriptors;
pub mod digest;
pub mod disk_space;
mod enumerated;
pub(crate) mod error_chain;
pub mod failure;
pub mod globs;
pub mod guarded;
pub mod http_server;
pub mod ids;
pub mod item_metric;
pub mod json;
pub mod location;
pub mod making;
pub mod manifest;
pub mod metrics;
pub mod model;
pub mod network;
pub mod npz;
pub mod paths;
pub mod plan;
pub mod platform;
pub mod queue;
pub mod rate;
pub mod read_file;
pub mod readiness;
pub mod run_record;
pub mod s3;
pub mod seal;
pub mod settings;
pub mod shutdown;
pub mod source;
pub mod spread;
pub mod storage;
mod storage_error;
pub mod target;
pub mod telemetry;
pub mod warning;
pub mod wording;
