//! The weights that cells have in the pixels of each class, by the lengths of the blends that these are.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::{EPSILON, UnitFeatures, dot};
use crate::cells::{Between, between};
use shared::dataset::classes::NUM_CLASSES;

/// Weights of a cell in the pixels of each class, by the lengths of their blends.
pub(super) type ClassWeights = [f64; NUM_CLASSES];

/// Returns the weights of each cell, row by row.
///
/// Pixels between the same rows of cells are summed apart, and then all of them in one order.
pub(super) fn class_weights(features: &UnitFeatures, labels: ArrayView2<u8>) -> Vec<ClassWeights> {
    let (height, width) = features.size();
    let products = NeighbourProducts::of(features);
    let rows = between(labels.nrows(), height);
    let columns = between(labels.ncols(), width);
    let of_rows: Vec<_> = (0..height)
        .into_par_iter()
        .map(|low| {
            let mut weights = vec![[0.0; NUM_CLASSES]; 2 * width];
            for (row, labels) in rows.iter().zip(labels.rows()) {
                if row.low == low {
                    add_row(&products, row, &columns, labels, &mut weights);
                }
            }
            weights
        })
        .collect();
    let mut all = vec![[0.0; NUM_CLASSES]; height * width];
    for (low, weights) in of_rows.iter().enumerate() {
        // The last row of cells has none after it, and its pixels nothing to add to one.
        for (sums, weights) in all[low * width..].iter_mut().zip(weights) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight;
            }
        }
    }
    all
}

/// Adds a row of pixels to the weights of the cells before it and after it, `(2, width)`.
fn add_row(
    products: &NeighbourProducts,
    row: &Between,
    columns: &[Between],
    labels: ArrayView1<u8>,
    weights: &mut [ClassWeights],
) {
    let num_columns = weights.len() / 2;
    for (column, &label) in columns.iter().zip(labels) {
        let class = usize::from(label);
        if class >= NUM_CLASSES {
            continue;
        }
        let (down, right) = (f64::from(row.share), f64::from(column.share));
        let corners = [
            (1.0 - down) * (1.0 - right),
            (1.0 - down) * right,
            down * (1.0 - right),
            down * right,
        ];
        let length = products.length(row.low, column.low, corners).max(EPSILON);
        let after = if row.high == row.low { 0 } else { num_columns };
        let cells = [
            column.low,
            column.high,
            after + column.low,
            after + column.high,
        ];
        for (cell, corner) in cells.into_iter().zip(corners) {
            weights[cell][class] += corner / length;
        }
    }
}

/// The products of each cell's features with its own and its neighbours'.
struct NeighbourProducts {
    width: usize,
    /// For each cell, those among it, the cell right of it, the one below it and the one below to the right.
    of_cells: Vec<Square>,
}

/// The products among four cells, each of two of them once: `[0, 1; 2, 3]` is how they lie.
type Square = [[f64; 4]; 4];

impl NeighbourProducts {
    fn of(features: &UnitFeatures) -> Self {
        let (height, width) = features.size();
        let square = |cell: usize| {
            let (y, x) = (cell / width, cell % width);
            let (below, right) = ((y + 1).min(height - 1), (x + 1).min(width - 1));
            let cells = [(y, x), (y, right), (below, x), (below, right)];
            let cells = cells.map(|(y, x)| features.cell(y, x));
            cells.map(|a| cells.map(|b| dot(a, b)))
        };
        let of_cells = (0..height * width).into_par_iter().map(square).collect();
        Self { width, of_cells }
    }

    /// Returns the length of a blend of the four cells from one on, with their weights.
    fn length(&self, y: usize, x: usize, weights: [f64; 4]) -> f64 {
        let square = &self.of_cells[y * self.width + x];
        let mut sum = 0.0;
        for (row, a) in square.iter().zip(weights) {
            for (product, b) in row.iter().zip(weights) {
                sum += a * b * product;
            }
        }
        sum.max(0.0).sqrt()
    }
}
