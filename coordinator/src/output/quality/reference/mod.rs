//! Real photographs to compare with, as `.npz` files: pytorch-fid's `mu` and `sigma`, and beside them, in files of
//! ours, what pytorch-fid leaves out.
//!
//! | array | |
//! |---|---|
//! | `mu` | mean, `(features)` f64 |
//! | `sigma` | covariance, `(features, features)` f64 |
//! | `n` | number of images, i64 |
//! | `features` | features of a sample of them, `(images, features)` f32: what KID needs |
//! | `extractor_sha256` | SHA-256 of the extractor's contract, 32 u8 |
//!
//! - `reading`: a file's arrays; `validation`: what no features give is refused; `writing`: a file of ours

mod error;
mod reading;
mod validation;
mod writing;

use faer::Mat;

pub use self::error::ReferenceError;
pub use self::writing::write;
use super::statistics::FeatureStatistics;

/// Statistics of a set of images, and what is known about it.
#[derive(Debug, Clone)]
pub struct ReferenceStatistics {
    /// Mean and covariance.
    pub statistics: FeatureStatistics,
    /// Number of images; none in files that do not say.
    pub items: Option<usize>,
    /// Features of some of them, an image a column; none in files that have none.
    pub sample: Option<Mat<f64>>,
    /// SHA-256 of the extractor's contract; none in files that do not say.
    pub extractor_sha256: Option<String>,
}

#[cfg(test)]
mod tests;
