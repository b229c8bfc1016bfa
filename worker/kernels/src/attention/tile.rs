//! Tiles of queries: one head of their attention, block by block of keys.
//!
//! The scores of a tile are the only matrix of queries by keys that is ever in memory, but for attention that is summed
//! over heads.

use std::ops::Range;

use super::pack::{Keys, Queries, Values, padded};
use super::product::{BLOCK, GROUP, Scores, WeightedSums};
use super::softmax::{
    AddTo, Contrast, Lanes, RowSoftmax, SumPowers, Weigh, argmax, largest, sum_of,
};
use super::strip::OutputStrip;
use crate::vectorised::{LANES, MAX_LANES};

/// What attends to what, and how.
pub struct Attention<'a> {
    /// What is compared with the keys.
    pub queries: &'a Queries,
    /// What queries are compared with.
    pub keys: &'a Keys,
    /// If there are fewer values than keys, they belong to the first keys.
    pub values: &'a Values,
    /// The contrast, if any.
    pub contrast: Option<Contrast>,
    /// The softmaxes, if they are known because the keys are some of those that they are over.
    pub softmaxes: Option<&'a Softmaxes>,
}

/// What turned the scores of an attention into their softmax. Whoever needs some columns of that attention again need not
/// make all of it.
#[derive(Clone, Debug)]
pub struct Softmaxes {
    /// For each head, those of all queries.
    of_heads: Vec<Vec<RowSoftmax>>,
}

impl Softmaxes {
    /// Puts together what strips have for each head.
    pub fn of(strips: impl IntoIterator<Item = Vec<Vec<RowSoftmax>>>) -> Self {
        let mut of_heads = Vec::new();
        for strip in strips {
            of_heads.resize_with(strip.len(), Vec::new);
            for (all, rows) in of_heads.iter_mut().zip(strip) {
                all.extend(rows);
            }
        }
        Self { of_heads }
    }
}

/// What is in memory of one tile and head. Rows are those of whole groups of queries.
#[derive(Default)]
pub(super) struct Tile {
    scores: Matrix,
    /// `(rows, MAX_LANES)`: largest scores.
    largest: Vec<f32>,
    /// `(rows, BLOCK)`: what a block of values is weighted by.
    weights: Vec<f32>,
    /// For each row, sums of powers.
    powers: Vec<Lanes>,
    /// `(rows, padded width)`: sums of weighted values.
    averages: Vec<f32>,
}

impl Tile {
    /// Returns the scores.
    pub(super) fn scores(&self) -> &Matrix {
        &self.scores
    }

    /// Writes the scores of some queries.
    pub(super) fn score(
        &mut self,
        head: usize,
        queries: &Queries,
        keys: &Keys,
        tokens: Range<usize>,
    ) {
        let num_rows = tokens.len().next_multiple_of(GROUP);
        self.scores.resize(num_rows, keys.num());
        self.largest.clear();
        self.largest.resize(num_rows * MAX_LANES, f32::NEG_INFINITY);
        let scores = Scores {
            queries: queries.of(head, tokens),
            keys: keys.head(head),
            depth: keys.heads().width,
            scores: &mut self.scores.values,
            largest: &mut self.largest,
            num_keys: keys.num(),
        };
        scores.write();
    }

    /// Adds `factor` times an attention to `output` and the attention itself to `sums`, and returns its softmaxes.
    pub(super) fn attend(
        &mut self,
        head: usize,
        attention: &Attention<'_>,
        queries: Range<usize>,
        mut sums: Option<&mut Matrix>,
        factor: f32,
        output: OutputStrip<'_>,
    ) -> Vec<RowSoftmax> {
        let &Attention {
            values,
            contrast,
            softmaxes,
            ..
        } = attention;
        self.score(head, attention.queries, attention.keys, queries.clone());
        let num_rows = self.scores.num_rows;
        self.powers.clear();
        self.powers.resize(num_rows, [0.0; LANES]);
        // Without contrast, weights are powers: what they are to be divided by may be found beside their products.
        let sums_late = contrast.is_none() && values.num() == self.scores.num_columns;
        let mut rows = match softmaxes {
            Some(known) => known.of_heads[head][queries].to_vec(),
            None => {
                let mut rows = self.maxima(queries.len());
                if !sums_late {
                    self.sum_powers(&mut rows);
                }
                rows
            }
        };
        let heads = values.heads();
        let width = padded(heads.width);
        self.averages.clear();
        self.averages.resize(num_rows * width, 0.0);
        self.weights.resize(num_rows * BLOCK, 0.0);
        if let Some(sums) = &mut sums {
            sums.resize(num_rows, self.scores.num_columns);
        }
        for (block, values) in values.head(head).chunks(BLOCK * width).enumerate() {
            let num = values.len() / width;
            let weigh = Weigh {
                scores: self.scores.block(block),
                num,
                rows: &rows,
                contrast,
                weights: &mut self.weights,
                powers: &mut self.powers,
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
                weights: &self.weights,
                values,
                width: heads.width,
                sums: &mut self.averages,
                next: sums.as_ref().map_or(&[], |sums| sums.block(block + 1)),
            };
            weighted.add();
        }
        if softmaxes.is_none() && sums_late {
            for (row, powers) in rows.iter_mut().zip(&self.powers) {
                row.sum = sum_of(*powers);
            }
        }
        let columns = head * heads.width..(head + 1) * heads.width;
        let outputs = output.values.chunks_exact_mut(output.columns);
        let averages = self.averages.chunks_exact(width);
        for ((output, averages), row) in outputs.zip(averages).zip(&rows) {
            let factor = match contrast {
                Some(_) => factor,
                None => factor / row.sum,
            };
            for (value, average) in output[columns.clone()].iter_mut().zip(averages) {
                *value += factor * average;
            }
        }
        rows
    }

    /// Returns the softmax of each of the first rows as far as scores alone tell.
    fn maxima(&self, num_rows: usize) -> Vec<RowSoftmax> {
        let rows = self.largest.chunks_exact(MAX_LANES).take(num_rows);
        rows.map(|row| RowSoftmax {
            max: largest(row),
            sum: 0.0,
        })
        .collect()
    }

    /// Adds the sums of powers.
    fn sum_powers(&mut self, rows: &mut [RowSoftmax]) {
        for block in 0..self.scores.num_columns.div_ceil(BLOCK) {
            let powers = SumPowers {
                scores: self.scores.block(block),
                num: self.scores.num_in(block),
                rows,
                powers: &mut self.powers,
            };
            powers.add();
        }
        for (row, powers) in rows.iter_mut().zip(&self.powers) {
            row.sum = sum_of(*powers);
        }
    }
}

/// Scores or attention of some rows of queries, by blocks of keys.
#[derive(Default)]
pub struct Matrix {
    /// `(blocks, rows, BLOCK)`
    values: Vec<f32>,
    num_rows: usize,
    num_columns: usize,
}

impl Matrix {
    /// Forgets the values.
    pub(super) fn clear(&mut self) {
        self.values.clear();
    }

    /// Takes on a shape; new values are zero, others stay where they were in memory.
    fn resize(&mut self, num_rows: usize, num_columns: usize) {
        self.num_rows = num_rows;
        self.num_columns = num_columns;
        let num_blocks = num_columns.div_ceil(BLOCK);
        self.values.resize(num_blocks * num_rows * BLOCK, 0.0);
    }

    /// Returns the number of columns of a block.
    fn num_in(&self, block: usize) -> usize {
        BLOCK.min(self.num_columns - block * BLOCK)
    }

    /// Returns a block, `(rows, BLOCK)`; after the last one, nothing.
    fn block(&self, block: usize) -> &[f32] {
        let len = self.num_rows * BLOCK;
        self.values
            .get(block * len..(block + 1) * len)
            .unwrap_or_default()
    }

    fn block_mut(&mut self, block: usize) -> &mut [f32] {
        let len = self.num_rows * BLOCK;
        &mut self.values[block * len..(block + 1) * len]
    }

    /// Returns of each of the first rows the column with the first of the largest values.
    pub(super) fn best(&self, num_rows: usize) -> impl Iterator<Item = usize> {
        (0..num_rows).map(|row| {
            let mut best = (f32::NEG_INFINITY, 0);
            for block in 0..self.num_columns.div_ceil(BLOCK) {
                let values = &self.block(block)[row * BLOCK..][..self.num_in(block)];
                let max = largest(values);
                if max > best.0 {
                    best = (max, block * BLOCK + argmax(values));
                }
            }
            best.1
        })
    }
}
