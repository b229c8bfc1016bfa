//! Fréchet inception distance (FID): the Fréchet distance of two Gaussians with the mean and covariance of features.
//!
//! `|mean_a - mean_b|^2 + tr(C_a) + tr(C_b) - 2 tr((C_a C_b)^(1/2))`.
//!
//! The trace of the square root is the sum of the singular values of `R_a^T R_b`, where `R R^T = C` comes from the
//! eigenvalues and eigenvectors of the symmetric `C`: no complex numbers, and exact to rounding also where a covariance
//! is singular, as it is when there are fewer items than features. The same sum out of the eigenvalues of
//! `R_a^T C_b R_a` would lose half the digits there.
//!
//! **Source:** Heusel et al. 2017, eq. 6 (arXiv:1706.08500).
//! **Differs:** pytorch-fid adds 1e-6 to the diagonals where its `sqrtm` fails; here nothing fails.

use faer::{Mat, Side};

use super::statistics::FeatureStatistics;

/// Eigenvalues below this part of the largest are rounding errors of zeros.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Statistics that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FidError {
    /// They are of different networks.
    #[error(
        "statistics of {first} and of {second} features cannot be compared: were they made with different networks?"
    )]
    Features {
        /// Number of features of the first.
        first: usize,
        /// The same of the second.
        second: usize,
    },
    /// They hold what no features give.
    #[error("the statistics hold values that are no numbers")]
    NotFinite,
}

/// A Gaussian with the mean and covariance of features, decomposed once for many comparisons.
#[derive(Debug, Clone)]
pub struct Gaussian {
    mean: Vec<f64>,
    trace: f64,
    /// `(features, rank)`, with the covariance as its product with its transpose.
    root: Mat<f64>,
}

impl Gaussian {
    /// Returns the Gaussian of some statistics.
    ///
    /// # Errors
    ///
    /// [`FidError::NotFinite`] if they are no numbers.
    pub fn of(statistics: &FeatureStatistics) -> Result<Self, FidError> {
        Ok(Self {
            mean: statistics.mean.clone(),
            trace: trace(&statistics.covariance),
            root: root(&statistics.covariance)?,
        })
    }

    /// Returns the Fréchet distance to another one; 0 for equal ones.
    ///
    /// # Errors
    ///
    /// [`FidError`] if they are of different networks or no numbers.
    pub fn distance(&self, other: &Self) -> Result<f64, FidError> {
        if self.mean.len() != other.mean.len() {
            return Err(FidError::Features {
                first: self.mean.len(),
                second: other.mean.len(),
            });
        }
        let pairs = self.mean.iter().zip(&other.mean);
        let of_means: f64 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
        let product = self.root.transpose() * &other.root;
        let singular = product.singular_values().map_err(|_| FidError::NotFinite)?;
        let of_roots: f64 = singular.iter().sum();
        let distance = of_means + self.trace + other.trace - 2.0 * of_roots;
        if distance.is_finite() {
            Ok(distance.max(0.0))
        } else {
            Err(FidError::NotFinite)
        }
    }
}

fn trace(matrix: &Mat<f64>) -> f64 {
    matrix.diagonal().column_vector().iter().sum()
}

/// Returns a matrix `R` of as many columns as the covariance has rank, with `R R^T` the covariance.
fn root(covariance: &Mat<f64>) -> Result<Mat<f64>, FidError> {
    let finite = |j: usize| covariance.col(j).iter().all(|value| value.is_finite());
    if !(0..covariance.ncols()).all(finite) {
        return Err(FidError::NotFinite);
    }
    let decomposed = covariance
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| FidError::NotFinite)?;
    let (values, vectors) = (decomposed.S().column_vector(), decomposed.U());
    let largest = values.iter().copied().fold(0.0, f64::max);
    let kept: Vec<usize> = (0..values.nrows())
        .filter(|&i| values[i] > ROUNDING * largest)
        .collect();
    Ok(Mat::from_fn(vectors.nrows(), kept.len(), |row, column| {
        let i = kept[column];
        vectors[(row, i)] * values[i].sqrt()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::quality::fixtures::{Fixture, accumulate};

    fn distance(first: &FeatureStatistics, second: &FeatureStatistics) -> f64 {
        let second = Gaussian::of(second).unwrap();
        Gaussian::of(first).unwrap().distance(&second).unwrap()
    }

    fn assert_close(found: f64, expected: f64) {
        let error = (found - expected).abs() / expected;
        assert!(error < 1e-6, "found {found}, expected {expected}");
    }

    // mu, sigma = features.mean(axis=0), np.cov(features, rowvar=False)
    // diff.dot(diff) + np.trace(sigma1) + np.trace(sigma2) - 2 * np.trace(scipy.linalg.sqrtm(sigma1.dot(sigma2)))
    #[test]
    fn distances_are_those_of_the_formula_also_of_a_singular_covariance() {
        let mut golden = Fixture::open("golden/fid.npz");
        let [a, b, c] = ["a", "b", "c"]
            .map(|set| golden.statistics(&format!("mu_{set}"), &format!("sigma_{set}")));
        assert_close(distance(&a, &b), golden.number("fid_ab"));
        assert_close(distance(&a, &c), golden.number("fid_ac_rank_deficient"));
        assert!(distance(&a, &a) < 1e-8);
        assert_close(distance(&b, &a), distance(&a, &b));
    }

    // pytorch_fid.fid_score.calculate_frechet_distance
    #[test]
    fn distances_of_features_are_those_of_pytorch_fid() {
        let mut fixture = Fixture::open("quality/fid_pytorch_fid.npz");
        let [first, second] = ["first", "second"].map(|set| accumulate(&fixture.matrix(set)));
        let theirs = fixture.statistics("first_mu", "first_sigma");
        for i in 0..theirs.mean.len() {
            assert!((first.mean[i] - theirs.mean[i]).abs() < 1e-6);
            let (ours, theirs) = (first.covariance.col(i), theirs.covariance.col(i));
            assert!(
                ours.iter()
                    .zip(theirs.iter())
                    .all(|(a, b)| (a - b).abs() < 1e-6)
            );
        }
        assert_close(distance(&first, &second), fixture.number("fid"));
    }

    #[test]
    fn statistics_of_different_networks_and_broken_ones_are_refused() {
        let statistics = |size: usize, value: f64| FeatureStatistics {
            mean: vec![0.0; size],
            covariance: Mat::from_fn(size, size, |_, _| value),
        };
        let (small, large) = (statistics(2, 1.0), statistics(3, 1.0));
        let refused = Gaussian::of(&small)
            .unwrap()
            .distance(&Gaussian::of(&large).unwrap());
        assert_eq!(
            refused,
            Err(FidError::Features {
                first: 2,
                second: 3
            })
        );
        let broken = Gaussian::of(&statistics(2, f64::NAN));
        assert!(matches!(broken, Err(FidError::NotFinite)));
    }
}
