//! Tiles of queries: one head of their attention, block by block of keys.
//!
//! The scores of a tile are the only matrix of queries by keys that is ever in memory, but for attention that is summed
//! over heads.

use std::ops::Range;

use super::blocking::{KC, MR, padded};
use super::pack::{Keys, Queries, Values};
use super::scores::Scores;
use super::softmax::{
    AddTo, Contrast, Lanes, RowSoftmaxStats, SoftmaxStats, SumExponentials, Weigh, first_of,
    largest, sum_of,
};
use super::weighted_sums::WeightedSums;
use crate::vectorised::{LANES, MAX_LANES};

/// Packed queries, and the keys and values that they attend to; all have the same heads.
pub struct Attention<'a> {
    /// The queries.
    pub queries: &'a Queries,
    /// The keys.
    pub keys: &'a Keys,
    /// The values of the keys. If there are fewer, they belong to the first keys, and the other keys count in the softmax
    /// alone; there are never more.
    pub values: &'a Values,
    /// The contrast, if any.
    pub contrast: Option<Contrast>,
    /// The statistics of the softmax over more keys, of which these are some; none to compute those over these keys.
    pub stats: Option<&'a SoftmaxStats>,
}

/// One head of an attention, for some queries.
pub(super) struct HeadOfQueries<'a> {
    pub(super) attention: &'a Attention<'a>,
    pub(super) head: usize,
    /// The first of them begins a panel of packed queries.
    pub(super) queries: Range<usize>,
}

/// Rows of an output, which all heads share.
pub(super) struct OutputRows<'a> {
    /// `(queries, columns)`
    pub(super) values: &'a mut [f32],
    pub(super) columns: usize,
}

impl OutputRows<'_> {
    /// Returns the rows from `row` on.
    pub(super) fn from(&mut self, row: usize) -> OutputRows<'_> {
        OutputRows {
            values: &mut self.values[row * self.columns..],
            columns: self.columns,
        }
    }
}

/// Buffers for one tile and head. Rows are those of whole panels of queries.
#[derive(Default)]
pub(super) struct Tile {
    pub(super) scores: Matrix,
    /// `(rows, MAX_LANES)`: largest scores.
    largest: Vec<f32>,
    /// `(rows, KC)`: the weights of a block of values.
    pub(super) weights: Vec<f32>,
    /// For each row, partial sums of its exponentials, or of its weights.
    pub(super) lanes: Vec<Lanes>,
    /// `(rows, padded width)`: sums of weighted values.
    pub(super) averages: Vec<f32>,
}

impl Tile {
    /// Returns the scores.
    pub(super) fn scores(&self) -> &Matrix {
        &self.scores
    }

    /// Computes the scores of some queries.
    pub(super) fn score(
        &mut self,
        head: usize,
        queries: &Queries,
        keys: &Keys,
        tokens: Range<usize>,
    ) {
        let num_rows = tokens.len().next_multiple_of(MR);
        self.scores.resize(num_rows, keys.num());
        self.largest.clear();
        self.largest.resize(num_rows * MAX_LANES, f32::NEG_INFINITY);
        let scores = Scores {
            queries: queries.head_of(head, tokens),
            keys: keys.head(head),
            depth: keys.layout().places(keys.heads().width),
            layout: keys.layout(),
            scores: &mut self.scores.values,
            largest: &mut self.largest,
            num_keys: keys.num(),
        };
        scores.write();
    }

    /// Adds `factor` times an attention to `output` and the attention itself to `sums`, and returns its statistics.
    pub(super) fn attend(
        &mut self,
        of: &HeadOfQueries<'_>,
        sums: Option<&mut Matrix>,
        factor: f32,
        output: OutputRows<'_>,
    ) -> Vec<RowSoftmaxStats> {
        let &Attention {
            queries,
            keys,
            values,
            contrast,
            stats,
        } = of.attention;
        self.score(of.head, queries, keys, of.queries.clone());
        self.clear_lanes();
        // Without contrast, weights are exponentials: the sums that averages are divided by may be found beside these.
        let sums_late = contrast.is_none() && values.num() == self.scores.num_columns;
        let mut rows = match stats {
            Some(known) => known.rows(of.head, of.queries.clone()).to_vec(),
            None => self.maxima(of.queries.len()),
        };
        if stats.is_none() && !sums_late {
            self.sum_exponentials(&mut rows);
        }
        self.average(of, &rows, sums);
        if stats.is_none() && sums_late {
            self.set_sums(&mut rows);
        }
        self.add_averages(of, &rows, factor, output);
        rows
    }

    /// Makes all partial sums zero.
    pub(super) fn clear_lanes(&mut self) {
        self.lanes.clear();
        self.lanes.resize(self.scores.num_rows, [0.0; LANES]);
    }

    /// Returns the statistics of the first rows as far as scores alone tell: without sums.
    pub(super) fn maxima(&self, num_rows: usize) -> Vec<RowSoftmaxStats> {
        let rows = self.largest.chunks_exact(MAX_LANES).take(num_rows);
        rows.map(|row| RowSoftmaxStats {
            max: largest(row),
            sum: 0.0,
        })
        .collect()
    }

    /// Computes the sums of exponentials of all scores.
    pub(super) fn sum_exponentials(&mut self, rows: &mut [RowSoftmaxStats]) {
        for block in 0..self.scores.num_blocks() {
            let sum = SumExponentials {
                scores: self.scores.block(block),
                num: self.scores.num_in(block),
                rows,
                sums: &mut self.lanes,
            };
            sum.add();
        }
        self.set_sums(rows);
    }

    /// Sets the sums of rows to what their partial sums make.
    fn set_sums(&self, rows: &mut [RowSoftmaxStats]) {
        for (row, lanes) in rows.iter_mut().zip(&self.lanes) {
            row.sum = sum_of(*lanes);
        }
    }

    /// Computes the sums of weighted values, block by block, and adds their weights to `sums`.
    fn average(
        &mut self,
        of: &HeadOfQueries<'_>,
        rows: &[RowSoftmaxStats],
        mut sums: Option<&mut Matrix>,
    ) {
        let values = of.attention.values;
        let heads = values.heads();
        let width = padded(heads.width);
        let num_rows = self.scores.num_rows;
        self.averages.clear();
        self.averages.resize(num_rows * width, 0.0);
        self.weights.resize(num_rows * KC, 0.0);
        if let Some(sums) = &mut sums {
            sums.resize(num_rows, self.scores.num_columns);
        }
        let layout = values.layout();
        for (block, (num, values)) in values.blocks(of.head).enumerate() {
            let weigh = Weigh {
                scores: self.scores.block(block),
                num,
                rows,
                contrast: of.attention.contrast,
                weights: &mut self.weights,
                exponential_sums: &mut self.lanes,
            };
            weigh.write();
            if let Some(sums) = &mut sums {
                let add = AddTo {
                    sums: sums.block_mut(block),
                    num,
                    weights: &self.weights,
                };
                add.add();
            }
            let weighted = WeightedSums {
                weights: &mut self.weights,
                values,
                num,
                layout,
                width: heads.width,
                sums: &mut self.averages,
                next: sums.as_ref().map_or(&[], |sums| sums.block_after(block)),
            };
            weighted.add();
        }
    }

    /// Adds `factor` times the attention's averages to `output`.
    fn add_averages(
        &self,
        of: &HeadOfQueries<'_>,
        rows: &[RowSoftmaxStats],
        factor: f32,
        output: OutputRows<'_>,
    ) {
        let width = of.attention.values.heads().width;
        let columns = of.head * width..(of.head + 1) * width;
        let outputs = output.values.chunks_exact_mut(output.columns);
        let averages = self.averages.chunks_exact(padded(width));
        for ((output, averages), row) in outputs.zip(averages).zip(rows) {
            let factor = match of.attention.contrast {
                Some(_) => factor,
                None => factor / row.sum,
            };
            for (value, average) in output[columns.clone()].iter_mut().zip(averages) {
                *value += factor * average;
            }
        }
    }
}

/// Scores or attention of some rows of queries, by blocks of keys.
#[derive(Default)]
pub(super) struct Matrix {
    /// `(blocks, rows, KC)`
    pub(super) values: Vec<f32>,
    pub(super) num_rows: usize,
    num_columns: usize,
}

impl Matrix {
    /// Forgets the values.
    pub(super) fn clear(&mut self) {
        self.values.clear();
    }

    /// Takes on a shape; new values are zero, others stay where they were in memory.
    pub(super) fn resize(&mut self, num_rows: usize, num_columns: usize) {
        self.num_rows = num_rows;
        self.num_columns = num_columns;
        let num_blocks = self.num_blocks();
        self.values.resize(num_blocks * num_rows * KC, 0.0);
    }

    /// Returns the number of blocks.
    pub(super) fn num_blocks(&self) -> usize {
        self.num_columns.div_ceil(KC)
    }

    /// Returns the number of columns of a block.
    pub(super) fn num_in(&self, block: usize) -> usize {
        KC.min(self.num_columns - block * KC)
    }

    /// Returns the numbers of a block.
    fn block_len(&self) -> usize {
        self.num_rows * KC
    }

    /// Returns a block, `(rows, KC)`.
    pub(super) fn block(&self, block: usize) -> &[f32] {
        &self.values[block * self.block_len()..][..self.block_len()]
    }

    pub(super) fn block_mut(&mut self, block: usize) -> &mut [f32] {
        let len = self.block_len();
        &mut self.values[block * len..][..len]
    }

    /// Returns the block after one, which is empty if that is the last.
    fn block_after(&self, block: usize) -> &[f32] {
        let after = &self.values[(block + 1) * self.block_len()..];
        &after[..self.block_len().min(after.len())]
    }

    /// Has the values of a row taken, block by block.
    pub(super) fn row(&self, row: usize, mut take: impl FnMut(&[f32])) {
        for block in 0..self.num_blocks() {
            take(&self.block(block)[row * KC..][..self.num_in(block)]);
        }
    }

    /// Returns for each of the first rows the column with the largest value, the first of equal ones.
    pub(super) fn best(&self, num_rows: usize) -> impl Iterator<Item = usize> {
        (0..num_rows).map(|row| {
            let mut best = (f32::NEG_INFINITY, 0);
            for block in 0..self.num_blocks() {
                let values = &self.block(block)[row * KC..][..self.num_in(block)];
                let max = largest(values);
                if max > best.0 {
                    best = (max, block * KC + first_of(max, values));
                }
            }
            best.1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_block_comes_after_the_last() {
        let mut matrix = Matrix::default();
        matrix.resize(MR, KC + 1);
        assert_eq!(matrix.block_after(0).len(), MR * KC);
        assert!(matrix.block_after(1).is_empty());
    }
}
