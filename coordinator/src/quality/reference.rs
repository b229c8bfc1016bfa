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

use std::io::Cursor;

use bytes::Bytes;
use faer::{Mat, Side};
use ndarray::{Array, Array1, Array2, ArrayD, Dimension, arr0};
use ndarray_npy::{NpzWriter, ReadNpyError, ReadableElement};
use worker::npz::{NpzError, NpzFile};

use super::sample::Sample;
use super::statistics::FeatureStatistics;

/// How far apart two mirrored entries of a covariance may be, as a part of its largest: sums in single precision, added up
/// in another order.
const ASYMMETRY: f64 = 1e-5;
/// How far below zero a covariance may be in some direction, as a part of its largest variance: that of thousands of
/// features, rounded to single precision.
const NEGATIVITY: f64 = 1e-4;
const SHA256_BYTES: usize = 32;
/// The largest array: the covariance of four thousand features, and more than any sample of them.
const MAX_ARRAY_BYTES: u64 = 1 << 27;

/// A file of statistics in memory.
type Npz<'a> = NpzFile<Cursor<&'a [u8]>>;

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
    /// Too few images for a covariance.
    #[error(
        "has an n of {0}, expected at least 2: a covariance needs two images, and FID thousands"
    )]
    TooFew(i64),
    /// It cannot be written.
    #[error("cannot be written")]
    Write(#[source] ndarray_npy::WriteNpzError),
}

impl ReferenceStatistics {
    /// Reads a file of ours or of pytorch-fid.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] saying what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, ReferenceError> {
        let npz = NpzFile::open(Cursor::new(bytes), MAX_ARRAY_BYTES);
        let mut npz = npz.map_err(ReferenceError::Archive)?;
        let names = npz.names();
        let has = |name: &str| names.iter().any(|known| known == name);
        if let Some(missing) = ["mu", "sigma"].into_iter().find(|name| !has(name)) {
            return Err(ReferenceError::Missing(missing));
        }
        let mean: Array1<f64> = floats(&mut npz, "mu", || "(features,)".to_owned())?;
        let mu = mean.len();
        if mu == 0 {
            return Err(shape_error("mu", mean.shape(), "at least one feature"));
        }
        let square = || format!("({mu}, {mu}), as mu has {mu} features");
        let sigma: Array2<f64> = floats(&mut npz, "sigma", square)?;
        if sigma.dim() != (mu, mu) {
            return Err(shape_error("sigma", sigma.shape(), square()));
        }
        check_covariance(&sigma)?;
        let items = has("n").then(|| items(&mut npz)).transpose()?;
        let sample = has("features").then(|| sample(&mut npz, mu, items));
        let sha256 = has("extractor_sha256").then(|| extractor_sha256(&mut npz));
        Ok(Self {
            statistics: FeatureStatistics {
                mean: mean.to_vec(),
                covariance: Mat::from_fn(mu, mu, |i, j| sigma[(i, j)]),
            },
            items,
            sample: sample.transpose()?,
            extractor_sha256: sha256.transpose()?,
        })
    }
}

fn shape_error(
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

/// Refuses what no features give: a matrix that is not symmetric, or not positive semi-definite.
fn check_covariance(sigma: &Array2<f64>) -> Result<(), ReferenceError> {
    let size = sigma.nrows();
    let shape = [size, size];
    let largest = sigma
        .diag()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let largest_entry = sigma.fold(0.0_f64, |most, value| most.max(value.abs()));
    let most_apart = ASYMMETRY * largest_entry;
    for row in 0..size {
        for column in 0..row {
            let (value, mirrored) = (sigma[(row, column)], sigma[(column, row)]);
            if (value - mirrored).abs() > most_apart {
                return Err(ReferenceError::Asymmetric {
                    shape,
                    row,
                    column,
                    value,
                    mirrored,
                });
            }
        }
    }
    if largest_entry == 0.0 {
        // All images are one image.
        return Ok(());
    }
    let tolerance = NEGATIVITY * largest;
    let negative = ReferenceError::Negative { shape, tolerance };
    if largest == 0.0 {
        return Err(negative);
    }
    // A matrix is positive definite if it has a Cholesky decomposition. Divided by the largest variance it is of the order
    // of one, and with the tolerance on its diagonal it may have variances below zero by as much.
    let shifted = Mat::from_fn(size, size, |i, j| {
        let shift = if i == j { NEGATIVITY } else { 0.0 };
        sigma[(i, j)] / largest + shift
    });
    match shifted.llt(Side::Lower) {
        Ok(_) => Ok(()),
        Err(_) => Err(negative),
    }
}

/// Returns the number of images.
fn items(npz: &mut Npz<'_>) -> Result<usize, ReferenceError> {
    let found: ArrayD<i64> = read(npz, "n", "int64")?;
    let [count] = found.as_slice().unwrap_or_default() else {
        return Err(shape_error("n", found.shape(), "a single number"));
    };
    let items = usize::try_from(*count).ok().filter(|&items| items >= 2);
    items.ok_or(ReferenceError::TooFew(*count))
}

/// Returns features of some images, an image a column.
fn sample(npz: &mut Npz<'_>, mu: usize, items: Option<usize>) -> Result<Mat<f64>, ReferenceError> {
    let expected = || match items {
        Some(items) => format!("(up to {items} images, {mu} features)"),
        None => format!("(images, {mu} features)"),
    };
    let features: Array2<f64> = floats(npz, "features", expected)?;
    let (rows, columns) = features.dim();
    if columns != mu || items.is_some_and(|items| rows > items) {
        return Err(shape_error("features", features.shape(), expected()));
    }
    Ok(Mat::from_fn(mu, rows, |i, j| features[(j, i)]))
}

/// Returns the digest of the extractor's contract.
fn extractor_sha256(npz: &mut Npz<'_>) -> Result<String, ReferenceError> {
    const NAME: &str = "extractor_sha256";
    let bytes: ArrayD<u8> = read(npz, NAME, "uint8")?;
    if bytes.shape() != [SHA256_BYTES] {
        return Err(shape_error(
            NAME,
            bytes.shape(),
            format!("({SHA256_BYTES},)"),
        ));
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns statistics as a file that pytorch-fid reads too.
///
/// # Errors
///
/// [`ReferenceError::Write`] if it cannot be made.
pub fn write(
    statistics: &FeatureStatistics,
    items: usize,
    sample: Option<&Sample>,
    extractor_sha256: &str,
) -> Result<Bytes, ReferenceError> {
    let size = statistics.num_features();
    let covariance = &statistics.covariance;
    let sigma = Array2::from_shape_fn((size, size), |(i, j)| covariance[(i, j)]);
    let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    let mut write = || -> Result<(), ndarray_npy::WriteNpzError> {
        npz.add_array("mu", &Array1::from(statistics.mean.clone()))?;
        npz.add_array("sigma", &sigma)?;
        npz.add_array("n", &arr0(items as i64))?;
        if let Some(sample) = sample {
            let rows: Vec<f32> = sample.items().flatten().copied().collect();
            let shape = (rows.len() / size.max(1), size);
            let features = Array2::from_shape_vec(shape, rows).unwrap_or_default();
            npz.add_array("features", &features)?;
        }
        npz.add_array(
            "extractor_sha256",
            &Array1::from(bytes_of(extractor_sha256)),
        )
    };
    write().map_err(ReferenceError::Write)?;
    let file = npz.finish().map_err(ReferenceError::Write)?;
    Ok(Bytes::from(file.into_inner()))
}

/// Returns an array of finite numbers. pytorch-fid writes f64; some files that people pass on are f32.
fn floats<D: Dimension>(
    npz: &mut Npz<'_>,
    name: &'static str,
    expected: impl Fn() -> String,
) -> Result<Array<f64, D>, ReferenceError> {
    const EXPECTED: &str = "float64 or float32";
    let found: ArrayD<f64> = match read(npz, name, EXPECTED) {
        Err(ReferenceError::Dtype { .. }) => read::<f32>(npz, name, EXPECTED)?.mapv(f64::from),
        found => found?,
    };
    let shape = found.shape().to_vec();
    let num_bad = found.iter().filter(|value| !value.is_finite()).count();
    if num_bad > 0 {
        return Err(ReferenceError::NotFinite {
            array: name,
            num_values: found.len(),
            shape,
            num_bad,
        });
    }
    let array = found.into_dimensionality::<D>();
    array.map_err(|_| shape_error(name, &shape, expected()))
}

/// Returns an array of any shape.
fn read<T: ReadableElement>(
    npz: &mut Npz<'_>,
    array: &'static str,
    expected: &'static str,
) -> Result<ArrayD<T>, ReferenceError> {
    npz.by_name(array).map_err(|source| match source {
        NpzError::Array {
            source: ReadNpyError::WrongDescriptor(found),
            ..
        } => ReferenceError::Dtype {
            array,
            found: found.to_string(),
            expected,
        },
        source => ReferenceError::Unreadable { array, source },
    })
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|c| Some(c.to_digit(16)? as u8))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| 16 * pair[0] + pair[1])
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;
    use crate::quality::statistics::Accumulator;

    #[test]
    fn statistics_survive_their_file() {
        let (mut sums, mut sample) = (Accumulator::new(2), Sample::default());
        for (name, features) in [("a", [0.5, 2.0]), ("b", [-1.0, 4.0]), ("c", [0.0, 1.0])] {
            sums.add(&features);
            sample.offer(name, &features);
        }
        let statistics = sums.statistics().unwrap();
        let sha256 = shared::digest::sha256(b"contract");
        let file = write(&statistics, 3, Some(&sample), &sha256).unwrap();
        let read = ReferenceStatistics::read(&file).unwrap();
        assert_eq!(read.statistics.mean, statistics.mean);
        assert_eq!(read.statistics.covariance, statistics.covariance);
        assert_eq!((read.items, read.extractor_sha256), (Some(3), Some(sha256)));
        assert_eq!(read.sample.unwrap(), sample.matrix());
    }

    /// A file with arrays under their names.
    fn file(write: impl FnOnce(&mut NpzWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
        write(&mut npz);
        npz.finish().unwrap().into_inner()
    }

    fn of_arrays(mu: &[f64], sigma: &Array2<f64>) -> Vec<u8> {
        file(|npz| {
            npz.add_array("mu", &Array1::from(mu.to_vec())).unwrap();
            npz.add_array("sigma", sigma).unwrap();
        })
    }

    /// A whole file, to which an array is added.
    fn with<T: ndarray_npy::WritableElement, D: Dimension>(
        name: &str,
        array: &Array<T, D>,
    ) -> Vec<u8> {
        file(|npz| {
            npz.add_array("mu", &Array1::<f64>::zeros(2)).unwrap();
            npz.add_array("sigma", &Array2::<f64>::eye(2)).unwrap();
            npz.add_array(name, array).unwrap();
        })
    }

    fn refused(file: &[u8]) -> String {
        let error = ReferenceStatistics::read(file).unwrap_err();
        shared::failure::chain(&error)
    }

    #[test]
    fn what_is_no_statistics_file_is_refused_with_array_shape_and_what_was_expected() {
        let sigma = |values: [[f64; 2]; 2]| arr2(&values);
        let with_sigma = |values| of_arrays(&[0.0, 1.0], &sigma(values));
        let nan = f64::NAN;
        for (file, words) in [
            (b"no archive".to_vec(), &["reference-stats"][..]),
            (file(|_| ()), &["no array mu"]),
            (
                file(|npz| npz.add_array("mu", &Array1::<f64>::zeros(3)).unwrap()),
                &["no array sigma"],
            ),
            (
                of_arrays(&[0.0; 3], &Array2::zeros((3, 2))),
                &["sigma of shape [3, 2]", "expected (3, 3)"],
            ),
            (
                of_arrays(&[0.0; 3], &Array2::eye(2)),
                &["sigma of shape [2, 2]", "expected (3, 3)"],
            ),
            (
                of_arrays(&[], &Array2::zeros((0, 0))),
                &["mu of shape [0]", "at least one feature"],
            ),
            (
                of_arrays(&[0.0, nan], &Array2::eye(2)),
                &["mu of shape [2]", "1 of 2 values are not finite"],
            ),
            (
                with_sigma([[1.0, f64::INFINITY], [f64::INFINITY, 1.0]]),
                &["sigma of shape [2, 2]", "2 of 4 values are not finite"],
            ),
            (
                with_sigma([[1.0, 0.5], [0.25, 1.0]]),
                &[
                    "sigma of shape [2, 2]",
                    "sigma[1, 0] is 0.25 and sigma[0, 1] is 0.5",
                ],
            ),
            (
                with_sigma([[1.0, 0.0], [0.0, -0.001]]),
                &[
                    "sigma of shape [2, 2]",
                    "negative",
                    "positive semi-definite",
                ],
            ),
            (with_sigma([[1.0, 2.0], [2.0, 1.0]]), &["negative"]),
            (with_sigma([[-1.0, 0.0], [0.0, -1.0]]), &["negative"]),
            (with_sigma([[0.0, 1.0], [1.0, 0.0]]), &["negative"]),
            (
                file(|npz| {
                    npz.add_array("mu", &arr2(&[[0.0, 1.0]])).unwrap();
                    npz.add_array("sigma", &Array2::<f64>::eye(2)).unwrap();
                }),
                &["mu of shape [1, 2]", "expected (features,)"],
            ),
            (
                file(|npz| {
                    npz.add_array("mu", &Array1::<i64>::zeros(2)).unwrap();
                    npz.add_array("sigma", &Array2::<f64>::eye(2)).unwrap();
                }),
                &["mu of dtype", "<i8", "expected float64 or float32"],
            ),
            (with("n", &arr0(1_i64)), &["n of 1", "at least 2"]),
            (with("n", &arr0(-5_i64)), &["n of -5", "at least 2"]),
            (with("n", &arr0(9.0_f64)), &["n of dtype", "expected int64"]),
            (with("n", &Array1::<i64>::ones(2)), &["n of shape [2]"]),
            (
                with("features", &Array2::<f32>::zeros((4, 3))),
                &["features of shape [4, 3]", "2 features"],
            ),
            (
                with("features", &arr2(&[[1.0_f32, f32::NAN]])),
                &["features of shape [1, 2]", "1 of 2 values are not finite"],
            ),
            (
                with("extractor_sha256", &Array1::<u8>::zeros(3)),
                &["extractor_sha256 of shape [3]", "(32,)"],
            ),
        ] {
            let message = refused(&file);
            for word in words {
                assert!(message.contains(word), "no {word:?} in: {message}");
            }
        }
    }

    #[test]
    fn statistics_of_single_precision_and_of_few_images_are_read() {
        let rounded = file(|npz| {
            npz.add_array("mu", &Array1::<f32>::ones(2)).unwrap();
            let sigma = arr2(&[[1.0_f32, 1.0 + f32::EPSILON], [1.0, 1.0]]);
            npz.add_array("sigma", &sigma).unwrap();
        });
        assert_eq!(ReferenceStatistics::read(&rounded).unwrap().items, None);
        let one_image = of_arrays(&[3.0, 4.0], &Array2::zeros((2, 2)));
        assert!(ReferenceStatistics::read(&one_image).is_ok());
        let (mut sums, mut sample) = (Accumulator::new(40), Sample::default());
        for item in 0..5_u16 {
            let features: Vec<f32> = (0..40)
                .map(|i| (f32::from(item * 40 + i) * 0.7).sin())
                .collect();
            sums.add(&features);
            sample.offer(&item.to_string(), &features);
        }
        let singular = write(
            &sums.statistics().unwrap(),
            5,
            Some(&sample),
            &"ab".repeat(32),
        );
        let read = ReferenceStatistics::read(&singular.unwrap()).unwrap();
        assert_eq!(read.sample.unwrap().ncols(), 5);
    }
}
