//! Tiles of queries: the only attention matrices that are ever in memory.

use std::cell::RefCell;
use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::pack::{self, Keys, Values};
use super::product::{GROUP, PANEL, Scores, WeightedSums};
use super::softmax::{AddTo, Contrast, RowSoftmax, Softmax, argmax};

/// The number of queries of a tile: their attention to thousands of keys fits in the second cache.
const TILE: usize = 4 * GROUP;

/// Keeps the rows of a tile from all falling on the same lines of a cache.
const ROW_PADDING: usize = 16;

/// The attention of some queries, one head after the other.
///
/// Its buffers belong to a thread, which keeps them from one tile to the next.
#[derive(Default)]
pub(crate) struct Tile {
    /// The place of this tile among the others.
    pub(crate) index: usize,
    tokens: Range<usize>,
    queries: Vec<f32>,
    /// `(queries, stride)`: scores and then attention.
    weights: Vec<f32>,
    stride: usize,
    num_keys: usize,
    /// `(queries, stride)`: attention summed over heads.
    sums: Vec<f32>,
    /// `(queries, padded width)`: values averaged by attention.
    averages: Vec<f32>,
}

impl Tile {
    fn begin(&mut self, index: usize, num_tokens: usize) {
        self.index = index;
        self.tokens = index * TILE..num_tokens.min((index + 1) * TILE);
        self.sums.clear();
    }

    /// Begins a head with the scores of its queries and keys.
    pub(crate) fn score(&mut self, head: usize, query: ArrayView2<f32>, keys: &Keys) {
        let heads = keys.heads();
        pack::queries(&mut self.queries, query, heads, head, self.tokens.clone());
        self.num_keys = keys.num();
        self.stride = keys.num().next_multiple_of(PANEL) + ROW_PADDING;
        let num_rows = self.tokens.len().next_multiple_of(GROUP);
        self.weights.resize(num_rows * self.stride, 0.0);
        let scores = Scores {
            queries: &self.queries,
            keys: keys.head(head),
            depth: heads.width,
            scores: &mut self.weights,
            stride: self.stride,
        };
        scores.write();
    }

    /// Turns scores into attention, and returns what would do the same to some of their columns.
    pub(crate) fn softmax(&mut self, contrast: Option<Contrast>) -> Vec<RowSoftmax> {
        let mut rows = vec![RowSoftmax::default(); self.tokens.len()];
        self.apply(contrast, &mut rows, false);
        rows
    }

    /// Turns scores into attention that are some columns of those of which `rows` was returned.
    pub(crate) fn softmax_of_columns(&mut self, contrast: Option<Contrast>, rows: &[RowSoftmax]) {
        self.apply(contrast, &mut rows.to_vec(), true);
    }

    fn apply(&mut self, contrast: Option<Contrast>, rows: &mut [RowSoftmax], is_known: bool) {
        let softmax = Softmax {
            scores: &mut self.weights,
            stride: self.stride,
            num_keys: self.num_keys,
            contrast,
            rows,
            is_known,
        };
        softmax.apply();
    }

    /// Adds attention to its sum over heads.
    pub(crate) fn add_to_sums(&mut self) {
        self.sums.resize(self.weights.len(), 0.0);
        let add = AddTo {
            sums: &mut self.sums,
            weights: &self.weights,
        };
        add.add();
    }

    /// Returns for each query the key with the largest sum of attention over heads.
    pub(crate) fn best_by_sums(&self) -> Vec<usize> {
        self.best(&self.sums)
    }

    /// Returns for each query the key with the largest score.
    pub(crate) fn best_by_scores(&self) -> Vec<usize> {
        self.best(&self.weights)
    }

    fn best(&self, rows: &[f32]) -> Vec<usize> {
        let rows = rows.chunks_exact(self.stride).take(self.tokens.len());
        rows.map(|row| argmax(&row[..self.num_keys])).collect()
    }

    /// Adds `factor` times the values that attention averages to one head of `output`.
    ///
    /// If there are fewer values than keys, they belong to the first keys.
    pub(crate) fn average(
        &mut self,
        head: usize,
        values: &Values,
        factor: f32,
        output: &mut OutputTile<'_>,
    ) {
        let width = values.width();
        let num_rows = self.weights.len() / self.stride;
        self.averages.clear();
        self.averages.resize(num_rows * width, 0.0);
        let sums = WeightedSums {
            weights: &self.weights,
            stride: self.stride,
            values: values.head(head),
            width,
            sums: &mut self.averages,
        };
        sums.add();
        let head_width = values.heads().width;
        let rows = output.values.chunks_exact_mut(output.columns);
        for (row, averages) in rows.zip(self.averages.chunks_exact(width)) {
            let row = &mut row[head * head_width..(head + 1) * head_width];
            for (value, average) in row.iter_mut().zip(averages) {
                *value += factor * average;
            }
        }
    }
}

/// The part of an output that belongs to a tile: all heads of its queries.
pub(crate) struct OutputTile<'a> {
    values: &'a mut [f32],
    columns: usize,
}

thread_local! {
    static TILE_OF_THREAD: RefCell<Tile> = RefCell::default();
}

/// Returns what `work` makes of each tile, in their order, on as many threads as there are.
pub(crate) fn map_tiles<R: Send>(
    num_tokens: usize,
    work: impl Fn(&mut Tile) -> R + Sync,
) -> Vec<R> {
    let tiles = (0..num_tokens.div_ceil(TILE)).into_par_iter();
    tiles
        .map(|index| {
            TILE_OF_THREAD.with_borrow_mut(|tile| {
                tile.begin(index, num_tokens);
                work(tile)
            })
        })
        .collect()
}

/// Returns an output `(num_tokens, columns)` that `work` has added to, tile by tile, and what it returned.
///
/// The bytes of the output do not depend on the number of threads: no two tiles share a row.
pub(crate) fn add_by_tiles<R: Send>(
    mut output: Array2<f32>,
    work: impl Fn(&mut Tile, &mut OutputTile<'_>) -> R + Sync,
) -> (Array2<f32>, Vec<R>) {
    let (num_tokens, columns) = output.dim();
    let mut results = Vec::new();
    if let Some(values) = output.as_slice_mut() {
        values
            .par_chunks_mut(TILE * columns)
            .enumerate()
            .map(|(index, values)| {
                TILE_OF_THREAD.with_borrow_mut(|tile| {
                    tile.begin(index, num_tokens);
                    work(tile, &mut OutputTile { values, columns })
                })
            })
            .collect_into_vec(&mut results);
    }
    (output, results)
}
