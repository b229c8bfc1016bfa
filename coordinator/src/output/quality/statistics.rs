//! Mean and covariance of features.

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, get_global_parallelism};

/// Rows that are added at once.
const ROWS_AT_ONCE: usize = 256;

/// Mean and covariance of a set of features.
#[derive(Debug, Clone)]
pub struct FeatureStatistics {
    /// Mean, `(features)`.
    pub mean: Vec<f64>,
    /// Covariance divided by the number of items less one, `(features, features)`, symmetric.
    pub covariance: Mat<f64>,
}

impl FeatureStatistics {
    /// Returns the number of features.
    #[must_use]
    pub fn num_features(&self) -> usize {
        self.mean.len()
    }
}

/// Sums over features that come one item at a time. The same items in the same order give the same bits.
#[derive(Debug, Clone)]
pub struct Accumulator {
    count: usize,
    sum: Vec<f64>,
    /// Lower triangle of the sum of outer products.
    products: Mat<f64>,
    /// Features of items that are not in the sums yet.
    waiting: Vec<f32>,
}

impl Accumulator {
    /// Returns sums over nothing.
    #[must_use]
    pub fn new(num_features: usize) -> Self {
        Self {
            count: 0,
            sum: vec![0.0; num_features],
            products: Mat::zeros(num_features, num_features),
            waiting: Vec::new(),
        }
    }

    /// Returns the number of items.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the number of features of an item.
    #[must_use]
    pub fn num_features(&self) -> usize {
        self.sum.len()
    }

    /// Adds an item, whose number of features is that of the others.
    pub fn add(&mut self, features: &[f32]) {
        assert_eq!(features.len(), self.sum.len(), "features of one network");
        self.count += 1;
        self.waiting.extend_from_slice(features);
        if self.waiting.len() >= ROWS_AT_ONCE * features.len() {
            self.take_in();
        }
    }

    /// Returns mean and covariance; none of fewer than two items.
    #[must_use]
    pub fn statistics(&self) -> Option<FeatureStatistics> {
        if !self.waiting.is_empty() {
            let mut whole = self.clone();
            whole.take_in();
            return whole.statistics();
        }
        if self.count < 2 {
            return None;
        }
        let count = self.count as f64;
        let mean: Vec<f64> = self.sum.iter().map(|sum| sum / count).collect();
        let size = mean.len();
        let covariance = Mat::from_fn(size, size, |i, j| {
            let product = self.products[(i.max(j), i.min(j))];
            (product - count * mean[i] * mean[j]) / (count - 1.0)
        });
        Some(FeatureStatistics { mean, covariance })
    }

    fn take_in(&mut self) {
        let size = self.sum.len();
        if self.waiting.is_empty() || size == 0 {
            return;
        }
        let waiting: Vec<f64> = self.waiting.drain(..).map(f64::from).collect();
        // Each item is a column.
        let items = MatRef::from_column_major_slice(&waiting, size, waiting.len() / size);
        for item in items.col_iter() {
            for (sum, value) in self.sum.iter_mut().zip(item.iter()) {
                *sum += value;
            }
        }
        triangular::matmul(
            &mut self.products,
            BlockStructure::TriangularLower,
            Accum::Add,
            items,
            BlockStructure::Rectangular,
            items.transpose(),
            BlockStructure::Rectangular,
            1.0,
            get_global_parallelism(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_definition() {
        let items: Vec<[f32; 3]> = (0..700u16)
            .map(|i| {
                let t = f32::from(i);
                [t.sin() + 3.0, 0.5 * t.sin() + t.cos(), (0.1 * t).fract()]
            })
            .collect();
        let mut sums = Accumulator::new(3);
        assert!(sums.statistics().is_none());
        items.iter().for_each(|item| sums.add(item));
        let found = sums.statistics().unwrap();

        let count = items.len() as f64;
        let column = |i: usize| items.iter().map(move |item| f64::from(item[i]));
        let mean = |i: usize| column(i).sum::<f64>() / count;
        for i in 0..3 {
            assert!((found.mean[i] - mean(i)).abs() < 1e-12);
            for j in 0..3 {
                let products = column(i).zip(column(j));
                let sum: f64 = products.map(|(a, b)| (a - mean(i)) * (b - mean(j))).sum();
                let expected = sum / (count - 1.0);
                assert!((found.covariance[(i, j)] - expected).abs() < 1e-12);
            }
        }
    }
}
