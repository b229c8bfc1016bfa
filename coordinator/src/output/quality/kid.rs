//! Kernel inception distance (KID): the squared maximum mean discrepancy of two sets of features, with the kernel
//! `(x . y / num_features + 1)^3`, unbiased, as the mean over random subsets.
//!
//! **Source:** Bińkowski et al. 2018, section 4 (arXiv:1801.01401).
//! **Differs:** subsets of fewer than 1,000 where a set has fewer than 2,000 items: half of the smaller one.

use faer::{Mat, MatRef};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Number of subsets.
pub const NUM_SUBSETS: usize = 100;
/// Items of a subset at most.
pub const MAX_SUBSET_SIZE: usize = 1_000;
/// Sets with fewer items are not compared.
const MIN_ITEMS: usize = 4;
/// The subsets are random and always the same.
const SEED: u64 = 0x4b49_4400;

/// A kernel distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelDistance {
    /// Mean over the subsets.
    pub mean: f64,
    /// Standard error of that mean: the spread of the subsets over the root of their number. It says how well the mean
    /// over subsets is known, not how far another draw of the items would be.
    pub standard_error: f64,
    /// Items of a subset of each set.
    pub subset_size: usize,
}

/// Returns the kernel distance of two sets of features, an item a column; none of sets that are too small or of
/// different networks.
#[must_use]
pub fn kernel_distance(first: MatRef<'_, f64>, second: MatRef<'_, f64>) -> Option<KernelDistance> {
    let smaller = first.ncols().min(second.ncols());
    if smaller < MIN_ITEMS || first.nrows() != second.nrows() || first.nrows() == 0 {
        return None;
    }
    let subset_size = (smaller / 2).min(MAX_SUBSET_SIZE);
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut subset = |of: MatRef<'_, f64>| {
        let chosen = index::sample(&mut random, of.ncols(), subset_size).into_vec();
        columns(of, &chosen)
    };
    let distances: Vec<f64> = (0..NUM_SUBSETS)
        .map(|_| squared_discrepancy(subset(first).as_ref(), subset(second).as_ref()))
        .collect();
    let count = NUM_SUBSETS as f64;
    let mean = distances.iter().sum::<f64>() / count;
    let spread: f64 = distances.iter().map(|d| (d - mean).powi(2)).sum();
    Some(KernelDistance {
        mean,
        standard_error: (spread / (count - 1.0) / count).sqrt(),
        subset_size,
    })
}

/// Returns the unbiased squared maximum mean discrepancy of two sets of at least two items, an item a column.
#[must_use]
pub fn squared_discrepancy(first: MatRef<'_, f64>, second: MatRef<'_, f64>) -> f64 {
    let (m, n) = (first.ncols() as f64, second.ncols() as f64);
    let within = |set: MatRef<'_, f64>, count: f64| {
        let kernel = kernel(set, set);
        let own: f64 = kernel.diagonal().column_vector().iter().sum();
        (sum(&kernel) - own) / (count * (count - 1.0))
    };
    within(first, m) + within(second, n) - 2.0 * sum(&kernel(first, second)) / (m * n)
}

fn kernel(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let products = a.transpose() * b;
    let num_features = a.nrows() as f64;
    Mat::from_fn(products.nrows(), products.ncols(), |i, j| {
        (products[(i, j)] / num_features + 1.0).powi(3)
    })
}

fn sum(matrix: &Mat<f64>) -> f64 {
    matrix
        .col_iter()
        .map(|column| column.iter().sum::<f64>())
        .sum()
}

fn columns(of: MatRef<'_, f64>, chosen: &[usize]) -> Mat<f64> {
    Mat::from_fn(of.nrows(), chosen.len(), |i, j| of[(i, chosen[j])])
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::output::quality::fixtures::Fixture;

    fn items(features: &Array2<f32>) -> Mat<f64> {
        Mat::from_fn(features.ncols(), features.nrows(), |i, j| {
            f64::from(features[(j, i)])
        })
    }

    fn assert_close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-9 * expected.abs().max(1e-3),
            "{found}, {expected}"
        );
    }

    // The unbiased estimate in float64, with which torch-fidelity agrees on the subsets.
    #[test]
    fn discrepancies_are_those_of_published_code() {
        let mut fixture = Fixture::open("quality/kid.npz");
        let [first, second] = ["first", "second"].map(|set| items(&fixture.matrix(set)));
        let whole = squared_discrepancy(first.as_ref(), second.as_ref());
        assert_close(whole, fixture.number("mmd2"));
        let chosen = ["subsets_first", "subsets_second"].map(|name| fixture.matrix::<i64>(name));
        let expected = fixture.numbers("subsets_mmd2");
        for (subset, expected) in expected.into_iter().enumerate() {
            let part = |of: &Mat<f64>, chosen: &Array2<i64>| {
                let chosen: Vec<usize> = chosen.row(subset).iter().map(|&i| i as usize).collect();
                columns(of.as_ref(), &chosen)
            };
            let (a, b) = (part(&first, &chosen[0]), part(&second, &chosen[1]));
            assert_close(squared_discrepancy(a.as_ref(), b.as_ref()), expected);
        }
    }

    #[test]
    fn the_distance_over_subsets_is_about_that_of_the_sets_and_always_the_same() {
        let mut fixture = Fixture::open("quality/kid.npz");
        let [first, second] = ["first", "second"].map(|set| items(&fixture.matrix(set)));
        let found = kernel_distance(first.as_ref(), second.as_ref()).unwrap();
        assert_eq!(found.subset_size, 150);
        assert_eq!(
            kernel_distance(first.as_ref(), second.as_ref()),
            Some(found)
        );
        let error = (found.mean - fixture.number("mmd2")).abs();
        assert!(
            error < 4.0 * found.standard_error,
            "off by {error}: {found:?}"
        );
        let none = Mat::zeros(first.nrows(), 3);
        assert_eq!(kernel_distance(first.as_ref(), none.as_ref()), None);
    }
}
