//! Linear layers of rounded operands.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::dot_products::{self, Columns, Rows, Sums};
use super::{Layout, Operands, pair, part_pairs, round};
use crate::linear::{Block, KC, Linear, MR, NR, WriteTokens};
use crate::vectors;

/// From one token to the next among the pairs of [`KC`] inputs, with padding against cache-set conflicts.
const PAIRS_STRIDE: usize = KC / 2 + 16;

thread_local! {
    /// Buffers of a thread for the block that it works on.
    static ROUNDED_BLOCK: Cell<RoundedBlock> = Cell::default();
}

/// Buffers for the rounded operands of a block.
#[derive(Default)]
struct RoundedBlock {
    /// `(tokens, inputs)`, or pairs: `(tokens, PAIRS_STRIDE)`.
    x: Vec<f32>,
    /// `(inputs, NR)`
    weights: Vec<f32>,
}

impl Linear {
    /// Returns the layer whose products are of bfloat16, in which its weights take half of the memory.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[must_use]
    pub fn of_bf16(weights: &[f32], bias: Vec<f32>, num_inputs: usize) -> Self {
        let num_outputs = bias.len();
        assert_eq!(weights.len(), num_inputs * num_outputs);
        assert!(Self::fits(num_inputs, num_outputs));
        let mut packed = vec![0.0; weights.len() / 2];
        packed
            .par_chunks_mut((num_inputs / 2 * NR).max(1))
            .enumerate()
            .for_each(|(panel, packed)| {
                let rows = weights.chunks_exact((2 * num_outputs).max(1));
                for (packed, rows) in packed.chunks_exact_mut(NR).zip(rows) {
                    let (first, second) = rows.split_at(num_outputs);
                    let (first, second) = (&first[panel * NR..], &second[panel * NR..]);
                    for (i, packed) in packed.iter_mut().enumerate() {
                        *packed = pair(first[i], second[i]);
                    }
                }
            });
        Self {
            packed,
            operands: Operands::Bf16,
            bias,
            num_inputs,
        }
    }

    /// Returns the pairs of some inputs' weights of each panel from one on, `(pairs, NR)`.
    fn panels_of_pairs(
        &self,
        first_panel: usize,
        inputs: &Range<usize>,
    ) -> impl Iterator<Item = &[f32]> {
        let (first, num) = (inputs.start / 2, inputs.len() / 2);
        let panels = self.packed.chunks_exact(self.num_inputs / 2 * NR);
        let panels = panels.skip(first_panel);
        panels.map(move |panel| &panel[first * NR..][..num * NR])
    }
}

impl WriteTokens<'_, '_> {
    /// Writes the outputs with products of rounded numbers.
    pub(crate) fn write_rounded(mut self, layout: Layout) {
        self.begin();
        let num_inputs = self.layer.num_inputs;
        let mut block = ROUNDED_BLOCK.take();
        for first in (0..num_inputs).step_by(KC) {
            let inputs = first..num_inputs.min(first + KC);
            if layout == Layout::Pairs {
                self.add_pairs(&inputs, &mut block);
            } else {
                self.add_one_by_one(&inputs, &mut block);
            }
        }
        ROUNDED_BLOCK.set(block);
    }

    /// Returns the number of panels of the outputs.
    fn num_panels(&self) -> usize {
        self.rows.first().map_or(0, |row| row.len() / NR)
    }

    /// Adds the products of some inputs, one by one.
    fn add_one_by_one(&mut self, inputs: &Range<usize>, block: &mut RoundedBlock) {
        let (layer, num) = (self.layer, inputs.len());
        block.x.resize(self.rows.len() * num, 0.0);
        block.weights.resize(num * NR, 0.0);
        let rows = self.x.chunks_exact(layer.num_inputs);
        for (rounded, row) in block.x.chunks_exact_mut(num).zip(rows) {
            round(&row[inputs.clone()], rounded);
        }
        let panels = layer.panels_of_pairs(self.first_panel, inputs);
        for (panel, pairs) in panels.take(self.num_panels()).enumerate() {
            part_pairs::<NR>(pairs, &mut block.weights);
            vectors::arch().dispatch(Block {
                weights: &block.weights,
                x: &block.x,
                inputs: 0..num,
                num_inputs: num,
                rows: &mut *self.rows,
                column: panel * NR,
            });
        }
    }

    /// Adds the products of some inputs, pair by pair.
    fn add_pairs(&mut self, inputs: &Range<usize>, block: &mut RoundedBlock) {
        let layer = self.layer;
        block.x.resize(self.rows.len() * PAIRS_STRIDE, 0.0);
        let rows = self.x.chunks_exact(layer.num_inputs);
        for (pairs, row) in block.x.chunks_exact_mut(PAIRS_STRIDE).zip(rows) {
            dot_products::write_pairs(&row[inputs.clone()], &mut pairs[..inputs.len() / 2]);
        }
        let panels = layer.panels_of_pairs(self.first_panel, inputs);
        for (panel, weights) in panels.take(self.num_panels()).enumerate() {
            let blocks = self.rows.chunks_mut(MR);
            for (rows, x) in blocks.zip(block.x.chunks(MR * PAIRS_STRIDE)) {
                if rows.len() == MR {
                    add_pairs_of::<MR>(x, weights, panel * NR, rows);
                    continue;
                }
                for (row, x) in rows.chunks_exact_mut(1).zip(x.chunks(PAIRS_STRIDE)) {
                    add_pairs_of::<1>(x, weights, panel * NR, row);
                }
            }
        }
    }
}

/// Adds the products of the pairs of some tokens, `(ROWS, PAIRS_STRIDE)`, and those of a panel's weights, `(pairs, NR)`, to
/// the tokens' outputs from one on.
///
/// These lie apart from token to token, and are together only while they are summed.
fn add_pairs_of<const ROWS: usize>(
    x: &[f32],
    weights: &[f32],
    column: usize,
    rows: &mut [&mut [f32]],
) {
    let mut values = [[0.0; NR]; ROWS];
    for (values, row) in values.iter_mut().zip(rows.iter()) {
        values.copy_from_slice(&row[column..][..NR]);
    }
    let mut sums = Sums {
        values: values.as_flattened_mut(),
        stride: NR,
        is_first: false,
    };
    let num = weights.len() / NR;
    let x = Rows::<PAIRS_STRIDE, 1>(x);
    let weights = Columns {
        pairs: weights,
        stride: NR,
    };
    dot_products::add::<ROWS, 2, PAIRS_STRIDE, 1>(num, &x, &weights, &mut sums);
    for (values, row) in values.iter().zip(rows) {
        row[column..][..NR].copy_from_slice(values);
    }
}

#[cfg(test)]
mod tests {
    use faer::Accum;

    use super::*;
    use crate::random::standard_normal;

    fn draw(name: &str, num: usize) -> Vec<f32> {
        let draws = standard_normal(1, name, 0, (1, 1, num));
        draws.into_raw_vec_and_offset().0
    }

    #[test]
    fn products_of_bf16_are_those_of_rounded_numbers_to_the_byte() {
        // More inputs than are summed at a time, and tokens that fill no block of registers.
        for (tokens, inputs, outputs) in [(1, 4, 32), (13, 600, 64), (75, 36, 96)] {
            let (weights, bias) = (draw("w", inputs * outputs), draw("b", outputs));
            let (x, there) = (draw("x", tokens * inputs), draw("there", tokens * outputs));
            let rounded = |numbers: &[f32]| {
                let mut rounded = vec![0.0; numbers.len()];
                round(numbers, &mut rounded);
                rounded
            };
            let single = Linear::new(&rounded(&weights), bias.clone(), inputs);
            let layer = Linear::of_bf16(&weights, bias, inputs);
            assert_eq!(layer.packed.len(), weights.len() / 2);
            for accum in [Accum::Replace, Accum::Add] {
                let mut expected = there.clone();
                single.write(&rounded(&x), accum, &mut expected);
                let mut found = there.clone();
                layer.write(&x, accum, &mut found);
                assert!(found == expected, "{tokens}, this CPU's");
                layer.write_laid_out(Layout::Rounded, &x, Accum::Replace, &mut found);
                single.write(&rounded(&x), Accum::Replace, &mut expected);
                assert!(found == expected, "{tokens}, rounded");
                if dot_products::are_here() {
                    found.fill(f32::NAN);
                    layer.write_laid_out(Layout::Pairs, &x, Accum::Replace, &mut found);
                    assert!(found == expected, "{tokens}, pairs");
                }
            }
        }
    }

    #[test]
    fn threads_share_rounded_products_without_changing_a_byte() {
        let (tokens, inputs, outputs) = (75, 600, 96);
        let layer = Linear::of_bf16(&draw("w", inputs * outputs), draw("b", outputs), inputs);
        let x = draw("x", tokens * inputs);
        let by = |layout, num_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
            let mut written = vec![f32::NAN; tokens * outputs];
            let write = || layer.write_laid_out(layout, &x, Accum::Replace, &mut written);
            pool.build().unwrap().install(write);
            written
        };
        let one = by(Layout::Rounded, 1);
        for num_threads in [1, 3, 7, 16, 64] {
            assert!(by(Layout::Rounded, num_threads) == one, "{num_threads}");
            if dot_products::are_here() {
                assert!(by(Layout::Pairs, num_threads) == one, "{num_threads}");
            }
        }
    }
}
