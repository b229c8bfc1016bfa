//! What the end-to-end tests share.
//!
//! - [`program`]: the built `synth2real` and how it ended
//! - [`project`]: a small dataset with settings in a temporary folder
//! - [`pictures`]: its files, made from the golden inputs
//! - [`stored`]: what lies below a storage root, as far as two equal runs must agree about it

pub mod pictures;
pub mod program;
pub mod project;
pub mod stored;

use std::path::{Path, PathBuf};

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
