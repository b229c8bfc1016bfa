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

use crate::vectorised::MAX_LANES;
use crate::vectors;

/// MR: tokens whose sums are kept in registers with AVX-512; half of them with narrower vectors.
const MR: usize = 8;
/// NR: outputs of a packed panel of weights.
const NR: usize = 32;
/// KC: inputs that are summed at a time.
const KC: usize = 512;
/// MC: the most tokens that a thread takes at a time. With [`KC`] inputs of each they fit in L2.
const MC: usize = 256;
/// Inputs of an unrolled step of the sums.
const K_UNROLL: usize = 4;

/// A linear layer, with packed weights.
pub struct Linear {
    /// `(panels, inputs, NR)`
    packed: Vec<f32>,
    bias: Vec<f32>,
    num_inputs: usize,
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
        let (num_inputs, num_outputs) = (self.num_inputs(), self.num_outputs());
        let num_tokens = x.len() / num_inputs;
        assert_eq!(x.len(), num_tokens * num_inputs);
        assert_eq!(outputs.len(), num_tokens * num_outputs);
        // Enough parts for every thread, each of whole blocks of registers.
        let part = num_tokens.div_ceil(rayon::current_num_threads());
        let part = part.next_multiple_of(MR).min(MC);
        outputs
            .par_chunks_mut(part * num_outputs)
            .zip(x.par_chunks(part * num_inputs))
            .for_each(|(outputs, x)| {
                vectors::arch().dispatch(WriteTokens {
                    layer: self,
                    x,
                    accum,
                    outputs,
                });
            });
    }
}

/// The outputs of the tokens that a thread takes at a time.
struct WriteTokens<'a> {
    layer: &'a Linear,
    x: &'a [f32],
    accum: Accum,
    outputs: &'a mut [f32],
}

impl WithSimd for WriteTokens<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            layer,
            x,
            accum,
            outputs,
        } = self;
        let (num_inputs, num_outputs) = (layer.num_inputs, layer.bias.len());
        for row in outputs.chunks_exact_mut(num_outputs) {
            match accum {
                Accum::Replace => row.copy_from_slice(&layer.bias),
                Accum::Add => {
                    for (output, bias) in row.iter_mut().zip(&layer.bias) {
                        *output += bias;
                    }
                }
            }
        }
        for first in (0..num_inputs).step_by(KC) {
            let num = KC.min(num_inputs - first);
            for (panel, weights) in layer.packed.chunks_exact(num_inputs * NR).enumerate() {
                let mut block = Block {
                    weights: &weights[first * NR..][..num * NR],
                    x,
                    inputs: first..first + num,
                    num_inputs,
                    outputs,
                    column: panel * NR,
                    num_outputs,
                };
                // As many sums as leave registers for the operands: 32 with the widest vectors, else 16.
                if S::F32_LANES == MAX_LANES {
                    block.add_all::<S, MR>(simd);
                } else {
                    block.add_all::<S, { MR / 2 }>(simd);
                }
            }
        }
    }
}

/// Some inputs of all tokens and a panel of weights.
struct Block<'a> {
    /// `(inputs, NR)`
    weights: &'a [f32],
    /// `(tokens, num_inputs)`
    x: &'a [f32],
    /// Those of the inputs that are summed.
    inputs: Range<usize>,
    num_inputs: usize,
    /// `(tokens, num_outputs)`, to which the products are added.
    outputs: &'a mut [f32],
    /// The first of the panel's outputs.
    column: usize,
    num_outputs: usize,
}

impl Block<'_> {
    /// Adds the products of all tokens, `ROWS` at a time and then the rest one by one.
    #[inline(always)]
    fn add_all<S: Simd, const ROWS: usize>(&mut self, simd: S) {
        let num_tokens = self.outputs.len() / self.num_outputs;
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
                let row = &self.outputs[(token + t) * self.num_outputs + column..][..part];
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
                let row = &mut self.outputs[(token + t) * self.num_outputs + column..][..part];
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
                x: &draw("x", tokens * inputs),
                accum: Accum::Replace,
                outputs: &mut written,
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
        let layer = Linear::new(&draw("w", inputs * outputs), draw("b", outputs), inputs);
        let x = draw("x", 70 * inputs);
        let by = |num_threads: usize, tokens: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
            let mut written = vec![0.0; tokens * outputs];
            let write = || layer.write(&x[..tokens * inputs], Accum::Replace, &mut written);
            pool.build().unwrap().install(write);
            written
        };
        let all = by(1, 70);
        assert!(by(3, 70) == all);
        assert!(by(1, 11) == all[..11 * outputs]);
    }
}
