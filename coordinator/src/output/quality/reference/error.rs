//! Why a file holds no statistics.

use ndarray_npy::WriteNpzError;
use shared::npz::NpzError;

/// A file that holds no statistics.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// It is no archive of arrays.
    #[error("is no .npz file: make it with reference-stats or pytorch-fid")]
    Archive(#[source] NpzError),
    /// An array is not there.
    #[error("has no array {0}: make it with reference-stats or pytorch-fid")]
    Missing(&'static str),
    /// An array cannot be read.
    #[error("has an array {array} that cannot be read: copy or make the file again")]
    Unreadable {
        /// The array.
        array: &'static str,
        /// Why.
        #[source]
        source: NpzError,
    },
    /// An array is of other numbers.
    #[error(
        "has an array {array} of dtype {found}, expected {expected}: make it with reference-stats or pytorch-fid"
    )]
    Dtype {
        /// The array.
        array: &'static str,
        /// What it is of, in NumPy's words.
        found: String,
        /// What it must be of.
        expected: &'static str,
    },
    /// An array is of another shape.
    #[error(
        "has an array {array} of shape {found:?}, expected {expected}: make it with reference-stats or pytorch-fid"
    )]
    Shape {
        /// The array.
        array: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What it must be.
        expected: String,
    },
    /// An array holds NaN or infinity.
    #[error(
        "has an array {array} of shape {shape:?} in which {num_bad} of {num_values} values are not finite, expected \
         numbers alone: make it again with reference-stats or pytorch-fid, and a network that gives numbers"
    )]
    NotFinite {
        /// The array.
        array: &'static str,
        /// Its shape.
        shape: Vec<usize>,
        /// How many values are not finite.
        num_bad: usize,
        /// How many there are.
        num_values: usize,
    },
    /// An array holds a number with which sums would overflow.
    #[error(
        "has an array {array} in which {array}[{position}] is {value:e}, expected at most {most:e} in size: make it again \
         with a network that gives such numbers"
    )]
    TooLarge {
        /// The array.
        array: &'static str,
        /// Where the number stands.
        position: String,
        /// The number.
        value: f64,
        /// The largest size that is accepted.
        most: f64,
    },
    /// A covariance is not symmetric.
    #[error(
        "has an array sigma of shape {shape:?} that is no covariance: sigma[{row}, {column}] is {value} and \
         sigma[{column}, {row}] is {mirrored}, expected them to be equal: make it again"
    )]
    Asymmetric {
        /// Its shape.
        shape: [usize; 2],
        /// A row.
        row: usize,
        /// A column.
        column: usize,
        /// What stands there.
        value: f64,
        /// What stands in their places exchanged.
        mirrored: f64,
    },
    /// A covariance has a negative variance in some direction.
    #[error(
        "has an array sigma of shape {shape:?} that is no covariance: in some direction its variance is negative, \
         beyond what rounding gives ({tolerance:e}), expected a positive semi-definite matrix: make it again"
    )]
    Negative {
        /// Its shape.
        shape: [usize; 2],
        /// What rounding may give.
        tolerance: f64,
    },
    /// A covariance without any variance: there is nothing that a distance could be measured by.
    #[error(
        "has an array sigma of shape {shape:?} that is zero everywhere, as if its images were all the same, expected the \
         covariance of different photographs: make it again"
    )]
    NoSpread {
        /// Its shape.
        shape: [usize; 2],
    },
    /// An array is not that of the features beside it.
    #[error(
        "has an array {array} that is not of its {items} features: {what} is {found:.3e}, expected {expected}: make it \
         again with reference-stats"
    )]
    OfOtherFeatures {
        /// The array.
        array: &'static str,
        /// Of how many images there are features.
        items: usize,
        /// What was compared.
        what: &'static str,
        /// What was found.
        found: f64,
        /// What would be right.
        expected: String,
    },
    /// Too few images for a covariance.
    #[error(
        "has an n of {0}, expected at least 2: a covariance needs two images, and FID thousands"
    )]
    TooFew(i64),
    /// More images than can be counted exactly.
    #[error("has an n of {found}, expected at most {most}: no set of images has as many")]
    TooMany {
        /// What it says.
        found: i64,
        /// The most that is accepted.
        most: i64,
    },
    /// It cannot be written.
    #[error("cannot be written")]
    Write(#[source] WriteNpzError),
}

/// Returns that an array has another shape.
pub(super) fn shape_error(
    array: &'static str,
    found: &[usize],
    expected: impl Into<String>,
) -> ReferenceError {
    ReferenceError::Shape {
        array,
        found: found.to_vec(),
        expected: expected.into(),
    }
}
