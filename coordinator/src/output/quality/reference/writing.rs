//! A file of statistics, as pytorch-fid reads it too.

use std::io::Cursor;

use bytes::Bytes;
use ndarray::{Array1, Array2, arr0};
use ndarray_npy::{NpzWriter, WriteNpzError};

use super::ReferenceError;
use crate::output::quality::sample::Sample;
use crate::output::quality::statistics::FeatureStatistics;

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
    let mut write = || -> Result<(), WriteNpzError> {
        npz.add_array("mu", &Array1::from(statistics.mean.clone()))?;
        npz.add_array("sigma", &sigma)?;
        npz.add_array("n", &arr0(items as i64))?;
        if let Some(sample) = sample {
            let rows: Vec<f32> = sample.items().flatten().copied().collect();
            let shape = (rows.len() / size.max(1), size);
            let features = Array2::from_shape_vec(shape, rows);
            let features = features.expect("each image of a sample has every feature");
            npz.add_array("features", &features)?;
        }
        if extractor_sha256.is_empty() {
            return Ok(());
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

fn bytes_of(hex: &str) -> Vec<u8> {
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    bytes.expect("a digest of ours is hexadecimal")
}
