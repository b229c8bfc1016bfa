//! FID and KID of a run's outputs against real photographs, means of the figures of items, and agreement with labels.
//!
//! - [`statistics`]: mean and covariance of features
//! - [`fid`]: Fréchet distance of two of them
//! - [`kid`]: kernel distance of two sets of features
//! - [`sample`]: a part of a set of features that does not depend on their order
//! - `photographs`, [`reference`](mod@reference): real photographs to compare with, and files that hold their statistics
//! - [`agreement`]: what a segmenter predicts, counted over items
//! - [`fold`]: a run's committed rows, one after the other

pub mod agreement;
pub mod fid;
pub mod fold;
pub mod kid;
#[cfg(feature = "embedded")]
pub mod photographs;
pub mod reference;
pub mod sample;
pub mod statistics;

#[cfg(test)]
mod fixtures {
    //! Features, and what published code computes from them.

    use std::fs::File;

    use faer::Mat;
    use ndarray::{Array0, Array2};
    use ndarray_npy::{NpzReader, ReadableElement};

    use super::statistics::{Accumulator, FeatureStatistics};

    pub(super) struct Fixture(NpzReader<File>);

    impl Fixture {
        pub(super) fn open(path: &str) -> Self {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/");
            let file = File::open(format!("{folder}{path}")).unwrap();
            Self(NpzReader::new(file).unwrap())
        }

        pub(super) fn number(&mut self, name: &str) -> f64 {
            let number: Array0<f64> = self.0.by_name(name).unwrap();
            number.into_scalar()
        }

        pub(super) fn numbers(&mut self, name: &str) -> Vec<f64> {
            let numbers: ndarray::Array1<f64> = self.0.by_name(name).unwrap();
            numbers.to_vec()
        }

        pub(super) fn matrix<T: ReadableElement>(&mut self, name: &str) -> Array2<T> {
            self.0.by_name(name).unwrap()
        }

        /// Returns mean and covariance as the file gives them.
        pub(super) fn statistics(&mut self, mu: &str, sigma: &str) -> FeatureStatistics {
            let mean: ndarray::Array1<f64> = self.0.by_name(mu).unwrap();
            let sigma = self.matrix::<f64>(sigma);
            FeatureStatistics {
                covariance: Mat::from_fn(mean.len(), mean.len(), |i, j| sigma[(i, j)]),
                mean: mean.to_vec(),
            }
        }
    }

    /// Returns mean and covariance of features, an item a row.
    pub(super) fn accumulate(features: &Array2<f32>) -> FeatureStatistics {
        let mut sums = Accumulator::new(features.ncols());
        for item in features.rows() {
            sums.add(item.as_slice().unwrap());
        }
        sums.statistics().unwrap()
    }
}
