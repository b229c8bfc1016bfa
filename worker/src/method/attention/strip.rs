//! Strips of queries: one thread's share of an attention.
//!
//! A strip goes head by head, and within a head tile by tile. The scores of a tile are the only matrix of queries by keys
//! that is ever in memory, but for attention that is summed over heads.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::Heads;
use super::pack::{Keys, Queries, Values, padded};
use super::product::{BLOCK, GROUP, Scores, WeightedSums};
use super::softmax::{
    AddTo, Contrast, Lanes, RowSoftmax, SumPowers, Weigh, argmax, largest, sum_of,
};
use crate::method::vectorised::{LANES, MAX_LANES};

/// Returns the number of queries of a tile. Their scores with thousands of keys fit in the second cache; where heads are
/// wide, keys and values take longer to bring near than scores, and more queries share them.
fn tile_len(heads: Heads) -> usize {
    const NARROW: usize = 128;
    4 * GROUP * (heads.width / NARROW).clamp(1, 4)
}

/// The least number of strips for each thread, if there are queries enough.
const STRIPS_OF_THREAD: usize = 4;

/// What attends to what, and how.
pub(crate) struct Attention<'a> {
    pub(crate) queries: &'a Queries,
    pub(crate) keys: &'a Keys,
    /// If there are fewer values than keys, they belong to the first keys.
    pub(crate) values: &'a Values,
    pub(crate) contrast: Option<Contrast>,
    /// The softmaxes, if they are known because the keys are some of those that they are over.
    pub(crate) softmaxes: Option<&'a Softmaxes>,
}

impl Attention<'_> {
    /// Adds all heads to `output`, `(queries, heads * width)`, and returns their softmaxes.
    pub(crate) fn add_to(&self, output: &mut [f32]) -> Softmaxes {
        let heads = self.values.heads();
        let strips = add_by_strips(output, heads, Length::Any, |strip, output| {
            let heads = 0..heads.num;
            let softmaxes = heads.map(|head| strip.attend(head, self, 1.0, output));
            softmaxes.collect()
        });
        Softmaxes::of(strips)
    }
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
    pub(crate) fn of(strips: impl IntoIterator<Item = Vec<Vec<RowSoftmax>>>) -> Self {
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

/// Some queries.
///
/// Its buffers belong to a thread, which keeps them from one strip to the next.
#[derive(Default)]
pub(crate) struct Strip {
    queries: Range<usize>,
    tile_len: usize,
    tile: Tile,
    /// For each tile, its attention summed over heads.
    sums: Vec<Matrix>,
}

impl Strip {
    fn begin(&mut self, queries: Range<usize>, tile_len: usize) {
        self.queries = queries;
        self.tile_len = tile_len;
        self.sums.iter_mut().for_each(Matrix::clear);
    }

    /// Returns the queries of each tile.
    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let Range { start, end } = self.queries;
        let len = self.tile_len;
        let starts = (start..end).step_by(len);
        starts.map(move |start| start..end.min(start + len))
    }

    /// Adds `factor` times one head of an attention to `output`, and returns its softmaxes.
    pub(crate) fn attend(
        &mut self,
        head: usize,
        attention: &Attention<'_>,
        factor: f32,
        output: &mut OutputStrip<'_>,
    ) -> Vec<RowSoftmax> {
        let mut softmaxes = Vec::with_capacity(self.queries.len());
        for queries in self.tiles() {
            let output = output.from(queries.start - self.queries.start);
            let tile = &mut self.tile;
            softmaxes.extend(tile.attend(head, attention, queries, None, factor, output));
        }
        softmaxes
    }

    /// Adds one head of an attention to `output` and to the sums over heads, and returns its softmaxes.
    pub(crate) fn attend_and_sum(
        &mut self,
        head: usize,
        attention: &Attention<'_>,
        output: &mut OutputStrip<'_>,
    ) -> Vec<RowSoftmax> {
        let mut softmaxes = Vec::with_capacity(self.queries.len());
        self.sums.resize_with(self.tiles().count(), Matrix::default);
        for (queries, sums) in self.tiles().zip(&mut self.sums) {
            let output = output.from(queries.start - self.queries.start);
            let tile = &mut self.tile;
            softmaxes.extend(tile.attend(head, attention, queries, Some(sums), 1.0, output));
        }
        softmaxes
    }

    /// Returns for each query the key with the largest sum of attention over heads.
    pub(crate) fn best_by_sums(&self) -> Vec<usize> {
        let tiles = self.tiles().zip(&self.sums);
        let best = tiles.flat_map(|(queries, sums)| sums.best(queries.len()));
        best.collect()
    }

    /// Returns for each query the key with the largest score; they are of one head.
    pub(crate) fn best_by_scores(&mut self, queries: &Queries, keys: &Keys) -> Vec<usize> {
        let mut best = Vec::with_capacity(self.queries.len());
        for tile in self.tiles() {
            let num = tile.len();
            self.tile.score(0, queries, keys, tile);
            best.extend(self.tile.scores.best(num));
        }
        best
    }
}

/// Scores or attention of some rows of queries, by blocks of keys.
#[derive(Default)]
struct Matrix {
    /// `(blocks, rows, BLOCK)`
    values: Vec<f32>,
    num_rows: usize,
    num_columns: usize,
}

impl Matrix {
    fn clear(&mut self) {
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
    fn best(&self, num_rows: usize) -> impl Iterator<Item = usize> {
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

/// What is in memory of one tile and head. Rows are those of whole groups of queries.
#[derive(Default)]
struct Tile {
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
    /// Writes the scores of some queries.
    fn score(&mut self, head: usize, queries: &Queries, keys: &Keys, tokens: Range<usize>) {
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
    fn attend(
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

/// The part of an output that belongs to a strip: all heads of its queries.
pub(crate) struct OutputStrip<'a> {
    values: &'a mut [f32],
    columns: usize,
}

impl OutputStrip<'_> {
    /// Returns what begins at a row.
    fn from(&mut self, row: usize) -> OutputStrip<'_> {
        OutputStrip {
            values: &mut self.values[row * self.columns..],
            columns: self.columns,
        }
    }
}

thread_local! {
    static STRIP_OF_THREAD: RefCell<Strip> = RefCell::default();
}

/// How long strips are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// As long as there are enough for every thread: the keys and values of a head are brought near once for each strip.
    Any,
    /// So short that the third cache holds their attention, which is summed over heads.
    OfSums,
}

impl Length {
    /// Returns the number of queries of a strip, which are whole tiles.
    fn of(self, num_queries: usize, tile_len: usize) -> usize {
        let num_strips = STRIPS_OF_THREAD * rayon::current_num_threads();
        let len = num_queries.div_ceil(num_strips).next_multiple_of(tile_len);
        match self {
            Self::Any => len,
            Self::OfSums => len.min(4 * tile_len),
        }
    }
}

/// Returns what `work` makes of each strip, in their order, on as many threads as there are.
pub(crate) fn map_strips<R: Send>(
    num_queries: usize,
    heads: Heads,
    work: impl Fn(&mut Strip) -> R + Sync,
) -> Vec<R> {
    let tile_len = tile_len(heads);
    let len = Length::Any.of(num_queries, tile_len);
    let strips = (0..num_queries.div_ceil(len)).into_par_iter();
    strips
        .map(|place| {
            STRIP_OF_THREAD.with_borrow_mut(|strip| {
                strip.begin(place * len..num_queries.min((place + 1) * len), tile_len);
                work(strip)
            })
        })
        .collect()
}

/// Has `work` add to an output `(queries, heads * width)`, strip by strip, and returns what it returned.
///
/// The bytes of the output do not depend on the number of threads: a row is made by one strip, as in any other.
pub(crate) fn add_by_strips<R: Send>(
    output: &mut [f32],
    heads: Heads,
    length: Length,
    work: impl Fn(&mut Strip, &mut OutputStrip<'_>) -> R + Sync,
) -> Vec<R> {
    let columns = heads.num * heads.width;
    let num_queries = output.len() / columns;
    let tile_len = tile_len(heads);
    let len = length.of(num_queries, tile_len);
    output
        .par_chunks_mut(len * columns)
        .enumerate()
        .map(|(place, values)| {
            STRIP_OF_THREAD.with_borrow_mut(|strip| {
                strip.begin(place * len..num_queries.min((place + 1) * len), tile_len);
                work(strip, &mut OutputStrip { values, columns })
            })
        })
        .collect()
}
