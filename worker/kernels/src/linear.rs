//! Linear layers: products of tokens and weights, with the sums that follow them.
//!
//! `y = x W + bias`, which may be added to what is there. A library's product writes `x W` first, and every sum after it
//! reads and writes that once more; here products are added to sums that begin with the rest.
//!
//! Block sizes have the names of BLIS, where rows are tokens, columns are outputs, and the sums run over inputs.

use std::ops::Range;

use faer::Accum;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::bf16::{Layout, Operands};
use crate::parts::{Rectangle, columns};
use crate::vectorised::MAX_LANES;
use crate::vectors;

/// MR: tokens whose sums are kept in registers with AVX-512; half of them with narrower vectors.
pub(crate) const MR: usize = 8;
/// NR: outputs of a packed panel of weights.
pub(crate) const NR: usize = 32;
/// KC: inputs that are summed at a time.
pub(crate) const KC: usize = 512;
/// MC: the most tokens that a thread takes at a time. With [`KC`] inputs of each they fit in L2.
const MC: usize = 256;
/// To load a number takes a thread as long as so many products: a core has some 10 bytes of L3 in a cycle.
pub(crate) const LOAD: usize = 13;
/// Inputs of an unrolled step of the sums.
const K_UNROLL: usize = 4;

/// A linear layer, with packed weights.
pub struct Linear {
    /// `(panels, inputs, NR)`; of bfloat16 pairs of inputs.
    pub(crate) packed: Vec<f32>,
    pub(crate) operands: Operands,
    pub(crate) bias: Vec<f32>,
    pub(crate) num_inputs: usize,
}

impl Linear {
    /// Returns whether there can be a layer of so many inputs and outputs: multiples of 4 and of 32.
    #[must_use]
    pub fn fits(num_inputs: usize, num_outputs: usize) -> bool {
        num_inputs.is_multiple_of(K_UNROLL) && num_outputs.is_multiple_of(NR)
    }

    /// Returns the layer of `weights` `(inputs, outputs)` and `bias` `(outputs)`.
    ///
    /// # Panics
    ///
    /// If there is not one weight for each pair of an input and an output, or these do not [fit](Self::fits).
    #[must_use]
    pub fn new(weights: &[f32], bias: Vec<f32>, num_inputs: usize) -> Self {
        let num_outputs = bias.len();
        assert_eq!(weights.len(), num_inputs * num_outputs);
        assert!(Self::fits(num_inputs, num_outputs));
        let mut packed = vec![0.0; weights.len()];
        packed
            .par_chunks_mut((num_inputs * NR).max(1))
            .enumerate()
            .for_each(|(panel, packed)| {
                let rows = weights.chunks_exact(num_outputs);
                for (packed, row) in packed.chunks_exact_mut(NR).zip(rows) {
                    packed.copy_from_slice(&row[panel * NR..][..NR]);
                }
            });
        Self {
            packed,
            operands: Operands::Single,
            bias,
            num_inputs,
        }
    }

    /// Returns the number of inputs of a token.
    #[must_use]
    pub fn num_inputs(&self) -> usize {
        self.num_inputs
    }

    /// Returns the number of outputs of a token.
    #[must_use]
    pub fn num_outputs(&self) -> usize {
        self.bias.len()
    }

    /// Writes the outputs `(tokens, outputs)` of `x` `(tokens, inputs)`, or adds them to what is there.
    ///
    /// The bytes depend neither on the number of threads or tokens nor on the width of the CPU's vectors.
    ///
    /// # Panics
    ///
    /// If they differ in tokens, or there are no inputs or no outputs.
    pub fn write(&self, x: &[f32], accum: Accum, outputs: &mut [f32]) {
        self.write_laid_out(self.operands.layout(), x, accum, outputs);
    }

    /// Writes the outputs with products of one layout.
    pub(crate) fn write_laid_out(
        &self,
        layout: Layout,
        x: &[f32],
        accum: Accum,
        outputs: &mut [f32],
    ) {
        let (num_inputs, num_outputs) = (self.num_inputs(), self.num_outputs());
        let num_tokens = x.len() / num_inputs;
        assert_eq!(x.len(), num_tokens * num_inputs);
        assert_eq!(outputs.len(), num_tokens * num_outputs);
        let num_threads = rayon::current_num_threads();
        let [part, width] = Self::part(num_tokens, num_outputs, num_threads);
        outputs
            .par_chunks_mut(part * num_outputs)
            .zip(x.par_chunks(part * num_inputs))
            .for_each(|(outputs, x)| {
                let parts = columns(outputs, num_outputs, width);
                parts
                    .into_par_iter()
                    .enumerate()
                    .for_each(|(place, mut rows)| {
                        let tokens = WriteTokens {
                            layer: self,
                            first_panel: place * width / NR,
                            x,
                            accum,
                            rows: &mut rows,
                        };
                        tokens.write(layout);
                    });
            });
    }

    /// Returns the tokens and the outputs that each of some threads takes at a time, these whole panels.
    pub(crate) fn part(num_tokens: usize, num_outputs: usize, num_threads: usize) -> [usize; 2] {
        let whole = Rectangle {
            rows: num_tokens,
            columns: num_outputs / NR,
        };
        let work = |part: Rectangle| {
            let (tokens, outputs) = (part.rows, part.columns * NR);
            tokens * outputs + LOAD * (tokens + outputs)
        };
        let part = whole.part(MR, MC, num_threads, work);
        [part.rows, part.columns * NR]
    }
}

/// Some outputs of the tokens that a thread takes at a time.
pub(crate) struct WriteTokens<'a, 'b> {
    pub(crate) layer: &'a Linear,
    /// The panel of weights of the first of the outputs.
    pub(crate) first_panel: usize,
    pub(crate) x: &'a [f32],
    pub(crate) accum: Accum,
    /// The outputs of each token.
    pub(crate) rows: &'a mut [&'b mut [f32]],
}

impl WriteTokens<'_, '_> {
    /// Writes the outputs with products of one layout.
    fn write(self, layout: Layout) {
        match layout {
            Layout::Single => vectors::arch().dispatch(self),
            Layout::Rounded | Layout::Pairs => self.write_rounded(layout),
        }
    }

    /// Writes what outputs are without products.
    #[inline(always)]
    pub(crate) fn begin(&mut self) {
        for row in self.rows.iter_mut() {
            let bias = &self.layer.bias[self.first_panel * NR..][..row.len()];
            match self.accum {
                Accum::Replace => row.copy_from_slice(bias),
                Accum::Add => {
                    for (output, bias) in row.iter_mut().zip(bias) {
                        *output += bias;
                    }
                }
            }
        }
    }
}

impl WithSimd for WriteTokens<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.begin();
        let Self {
            layer,
            first_panel,
            x,
            rows,
            ..
        } = self;
        let num_inputs = layer.num_inputs;
        let num_outputs = rows.first().map_or(0, |row| row.len());
        let packed = &layer.packed[first_panel * num_inputs * NR..][..num_inputs * num_outputs];
        for first in (0..num_inputs).step_by(KC) {
            let num = KC.min(num_inputs - first);
            for (panel, weights) in packed.chunks_exact(num_inputs * NR).enumerate() {
                let block = Block {
                    weights: &weights[first * NR..][..num * NR],
                    x,
                    inputs: first..first + num,
                    num_inputs,
                    rows,
                    column: panel * NR,
                };
                block.with_simd(simd);
            }
        }
    }
}

/// Some inputs of all tokens and a panel of weights.
pub(crate) struct Block<'a, 'b> {
    /// `(inputs, NR)`
    pub(crate) weights: &'a [f32],
    /// `(tokens, num_inputs)`
    pub(crate) x: &'a [f32],
    /// Those of the inputs that are summed.
    pub(crate) inputs: Range<usize>,
    pub(crate) num_inputs: usize,
    /// The outputs of each token, to which the products are added.
    pub(crate) rows: &'a mut [&'b mut [f32]],
    /// The first of the panel's outputs.
    pub(crate) column: usize,
}

impl WithSimd for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // As many sums as leave registers for the operands: 32 with the widest vectors, else 16.
        if S::F32_LANES == MAX_LANES {
            self.add_all::<S, MR>(simd);
        } else {
            self.add_all::<S, { MR / 2 }>(simd);
        }
    }
}

impl Block<'_, '_> {
    /// Adds the products of all tokens, `ROWS` at a time and then the rest one by one.
    #[inline(always)]
    fn add_all<S: Simd, const ROWS: usize>(&mut self, simd: S) {
        let num_tokens = self.rows.len();
        let mut token = 0;
        while token + ROWS <= num_tokens {
            self.add::<S, ROWS>(simd, token);
            token += ROWS;
        }
        while token < num_tokens {
            self.add::<S, 1>(simd, token);
            token += 1;
        }
    }

    /// Adds the products of `ROWS` tokens from `token` on, whose sums are kept in registers.
    #[inline(always)]
    fn add<S: Simd, const ROWS: usize>(&mut self, simd: S, token: usize) {
        const VECTORS: usize = 2;
        let part = VECTORS * S::F32_LANES;
        let mut x = [&[][..]; ROWS];
        for (t, x) in x.iter_mut().enumerate() {
            let row = &self.x[(token + t) * self.num_inputs..][self.inputs.clone()];
            *x = row.as_chunks::<K_UNROLL>().0;
        }
        let (weights, _) = self.weights.as_chunks::<{ K_UNROLL * NR }>();
        for first in (0..NR).step_by(part) {
            let column = self.column + first;
            let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
            for (t, sums) in sums.iter_mut().enumerate() {
                let row = &self.rows[token + t][column..][..part];
                sums.copy_from_slice(S::as_simd_f32s(row).0);
            }
            for (step, weights) in weights.iter().enumerate() {
                let mut values = [[0.0; K_UNROLL]; ROWS];
                for t in 0..ROWS {
                    values[t] = x[t][step];
                }
                for i in 0..K_UNROLL {
                    let (weights, _) = S::as_simd_f32s(&weights[i * NR + first..][..part]);
                    for t in 0..ROWS {
                        let value = simd.splat_f32s(values[t][i]);
                        for v in 0..VECTORS {
                            sums[t][v] = simd.mul_add_f32s(value, weights[v], sums[t][v]);
                        }
                    }
                }
            }
            for (t, sums) in sums.iter().enumerate() {
                let row = &mut self.rows[token + t][column..][..part];
                S::as_mut_simd_f32s(row).0.copy_from_slice(sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::standard_normal;

    fn draw(name: &str, num: usize) -> Vec<f32> {
        let draws = standard_normal(1, name, 0, (1, 1, num));
        draws.into_raw_vec_and_offset().0
    }

    #[test]
    fn inputs_and_outputs_that_do_not_fill_their_panels_do_not_fit() {
        assert!(Linear::fits(4, 32) && Linear::fits(600, 64));
        assert!(!Linear::fits(6, 32) && !Linear::fits(4, 48));
    }

    #[test]
    fn outputs_are_products_and_the_sums_after_them() {
        for (tokens, inputs, outputs) in [(1, 4, 32), (13, 600, 64), (150, 36, 96)] {
            let (x, weights) = (draw("x", tokens * inputs), draw("w", inputs * outputs));
            let (bias, there) = (draw("bias", outputs), draw("there", tokens * outputs));
            let layer = Linear::new(&weights, bias.clone(), inputs);
            let mut written = vec![f32::NAN; tokens * outputs];
            layer.write(&x, Accum::Replace, &mut written);
            let mut added = there.clone();
            layer.write(&x, Accum::Add, &mut added);
            for (found, there) in [(written, vec![0.0; tokens * outputs]), (added, there)] {
                for (place, found) in found.iter().enumerate() {
                    let (token, output) = (place / outputs, place % outputs);
                    let product = |k: usize| {
                        let weight = weights[k * outputs + output];
                        f64::from(x[token * inputs + k]) * f64::from(weight)
                    };
                    let sum: f64 = (0..inputs).map(product).sum();
                    let defined = sum + f64::from(bias[output]) + f64::from(there[place]);
                    let error = (f64::from(*found) - defined).abs();
                    assert!(error < 1e-6 * inputs as f64, "{found}, not {defined}");
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_width_of_the_vectors_does_not_change_a_byte() {
        fn by<S: Simd>(simd: S) -> Vec<f32> {
            let (tokens, inputs, outputs) = (13, 600, 64);
            let layer = Linear::new(&draw("w", inputs * outputs), draw("b", outputs), inputs);
            let mut written = vec![0.0; tokens * outputs];
            simd.vectorize(WriteTokens {
                layer: &layer,
                first_panel: 0,
                x: &draw("x", tokens * inputs),
                accum: Accum::Replace,
                rows: &mut columns(&mut written, outputs, outputs)[0],
            });
            written
        }
        let scalar = by(pulp::Scalar);
        if let Some(simd) = pulp::x86::V3::try_new() {
            assert!(by(simd) == scalar, "AVX2");
        }
        if let Some(simd) = pulp::x86::V4::try_new() {
            assert!(by(simd) == scalar, "AVX-512");
        }
    }

    #[test]
    fn neither_threads_nor_tokens_beside_it_change_a_byte() {
        let (inputs, outputs) = (40, 64);
        let (weights, bias) = (draw("w", inputs * outputs), draw("b", outputs));
        let x = draw("x", 70 * inputs);
        for layer in [
            Linear::new(&weights, bias.clone(), inputs),
            Linear::of_bf16(&weights, bias, inputs),
        ] {
            let by = |num_threads: usize, tokens: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
                let mut written = vec![0.0; tokens * outputs];
                let write = || layer.write(&x[..tokens * inputs], Accum::Replace, &mut written);
                pool.build().unwrap().install(write);
                written
            };
            let all = by(1, 70);
            for num_threads in [3, 7, 16, 64] {
                assert!(by(num_threads, 70) == all, "{num_threads}");
            }
            assert!(by(1, 11) == all[..11 * outputs]);
            assert!(by(64, 11) == all[..11 * outputs]);
        }
    }
}
