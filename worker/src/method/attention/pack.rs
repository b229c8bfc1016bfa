//! Queries, keys and values as the products read them.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, s};
use rayon::prelude::*;

use super::Heads;
use super::product::{GROUP, PANEL};
use crate::method::vectorised::MAX_LANES;

/// The keys of some tokens: for each head, `(panels, width, PANEL)`.
///
/// They are scaled so that powers of two of the scores make the softmax.
pub(crate) struct Keys {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
}

impl Keys {
    /// Packs the keys of `tokens`, in their order.
    pub(crate) fn of(keys: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        let scale = std::f32::consts::LOG2_E / (heads.width as f32).sqrt();
        let num = tokens.len();
        let size = num.div_ceil(PANEL) * PANEL * heads.width;
        let mut packed = vec![0.0; heads.num * size];
        packed
            .par_chunks_mut(size.max(1))
            .enumerate()
            .for_each(|(head, packed)| {
                let panels = packed.chunks_exact_mut(PANEL * heads.width);
                for (panel, tokens) in panels.zip(tokens.chunks(PANEL)) {
                    for (place, &token) in tokens.iter().enumerate() {
                        let places = panel[place..].iter_mut().step_by(PANEL);
                        for (packed, key) in places.zip(columns(keys, heads, head, token)) {
                            *packed = key * scale;
                        }
                    }
                }
            });
        Self { packed, num, heads }
    }

    /// Packs the keys of every token.
    pub(crate) fn all(keys: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..keys.nrows()).collect();
        Self::of(keys, heads, &tokens)
    }

    /// Returns the number of keys.
    pub(crate) fn num(&self) -> usize {
        self.num
    }

    /// Returns the division of the keys' columns.
    pub(crate) fn heads(&self) -> Heads {
        self.heads
    }

    pub(super) fn head(&self, head: usize) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        &self.packed[head * size..(head + 1) * size]
    }
}

/// The values of some tokens: for each head, `(tokens, padded width)`.
pub(crate) struct Values {
    packed: Vec<f32>,
    heads: Heads,
}

impl Values {
    /// Packs the values of `tokens`, in their order.
    pub(crate) fn of(values: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        let width = padded(heads.width);
        let size = tokens.len() * width;
        let mut packed = vec![0.0; heads.num * size];
        packed
            .par_chunks_mut(size.max(1))
            .enumerate()
            .for_each(|(head, packed)| {
                for (packed, &token) in packed.chunks_exact_mut(width).zip(tokens) {
                    for (packed, value) in
                        packed.iter_mut().zip(columns(values, heads, head, token))
                    {
                        *packed = *value;
                    }
                }
            });
        Self { packed, heads }
    }

    /// Packs the values of every token.
    pub(crate) fn all(values: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..values.nrows()).collect();
        Self::of(values, heads, &tokens)
    }

    /// Returns the division of the values' columns.
    pub(crate) fn heads(&self) -> Heads {
        self.heads
    }

    /// Returns the number of columns of a packed value.
    pub(super) fn width(&self) -> usize {
        padded(self.heads.width)
    }

    pub(super) fn head(&self, head: usize) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        &self.packed[head * size..(head + 1) * size]
    }
}

/// Returns a width that vectors divide.
fn padded(width: usize) -> usize {
    width.next_multiple_of(MAX_LANES)
}

/// Writes the queries of one head to `packed`, as `(groups, width, GROUP)`; absent ones are zero.
pub(super) fn queries(
    packed: &mut Vec<f32>,
    queries: ArrayView2<f32>,
    heads: Heads,
    head: usize,
    tokens: Range<usize>,
) {
    packed.clear();
    packed.resize(tokens.len().div_ceil(GROUP) * GROUP * heads.width, 0.0);
    for (place, token) in tokens.enumerate() {
        let group = &mut packed[place / GROUP * GROUP * heads.width..];
        let places = group[place % GROUP..].iter_mut().step_by(GROUP);
        for (packed, query) in places.zip(columns(queries, heads, head, token)) {
            *packed = *query;
        }
    }
}

/// Returns one head of one token.
fn columns<'a>(
    array: ArrayView2<'a, f32>,
    heads: Heads,
    head: usize,
    token: usize,
) -> ArrayView1<'a, f32> {
    array.slice_move(s![token, head * heads.width..(head + 1) * heads.width])
}
