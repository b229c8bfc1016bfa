//! The arrays of a file of statistics.

use std::io::Cursor;

use faer::Mat;
use ndarray::{Array, Array1, Array2, ArrayD, Dimension};
use ndarray_npy::{ReadNpyError, ReadableElement};
use shared::npz::{NpzError, NpzFile};

use super::error::{ReferenceError, shape_error};
use super::validation::{check_covariance, check_numbers, check_sample, checked_items};
use super::{FeatureStatistics, ReferenceStatistics};

const SHA256_BYTES: usize = 32;
/// The largest array: the covariance of four thousand features, and more than any sample of them.
const MAX_ARRAY_BYTES: u64 = 1 << 27;

/// A file of statistics in memory.
type Npz<'a> = NpzFile<Cursor<&'a [u8]>>;

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
        let sample = sample.transpose()?;
        let statistics = FeatureStatistics {
            mean: mean.to_vec(),
            covariance: Mat::from_fn(mu, mu, |i, j| sigma[(i, j)]),
        };
        if let Some(sample) = &sample {
            check_sample(&statistics, items, sample)?;
        }
        let sha256 = has("extractor_sha256").then(|| extractor_sha256(&mut npz));
        Ok(Self {
            statistics,
            items,
            sample,
            extractor_sha256: sha256.transpose()?,
        })
    }

    /// Refuses statistics that nothing can be compared with: those of one image, however often it was there.
    ///
    /// # Errors
    ///
    /// [`ReferenceError::NoSpread`] saying so.
    pub fn check_spread(&self) -> Result<(), ReferenceError> {
        let size = self.statistics.num_features();
        // Where there is no variance, there is no covariance.
        let has_spread = (0..size).any(|i| self.statistics.covariance[(i, i)] != 0.0);
        if has_spread {
            Ok(())
        } else {
            let shape = [size, size];
            Err(ReferenceError::NoSpread { shape })
        }
    }
}

/// Returns the number of images.
fn items(npz: &mut Npz<'_>) -> Result<usize, ReferenceError> {
    let found: ArrayD<i64> = read(npz, "n", "int64")?;
    let [count] = found.as_slice().unwrap_or_default() else {
        return Err(shape_error("n", found.shape(), "a single number"));
    };
    checked_items(*count)
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

/// Returns an array of numbers that can be reckoned with. pytorch-fid writes f64; some files that people pass on are f32.
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
    check_numbers(name, &found)?;
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
