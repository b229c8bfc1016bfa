//! What the end-to-end tests share.
//!
//! - [`goldens`]: what the authors' code computed, and how near to it a conversion must come
//! - [`program`]: the built `synth2real` and how it ended
//! - [`project`]: a small dataset with settings in a temporary folder
//! - [`images`]: its files, made from the golden inputs
//! - [`fleet`]: coordinator and workers as real processes, with a broker and a bucket of their own
//! - [`changed_model`]: the golden model with other weights
//! - [`fake_engine`], [`planned`]: an engine that makes images from a hash, and runs for it
//! - [`broker`], [`s3_server`]: RabbitMQ and a bucket, shared or of a test's own
//! - [`service`]: a program that serves a dashboard; [`browser`], [`http`]: who looks at it
//! - [`measured`]: the time and memory of some work, for benchmarks
//! - [`mounts`], [`power`]: file systems of a test's own, and disks whose power is cut
//! - [`prometheus`], [`traces`]: who reads metrics and traces
//! - [`promised`]: what `make test` promises to have
//! - [`proxy`]: a network that can be broken
//! - [`stored`]: what lies below a storage root, as far as two equal runs must agree about it
//! - [`token_service`]: who gives keys to a bucket for a web identity or for single sign-on
//! - [`vanishing`]: storage that lists what it does not have any more, cannot read, or does not answer for

pub mod broker;
pub mod browser;
pub mod changed_model;
pub mod fake_engine;
pub mod fleet;
pub mod goldens;
pub mod http;
pub mod images;
pub mod measured;
pub mod mounts;
pub mod power;
pub mod program;
pub mod project;
pub mod prometheus;
pub mod promised;
pub mod proxy;
pub mod s3_server;
pub mod service;
pub mod stored;
pub mod token_service;
pub mod traces;
pub mod vanishing;

use std::path::{Path, PathBuf};

pub use corpus::planned;

/// Returns the device that conversions run on, `SYNTH2REAL_TEST_DEVICE`; none for the processor.
#[must_use]
pub fn device() -> Option<String> {
    std::env::var("SYNTH2REAL_TEST_DEVICE").ok()
}

/// Returns a path in the repository.
#[must_use]
pub fn repository(relative: &str) -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder.parent().expect("the crate is in a workspace");
    root.join(relative)
}

/// Returns a path below the golden fixtures.
#[must_use]
pub fn golden(relative: &str) -> PathBuf {
    repository("tests/fixtures/golden").join(relative)
}

/// Returns the folder of the golden model, which works at 256x128.
#[must_use]
pub fn golden_model() -> PathBuf {
    repository("tests/fixtures/golden-model")
}
