//! Packs queries, keys and values into the panels that the products read.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::Heads;
use super::blocking::{KC, MR, NR, has_half, padded};
use crate::bf16::{Layout, pair, rounded};
use crate::vectorised::MAX_LANES;

/// Tokens of one head that are packed at a time: whole panels of queries and of keys, and pairs of values.
pub(super) const PART: usize = 192;
const _: () = assert!(PART.is_multiple_of(MR) && PART.is_multiple_of(NR) && PART.is_multiple_of(2));

/// Why an array in standard layout is one slice.
const STANDARD: &str = "an array in standard layout is contiguous";

/// Packed queries: for each head, `(panels, width, MR)`; what the last panel lacks is zero. In pairs they are half as many.
pub struct Queries {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
    layout: Layout,
}

impl Queries {
    /// Packs the queries `(tokens, heads * width)` at some positions, in the order of these.
    ///
    /// # Panics
    ///
    /// If there is no query at one of the positions, or queries have not as many columns as the heads together.
    pub fn of(queries: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        Self::laid_out(queries, heads, tokens, heads.operands.layout())
    }

    /// Packs queries as [`of`](Self::of) does, in a layout of their operands.
    pub(super) fn laid_out(
        queries: ArrayView2<f32>,
        heads: Heads,
        tokens: &[usize],
        layout: Layout,
    ) -> Self {
        Self {
            packed: panels::<MR>(queries, heads, tokens, (1.0, layout)),
            num: tokens.len(),
            heads,
            layout,
        }
    }

    /// Packs all queries `(tokens, heads * width)`.
    ///
    /// # Panics
    ///
    /// As [`Queries::of`].
    pub fn all(queries: ArrayView2<f32>, heads: Heads) -> Self {
        let tokens: Vec<usize> = (0..queries.nrows()).collect();
        Self::of(queries, heads, &tokens)
    }

    /// Returns the number of queries.
    pub(super) fn num(&self) -> usize {
        self.num
    }

    /// Returns one head of `tokens`, the first of which begins a panel.
    pub(super) fn head_of(&self, head: usize, tokens: Range<usize>) -> &[f32] {
        let size = self.packed.len() / self.heads.num;
        let panels = tokens.start / MR..tokens.end.div_ceil(MR);
        let len = MR * self.layout.places(self.heads.width);
        &self.packed[head * size..(head + 1) * size][panels.start * len..panels.end * len]
    }
}

/// Packed keys: for each head, `(panels, width, NR)`; what the last panel lacks is zero. In pairs they are half as many.
///
/// They are scaled by `log2(e) / sqrt(width)`, so that the softmax is one of powers of two of the scores.
pub struct Keys {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
    layout: Layout,
}

impl Keys {
    /// Packs the keys `(tokens, heads * width)` at some positions, in the order of these.
    ///
    /// # Panics
    ///
    /// If there is no key at one of the positions, or keys have not as many columns as the heads together.
    pub fn of(keys: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        Self::laid_out(keys, heads, tokens, heads.operands.layout())
    }

    /// Packs keys as [`of`](Self::of) does, in a layout of their operands.
    pub(super) fn laid_out(
        keys: ArrayView2<f32>,
        heads: Heads,
        tokens: &[usize],
        layout: Layout,
    ) -> Self {
        let scale = std::f32::consts::LOG2_E / (heads.width as f32).sqrt();
        Self {
            packed: panels::<NR>(keys, heads, tokens, (scale, layout)),
            num: tokens.len(),
            heads,
            layout,
        }
    }

    /// Returns how they and their queries lie.
    pub(super) fn layout(&self) -> Layout {
        self.layout
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

/// Packed values: for each head, `(tokens, padded width)`, or pairs of tokens.
///
/// Columns that fill half of the widest vector or less at the end of a value are there twice, half a vector apart; those of
/// pairs once.
pub struct Values {
    packed: Vec<f32>,
    num: usize,
    heads: Heads,
    layout: Layout,
}

impl Values {
    /// Packs the values `(tokens, heads * width)` at some positions, in the order of these.
    ///
    /// # Panics
    ///
    /// If there is no value at one of the positions, or values have not as many columns as the heads together.
    pub fn of(values: ArrayView2<f32>, heads: Heads, tokens: &[usize]) -> Self {
        Self::laid_out(values, heads, tokens, heads.operands.layout())
    }

    /// Packs values as [`of`](Self::of) does, in a layout of their operands.
    pub(super) fn laid_out(
        values: ArrayView2<f32>,
        heads: Heads,
        tokens: &[usize],
        layout: Layout,
    ) -> Self {
        let width = padded(heads.width);
        let size = layout.places(tokens.len()) * width;
        assert_eq!(values.ncols(), heads.num * heads.width);
        let values = values.as_standard_layout();
        let values = values.as_slice().expect(STANDARD);
        let mut packed = vec![0.0; heads.num * size];
        packed
            .par_chunks_mut(size.max(1))
            .enumerate()
            .for_each(|(head, packed)| {
                let parts = packed.par_chunks_mut((layout.places(PART) * width).max(1));
                parts
                    .zip(tokens.par_chunks(PART))
                    .for_each(|(packed, tokens)| {
                        let value = |token: usize| one_head(values, heads, head, token);
                        let rows = packed.chunks_exact_mut(width);
                        match layout {
                            Layout::Single | Layout::Rounded => {
                                for (packed, &token) in rows.zip(tokens) {
                                    pack_value(value(token), layout, packed);
                                }
                            }
                            Layout::Pairs => {
                                for (packed, tokens) in rows.zip(tokens.chunks(2)) {
                                    pack_pair(tokens, value, packed);
                                }
                            }
                        }
                    });
            });
        Self {
            packed,
            num: tokens.len(),
            heads,
            layout,
        }
    }

    /// Returns how they lie.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns one head of [`KC`] values at a time, with their number.
    pub(super) fn blocks(&self, head: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let len = self.layout.places(KC) * padded(self.heads.width);
        let blocks = self.head(head).chunks(len).enumerate();
        blocks.map(|(block, values)| (KC.min(self.num - block * KC), values))
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

/// Packs one head of a value.
fn pack_value(value: &[f32], layout: Layout, packed: &mut [f32]) {
    let vectors = value.len() / MAX_LANES * MAX_LANES;
    packed[..value.len()].copy_from_slice(value);
    if has_half(value.len()) {
        let half = &value[vectors..];
        packed[vectors + MAX_LANES / 2..][..half.len()].copy_from_slice(half);
    }
    if layout == Layout::Rounded {
        packed.iter_mut().for_each(|value| *value = rounded(*value));
    }
}

/// Packs one head of two values, or of the last one and zero.
fn pack_pair<'a>(tokens: &[usize], value: impl Fn(usize) -> &'a [f32], packed: &mut [f32]) {
    let first = value(tokens[0]);
    match tokens.get(1) {
        Some(&second) => {
            for ((packed, first), second) in packed.iter_mut().zip(first).zip(value(second)) {
                *packed = pair(*first, *second);
            }
        }
        None => {
            for (packed, first) in packed.iter_mut().zip(first) {
                *packed = pair(*first, 0.0);
            }
        }
    }
}

/// Returns some tokens times a factor, for each head `(panels, width, WIDTH)`: the tokens of a panel are interleaved. In
/// pairs they are half as many.
fn panels<const WIDTH: usize>(
    array: ArrayView2<f32>,
    heads: Heads,
    tokens: &[usize],
    (scale, layout): (f32, Layout),
) -> Vec<f32> {
    assert_eq!(array.ncols(), heads.num * heads.width);
    let array = array.as_standard_layout();
    let array = array.as_slice().expect(STANDARD);
    let places = layout.places(heads.width);
    let size = tokens.len().div_ceil(WIDTH) * WIDTH * places;
    let mut packed = vec![0.0; heads.num * size];
    packed
        .par_chunks_mut(size.max(1))
        .enumerate()
        .for_each(|(head, packed)| {
            let parts = packed.par_chunks_mut((PART * places).max(1));
            parts
                .zip(tokens.par_chunks(PART))
                .for_each(|(packed, tokens)| {
                    let panels = packed.chunks_exact_mut(WIDTH * places);
                    for (panel, tokens) in panels.zip(tokens.chunks(WIDTH)) {
                        let (panel, _) = panel.as_chunks_mut::<WIDTH>();
                        for (place, &token) in tokens.iter().enumerate() {
                            let row = one_head(array, heads, head, token);
                            pack_token(row, (scale, layout), panel, place);
                        }
                    }
                });
        });
    packed
}

/// Packs one head of a token times a factor at one place of its panel.
#[inline(always)]
fn pack_token<const WIDTH: usize>(
    row: &[f32],
    (scale, layout): (f32, Layout),
    panel: &mut [[f32; WIDTH]],
    place: usize,
) {
    match layout {
        Layout::Single => {
            for (packed, value) in panel.iter_mut().zip(row) {
                packed[place] = value * scale;
            }
        }
        Layout::Rounded => {
            for (packed, value) in panel.iter_mut().zip(row) {
                packed[place] = rounded(value * scale);
            }
        }
        Layout::Pairs => {
            for (packed, values) in panel.iter_mut().zip(row.chunks(2)) {
                let second = values.get(1).map_or(0.0, |value| value * scale);
                packed[place] = pair(values[0] * scale, second);
            }
        }
    }
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
        let heads = Heads::of(2, 3);
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
        Keys::all(wide.view(), Heads::of(2, 3));
    }
}
