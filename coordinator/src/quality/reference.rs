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

use std::io::{Cursor, Read, Seek};

use bytes::Bytes;
use faer::Mat;
use ndarray::{Array, Array0, Array1, Array2, arr0};
use ndarray_npy::{NpzReader, NpzWriter, ReadableElement};

use super::sample::Sample;
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

/// A file that holds no statistics.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// It is no archive of arrays.
    #[error("is no .npz file: make it with reference-stats or pytorch-fid")]
    Archive(#[source] ndarray_npy::ReadNpzError),
    /// An array is missing or of another type.
    #[error(
        "has no array {0} of the expected type and shape: make it with reference-stats or pytorch-fid"
    )]
    Array(&'static str),
    /// Arrays do not fit together.
    #[error("has a mu of {mu} features and a sigma of {rows} x {columns}")]
    Shape {
        /// Length of the mean.
        mu: usize,
        /// Rows of the covariance.
        rows: usize,
        /// Columns of the covariance.
        columns: usize,
    },
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
        let mut npz = NpzReader::new(Cursor::new(bytes)).map_err(ReferenceError::Archive)?;
        let mean: Array1<f64> = floats(&mut npz, "mu")?;
        let sigma: Array2<f64> = floats(&mut npz, "sigma")?;
        let (rows, columns) = sigma.dim();
        let mu = mean.len();
        if (rows, columns) != (mu, mu) || mu == 0 {
            return Err(ReferenceError::Shape { mu, rows, columns });
        }
        let items: Option<Array0<i64>> = npz.by_name("n").ok();
        let features: Option<Array2<f32>> = npz.by_name("features").ok();
        let sha256: Option<Array1<u8>> = npz.by_name("extractor_sha256").ok();
        Ok(Self {
            statistics: FeatureStatistics {
                mean: mean.to_vec(),
                covariance: Mat::from_fn(mu, mu, |i, j| sigma[(i, j)]),
            },
            items: items.and_then(|items| usize::try_from(items.into_scalar()).ok()),
            sample: features
                .filter(|features| features.ncols() == mu)
                .map(|features| {
                    Mat::from_fn(mu, features.nrows(), |i, j| f64::from(features[(j, i)]))
                }),
            extractor_sha256: sha256
                .map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        })
    }
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

/// pytorch-fid writes f64; some files that people pass on are f32.
fn floats<D: ndarray::Dimension>(
    npz: &mut NpzReader<impl Read + Seek>,
    name: &'static str,
) -> Result<Array<f64, D>, ReferenceError> {
    if let Ok(array) = array::<f64, D>(npz, name) {
        return Ok(array);
    }
    let array = array::<f32, D>(npz, name).map_err(|_| ReferenceError::Array(name))?;
    Ok(array.mapv(f64::from))
}

fn array<T: ReadableElement, D: ndarray::Dimension>(
    npz: &mut NpzReader<impl Read + Seek>,
    name: &str,
) -> Result<Array<T, D>, ndarray_npy::ReadNpzError> {
    npz.by_name(name)
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

    #[test]
    fn what_is_no_statistics_file_is_refused_with_what_to_do() {
        let message = ReferenceStatistics::read(b"no archive")
            .unwrap_err()
            .to_string();
        assert!(message.contains("reference-stats"), "{message}");
        let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
        npz.add_array("mu", &Array1::<f64>::zeros(3)).unwrap();
        npz.add_array("sigma", &Array2::<f64>::zeros((3, 2)))
            .unwrap();
        let file = npz.finish().unwrap().into_inner();
        let message = ReferenceStatistics::read(&file).unwrap_err().to_string();
        assert!(message.contains("3 x 2"), "{message}");
    }
}
