//! Tiles of queries: the only attention matrices that are ever in memory.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::Heads;

/// The number of queries of a tile.
const TILE: usize = 64;

/// One head, as the columns it owns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    first_column: usize,
    width: usize,
}

impl Head {
    /// Returns every head.
    pub(crate) fn all(heads: Heads) -> impl Iterator<Item = Head> {
        (0..heads.num).map(move |head| Head {
            first_column: head * heads.width,
            width: heads.width,
        })
    }
}

/// Queries, keys or values in one piece of memory, token by token.
pub(crate) struct Tokens<'a> {
    values: Cow<'a, [f32]>,
    columns: usize,
}

impl<'a> Tokens<'a> {
    /// Returns the tokens of an array, which is copied only if it is not in one piece.
    pub(crate) fn new(array: ArrayView2<'a, f32>) -> Self {
        let values = match array.to_slice() {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(array.iter().copied().collect()),
        };
        Self {
            values,
            columns: array.ncols(),
        }
    }

    /// Returns a copy of some of the tokens, in the order given.
    pub(crate) fn selected(&self, tokens: &[usize]) -> Tokens<'static> {
        let rows = tokens.iter().map(|token| token * self.columns);
        let values = rows.flat_map(|first| &self.values[first..first + self.columns]);
        Tokens {
            values: Cow::Owned(values.copied().collect()),
            columns: self.columns,
        }
    }

    /// Returns the number of tokens.
    pub(crate) fn num(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Returns one head of some tokens, as a matrix `(tokens, width)`.
    fn head(&self, head: Head, tokens: Range<usize>) -> MatRef<'_, f32> {
        let first = tokens.start * self.columns + head.first_column;
        MatRef::from_row_major_slice_with_stride(
            &self.values[first..],
            tokens.len(),
            head.width,
            self.columns,
        )
    }
}

/// Part of an output: some tokens, all heads.
pub(crate) struct OutputTile<'a> {
    /// The tokens.
    pub(crate) tokens: Range<usize>,
    values: &'a mut [f32],
    columns: usize,
}

impl OutputTile<'_> {
    /// Returns the place of this tile among the others.
    pub(crate) fn index(&self) -> usize {
        self.tokens.start / TILE
    }

    /// Adds `factor * weights * values` of one head.
    ///
    /// Weights are of the shape `(tokens, num_columns)`, row by row. If there are fewer values than
    /// columns, they belong to the first columns.
    pub(crate) fn add_weighted(
        &mut self,
        head: Head,
        factor: f32,
        weights: &[f32],
        values: &Tokens<'_>,
    ) {
        let num_tokens = self.tokens.len();
        let num_columns = weights.len() / num_tokens;
        let num_keys = values.num();
        // Transposed twice: faer 0.24's `from_row_major_slice_with_stride_mut` confuses its strides.
        let output = MatMut::from_column_major_slice_with_stride_mut(
            &mut self.values[head.first_column..],
            head.width,
            num_tokens,
            self.columns,
        )
        .transpose_mut();
        let weights =
            MatRef::from_row_major_slice_with_stride(weights, num_tokens, num_keys, num_columns);
        let values = values.head(head, 0..num_keys);
        matmul(output, Accum::Add, weights, values, factor, Par::Seq);
    }
}

/// Buffers that a thread keeps from one tile to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    scores: Vec<f32>,
    /// Sums over heads, for whoever needs them.
    pub(crate) sums: Vec<f32>,
}

impl Scratch {
    /// Returns `query * key^T / sqrt(width)` of one head, `(tokens, num_keys)` row by row.
    pub(crate) fn scores(
        &mut self,
        head: Head,
        query: &Tokens<'_>,
        tokens: Range<usize>,
        key: &Tokens<'_>,
    ) -> &mut [f32] {
        let scale = 1.0 / (head.width as f32).sqrt();
        let query = query.head(head, tokens);
        let key = key.head(head, 0..key.num());
        self.scores.resize(query.nrows() * key.nrows(), 0.0);
        let scores = MatMut::from_row_major_slice_mut(&mut self.scores, query.nrows(), key.nrows());
        matmul(
            scores,
            Accum::Replace,
            query,
            key.transpose(),
            scale,
            Par::Seq,
        );
        &mut self.scores
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Returns what `work` makes of each tile of tokens, in their order, on as many threads as there are.
pub(crate) fn map_tiles<R: Send>(
    num_tokens: usize,
    work: impl Fn(Range<usize>, &mut Scratch) -> R + Sync,
) -> Vec<R> {
    (0..num_tokens.div_ceil(TILE))
        .into_par_iter()
        .map(|tile| {
            let tokens = tile * TILE..num_tokens.min((tile + 1) * TILE);
            SCRATCH.with_borrow_mut(|scratch| work(tokens, scratch))
        })
        .collect()
}

/// Returns an output `(num_tokens, columns)` that `work` has added to, tile by tile, and what it returned.
///
/// Tiles are worked on by as many threads as there are; their bounds do not depend on that number, so
/// neither do the bytes of the output.
pub(crate) fn add_by_tiles<R: Send>(
    mut output: Array2<f32>,
    work: impl Fn(&mut OutputTile<'_>, &mut Scratch) -> R + Sync,
) -> (Array2<f32>, Vec<R>) {
    let columns = output.ncols();
    let mut results = Vec::new();
    if let Some(values) = output.as_slice_mut() {
        values
            .par_chunks_mut(TILE * columns)
            .enumerate()
            .map(|(tile, values)| {
                let first = tile * TILE;
                let mut tile = OutputTile {
                    tokens: first..first + values.len() / columns,
                    values,
                    columns,
                };
                SCRATCH.with_borrow_mut(|scratch| work(&mut tile, scratch))
            })
            .collect_into_vec(&mut results);
    }
    (output, results)
}
