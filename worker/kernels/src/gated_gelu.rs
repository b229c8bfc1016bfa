//! The activation of transformers' feed-forward layers.
//!
//! `(hidden + hidden_bias) * gelu(gate + gate_bias)`, where `gelu(x) = x / 2 * (1 + erf(x / sqrt(2)))`.
//!
//! **Source:** Shazeer 2020, GEGLU (arXiv:2002.05202); Abramowitz and Stegun, 7.1.26, for the error function.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::parts::part_len;
use crate::vectorised::exp2;
use crate::vectors;

/// The most tokens that a thread takes at a time.
const TOKENS: usize = 16;

/// A gated activation of tokens of some width.
pub struct GatedGelu {
    /// The bias of hidden values, `(width)`.
    pub hidden_bias: Vec<f32>,
    /// The bias of gates, `(width)`.
    pub gate_bias: Vec<f32>,
}

/// The two halves of what a feed-forward layer projects tokens to, both `(tokens, width)`.
#[derive(Clone, Copy, Debug)]
pub struct Gated<'a> {
    /// Hidden values.
    pub hidden: &'a [f32],
    /// The gates of these.
    pub gate: &'a [f32],
}

impl GatedGelu {
    /// Writes the outputs, `(tokens, width)`.
    ///
    /// # Panics
    ///
    /// If hidden values, gates and outputs or the two biases differ in size, or the width is zero.
    pub fn write(&self, inputs: Gated<'_>, outputs: &mut [f32]) {
        let Gated { hidden, gate } = inputs;
        assert_eq!(hidden.len(), outputs.len());
        assert_eq!(gate.len(), outputs.len());
        assert_eq!(self.hidden_bias.len(), self.gate_bias.len());
        let width = self.hidden_bias.len();
        let part = Self::part_len(outputs.len() / width, rayon::current_num_threads());
        outputs
            .par_chunks_mut(part * width)
            .zip(hidden.par_chunks(part * width))
            .zip(gate.par_chunks(part * width))
            .for_each(|((outputs, hidden), gate)| {
                vectors::arch().dispatch(WriteTokens {
                    biases: self,
                    hidden,
                    gate,
                    outputs,
                });
            });
    }
}

impl GatedGelu {
    /// Returns the tokens that each of some threads takes at a time.
    pub(crate) fn part_len(num_tokens: usize, num_threads: usize) -> usize {
        part_len(num_tokens, 1, TOKENS, num_threads)
    }
}

struct WriteTokens<'a> {
    biases: &'a GatedGelu,
    hidden: &'a [f32],
    gate: &'a [f32],
    outputs: &'a mut [f32],
}

impl WithSimd for WriteTokens<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let GatedGelu {
            hidden_bias,
            gate_bias,
        } = self.biases;
        // Slices of one length, so that nothing is checked or looked up at each value: the loop becomes one of vectors.
        let width = hidden_bias.len();
        let (hidden_bias, gate_bias) = (hidden_bias.as_slice(), &gate_bias[..width]);
        let hidden = self.hidden.chunks_exact(width);
        let gate = self.gate.chunks_exact(width);
        let outputs = self.outputs.chunks_exact_mut(width);
        for ((outputs, hidden), gate) in outputs.zip(hidden).zip(gate) {
            let (outputs, hidden, gate) = (&mut outputs[..width], &hidden[..width], &gate[..width]);
            for i in 0..width {
                outputs[i] = (hidden[i] + hidden_bias[i]) * gelu(gate[i] + gate_bias[i]);
            }
        }
    }
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    const SQRT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;

    let z = x.abs() * SQRT_HALF;
    let t = 1.0 / z.mul_add(0.327_591_1, 1.0);
    let mut sum = 1.061_405_4_f32;
    sum = sum.mul_add(t, -1.453_152_1);
    sum = sum.mul_add(t, 1.421_413_8);
    sum = sum.mul_add(t, -0.284_496_72);
    sum = sum.mul_add(t, 0.254_829_6);
    // The share of a normal distribution that lies beyond |x|.
    let beyond = 0.5 * sum * t * exp2(-z * z * std::f32::consts::LOG2_E);
    x * if x < 0.0 { beyond } else { 1.0 - beyond }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::standard_normal;
    use crate::vectors::Vectors;

    /// Returns the share of a normal distribution below x, by Simpson's rule on its density from x to 0.
    fn normal_share(x: f64) -> f64 {
        let steps = 2000;
        let h = x / f64::from(steps);
        let density = |at: f64| (-at * at / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let sum: f64 = (0..=steps)
            .map(|step| {
                let weight = match step {
                    0 => 1.0,
                    _ if step == steps => 1.0,
                    _ if step % 2 == 1 => 4.0,
                    _ => 2.0,
                };
                weight * density(h * f64::from(step))
            })
            .sum();
        0.5 + sum * h / 3.0
    }

    #[test]
    fn gelus_are_accurate_to_single_precision() {
        for i in -400..=400 {
            let x = 0.025 * i as f32;
            let exact = f64::from(x) * normal_share(f64::from(x));
            let error = (f64::from(gelu(x)) - exact).abs();
            assert!(error < 3e-7 * f64::from(x.abs().max(1.0)), "{x}: {error:e}");
        }
        assert!(gelu(-40.0).abs() < 1e-30 && gelu(40.0) == 40.0);
    }

    #[test]
    fn the_width_of_the_vectors_does_not_change_a_byte() {
        // No multiple of any width, so that the ends of rows count.
        let (width, tokens) = (53, 5);
        let draw = |name: &str, num: usize| {
            let draws = standard_normal(1, name, 0, (1, 1, num));
            draws.into_raw_vec_and_offset().0
        };
        let biases = GatedGelu {
            hidden_bias: draw("hidden bias", width),
            gate_bias: draw("gate bias", width),
        };
        let (hidden, gate) = (draw("hidden", tokens * width), draw("gate", tokens * width));
        let by = |vectors: Vectors| {
            let mut outputs = vec![f32::NAN; tokens * width];
            vectors.arch().unwrap().dispatch(WriteTokens {
                biases: &biases,
                hidden: &hidden,
                gate: &gate,
                outputs: &mut outputs,
            });
            outputs
        };
        let scalar = by(Vectors::Scalar);
        for vectors in Vectors::of_this_processor() {
            assert!(by(vectors) == scalar, "{}", vectors.as_str());
        }
    }

    #[test]
    #[should_panic(expected = "left == right")]
    fn biases_of_two_widths_are_refused() {
        let activation = GatedGelu {
            hidden_bias: vec![0.0; 3],
            gate_bias: vec![0.0; 4],
        };
        let inputs = Gated {
            hidden: &[0.0; 6],
            gate: &[0.0; 6],
        };
        activation.write(inputs, &mut [0.0; 6]);
    }

    #[test]
    fn each_bias_belongs_to_a_column() {
        let activation = GatedGelu {
            hidden_bias: vec![1.0, 2.0, 3.0],
            gate_bias: vec![10.0, 20.0, 30.0],
        };
        let (hidden, gate) = (vec![0.5; 60], vec![0.0; 60]);
        let mut outputs = vec![f32::NAN; 60];
        let inputs = Gated {
            hidden: &hidden,
            gate: &gate,
        };
        activation.write(inputs, &mut outputs);
        for outputs in outputs.chunks(3) {
            assert_eq!(outputs, [15.0, 50.0, 105.0]);
        }
    }
}
