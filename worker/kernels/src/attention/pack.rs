//! Packs queries, keys and values into the panels that the products read.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::Heads;
use super::blocking::{MR, NR, has_half, padded};
use crate::vectorised::MAX_LANES;

/// Why an array in standard layout is one slice.
const STANDARD: &str = "an array in standard layout is contiguous";

/// Packed queries: for each head, `(panels, width, MR)`; what the last panel lacks is zero.
pub struct Queries {
    packed: Vec<f32>,
    heads: Heads,
}

impl Queries {
    /// Packs queries `(tokens, heads * width)`.
    ///
    /// # Panics
    ///
    /// If they have not as many columns as the heads together.
    pub fn all(queries: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..queries.nrows()).collect();
        let packed = panels::<MR>(queries, heads, &tokens, 1.0);
        Self { packed, heads }
    }

    /// Returns one head of `tokens`, the first of which begins a panel.
    pub(super) fn of(&self, head: usize, tokens: Range<usize>) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        let panels = tokens.start / MR..tokens.end.div_ceil(MR);
        let len = MR * self.heads.width;
        &self.packed[head * size..(head + 1) * size][panels.start * len..panels.end * len]
    }
}

/// Packed keys: for each head, `(panels, width, NR)`; what the last panel lacks is zero.
///
/// They are scaled by `log2(e) / sqrt(width)`, so that the softmax is one of powers of two of the scores.
pub struct Keys {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
}

impl Keys {
    /// Packs the keys `(tokens, heads * width)` at some positions, in the order of these.
    ///
    /// # Panics
    ///
    /// If there is no key at one of the positions, or keys have not as many columns as the heads together.
    pub fn of(keys: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        let scale = std::f32::consts::LOG2_E / (heads.width as f32).sqrt();
        Self {
            packed: panels::<NR>(keys, heads, tokens, scale),
            num: tokens.len(),
            heads,
        }
    }

    /// Packs all keys `(tokens, heads * width)`.
    ///
    /// # Panics
    ///
    /// As [`Keys::of`].
    pub fn all(keys: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..keys.nrows()).collect();
        Self::of(keys, heads, &tokens)
    }

    /// Returns the number of keys.
    pub(super) fn num(&self) -> usize {
        self.num
    }

    /// Returns how the columns of the keys are divided.
    pub(super) fn heads(&self) -> Heads {
        self.heads
    }

    pub(super) fn head(&self, head: usize) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        &self.packed[head * size..(head + 1) * size]
    }
}

/// Packed values: for each head, `(tokens, padded width)`.
///
/// Columns that fill half of the widest vector or less at the end of a value are there twice, half a vector apart.
pub struct Values {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
}

impl Values {
    /// Packs the values `(tokens, heads * width)` at some positions, in the order of these.
    ///
    /// # Panics
    ///
    /// If there is no value at one of the positions, or values have not as many columns as the heads together.
    pub fn of(values: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        let width = padded(heads.width);
        let size = tokens.len() * width;
        let vectors = heads.width / MAX_LANES * MAX_LANES;
        assert_eq!(values.ncols(), heads.num * heads.width);
        let values = values.as_standard_layout();
        let values = values.as_slice().expect(STANDARD);
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

    /// Packs all values `(tokens, heads * width)`.
    ///
    /// # Panics
    ///
    /// As [`Values::of`].
    pub fn all(values: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..values.nrows()).collect();
        Self::of(values, heads, &tokens)
    }

    /// Returns the number of values.
    pub(super) fn num(&self) -> usize {
        self.num
    }

    /// Returns how the columns of the values are divided.
    pub(super) fn heads(&self) -> Heads {
        self.heads
    }

    pub(super) fn head(&self, head: usize) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        &self.packed[head * size..(head + 1) * size]
    }
}

/// Returns some tokens times `scale`, for each head `(panels, width, WIDTH)`: the tokens of a panel are interleaved.
fn panels<const WIDTH: usize>(
    array: ArrayView2<f32>,
    heads: Heads,
    tokens: &[usize],
    scale: f32,
) -> Vec<f32> {
    assert_eq!(array.ncols(), heads.num * heads.width);
    let array = array.as_standard_layout();
    let array = array.as_slice().expect(STANDARD);
    let size = tokens.len().div_ceil(WIDTH) * WIDTH * heads.width;
    let mut packed = vec![0.0; heads.num * size];
    packed
        .par_chunks_mut(size.max(1))
        .enumerate()
        .for_each(|(head, packed)| {
            let panels = packed.chunks_exact_mut(WIDTH * heads.width);
            for (panel, tokens) in panels.zip(tokens.chunks(WIDTH)) {
                let (panel, _) = panel.as_chunks_mut::<WIDTH>();
                for (place, &token) in tokens.iter().enumerate() {
                    let row = one_head(array, heads, head, token);
                    for (packed, value) in panel.iter_mut().zip(row) {
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

    #[test]
    #[should_panic(expected = "left == right")]
    fn tokens_wider_than_their_heads_are_not_packed() {
        let wide = Array2::<f32>::zeros((5, 7));
        Keys::all(wide.view(), Heads { num: 2, width: 3 });
    }
}
