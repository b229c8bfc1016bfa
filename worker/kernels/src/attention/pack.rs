//! Queries, keys and values as the products read them.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::Heads;
use super::product::{GROUP, PANEL};
use crate::vectorised::MAX_LANES;

/// Why there is a slice of the numbers of an array in standard layout.
const IN_ORDER: &str = "its numbers lie in order";

/// The queries of an image: for each head, `(groups, width, GROUP)`; absent ones are zero.
pub struct Queries {
    packed: Vec<f32>,
    heads: Heads,
}

impl Queries {
    /// Packs every query.
    pub fn all(queries: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..queries.nrows()).collect();
        let packed = interleaved::<GROUP>(queries, heads, &tokens, 1.0);
        Self { packed, heads }
    }

    /// Returns one head of `tokens`, the first of which begins a group.
    pub(super) fn of(&self, head: usize, tokens: Range<usize>) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        let groups = tokens.start / GROUP..tokens.end.div_ceil(GROUP);
        let group = GROUP * self.heads.width;
        &self.packed[head * size..(head + 1) * size][groups.start * group..groups.end * group]
    }
}

/// The keys of some tokens: for each head, `(panels, width, PANEL)`; absent ones are zero.
///
/// They are scaled so that powers of two of the scores make the softmax.
pub struct Keys {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
}

impl Keys {
    /// Packs the keys of `tokens`, in their order.
    pub fn of(keys: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        let scale = std::f32::consts::LOG2_E / (heads.width as f32).sqrt();
        Self {
            packed: interleaved::<PANEL>(keys, heads, tokens, scale),
            num: tokens.len(),
            heads,
        }
    }

    /// Packs the keys of every token.
    pub fn all(keys: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..keys.nrows()).collect();
        Self::of(keys, heads, &tokens)
    }

    /// Returns the number of keys.
    pub fn num(&self) -> usize {
        self.num
    }

    /// Returns the division of the keys' columns.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    pub(super) fn head(&self, head: usize) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        &self.packed[head * size..(head + 1) * size]
    }
}

/// The values of some tokens: for each head, `(tokens, padded width)`.
///
/// What would fill half a vector or less at the end of a value is there twice, half a vector apart.
pub struct Values {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
}

impl Values {
    /// Packs the values of `tokens`, in their order.
    pub fn of(values: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        let width = padded(heads.width);
        let size = tokens.len() * width;
        let vectors = heads.width / MAX_LANES * MAX_LANES;
        let values = values.as_standard_layout();
        let values = values.as_slice().expect(IN_ORDER);
        let mut packed = vec![0.0; heads.num * size];
        packed
            .par_chunks_mut(size.max(1))
            .enumerate()
            .for_each(|(head, packed)| {
                for (packed, &token) in packed.chunks_exact_mut(width).zip(tokens) {
                    let value = one_head(values, heads, head, token);
                    packed[..heads.width].copy_from_slice(value);
                    if has_half(heads.width) {
                        let half = &value[vectors..];
                        packed[vectors + MAX_LANES / 2..][..half.len()].copy_from_slice(half);
                    }
                }
            });
        let num = tokens.len();
        Self { packed, num, heads }
    }

    /// Packs the values of every token.
    pub fn all(values: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..values.nrows()).collect();
        Self::of(values, heads, &tokens)
    }

    /// Returns the number of values.
    pub fn num(&self) -> usize {
        self.num
    }

    /// Returns the division of the values' columns.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    pub(super) fn head(&self, head: usize) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        &self.packed[head * size..(head + 1) * size]
    }
}

/// Returns a width that the widest vectors divide.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(MAX_LANES)
}

/// Returns whether values of a width end in half of the widest vector or less.
pub(super) fn has_half(width: usize) -> bool {
    (1..=MAX_LANES / 2).contains(&(width % MAX_LANES))
}

/// Returns some tokens times `scale`, for each head `(groups, width, NUM)`: those of a group lie next to each other.
fn interleaved<const NUM: usize>(
    array: ArrayView2<f32>,
    heads: Heads,
    tokens: &[usize],
    scale: f32,
) -> Vec<f32> {
    let array = array.as_standard_layout();
    let array = array.as_slice().expect(IN_ORDER);
    let size = tokens.len().div_ceil(NUM) * NUM * heads.width;
    let mut packed = vec![0.0; heads.num * size];
    packed
        .par_chunks_mut(size.max(1))
        .enumerate()
        .for_each(|(head, packed)| {
            let groups = packed.chunks_exact_mut(NUM * heads.width);
            for (group, tokens) in groups.zip(tokens.chunks(NUM)) {
                let (group, _) = group.as_chunks_mut::<NUM>();
                for (place, &token) in tokens.iter().enumerate() {
                    let row = one_head(array, heads, head, token);
                    for (packed, value) in group.iter_mut().zip(row) {
                        packed[place] = value * scale;
                    }
                }
            }
        });
    packed
}

/// Returns one head of one token of an array `(tokens, heads * width)`.
fn one_head(array: &[f32], heads: Heads, head: usize, token: usize) -> &[f32] {
    &array[(token * heads.num + head) * heads.width..][..heads.width]
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn what_lies_column_by_column_is_packed_as_what_lies_row_by_row() {
        let heads = Heads { num: 2, width: 3 };
        let rows = Array2::from_shape_fn((5, 6), |(token, column)| (7 * token + column) as f32);
        let columns = rows.t().as_standard_layout().into_owned();
        let columns = columns.t();
        assert_eq!(columns, rows);
        assert!(columns.as_slice().is_none());
        let packed = |array| {
            let (queries, keys) = (Queries::all(array, heads), Keys::all(array, heads));
            [
                queries.packed,
                keys.packed,
                Values::all(array, heads).packed,
            ]
        };
        assert_eq!(packed(columns), packed(rows.view()));
    }
}
