//! Packed weights, and their transform to points.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::blocking::{MC, WEIGHTS_STRIDE};
use super::points::{OfWeights, Points};
use crate::bf16::{Operands, rounded_bits};

/// Packed weights: `(panels, inputs, 9, MC)`.
///
/// They take as much memory as in the model. Kept at their points they would take four times as much; to transform them
/// at every use takes a few hundredths of the products' time.
pub(super) struct Weights {
    packed: Packed,
    num_inputs: usize,
}

enum Packed {
    Single(Vec<f32>),
    /// The upper halves of rounded numbers.
    Bf16(Vec<u16>),
}

/// The weights of one panel of output channels, `(inputs, 9, MC)`.
pub(super) struct PanelWeights<'a> {
    packed: &'a Packed,
    place: usize,
    num_inputs: usize,
}

impl PanelWeights<'_> {
    /// Returns the number of input channels.
    pub(super) fn num_inputs(&self) -> usize {
        self.num_inputs
    }

    /// Returns the weights of some input channels, `(inputs, 9, MC)`, in `room` if they have to be made.
    pub(super) fn inputs<'a>(&'a self, inputs: Range<usize>, room: &'a mut Vec<f32>) -> &'a [f32] {
        let of_input = 9 * MC;
        let first = (self.place * self.num_inputs + inputs.start) * of_input;
        let places = first..first + inputs.len() * of_input;
        match self.packed {
            Packed::Single(packed) => &packed[places],
            Packed::Bf16(packed) => {
                room.clear();
                let upper = packed[places].iter();
                room.extend(upper.map(|upper| f32::from_bits(u32::from(*upper) << 16)));
                room
            }
        }
    }
}

impl Weights {
    /// Packs weights `(outputs, inputs, 9)`; outputs that a panel lacks are zero.
    pub(super) fn pack(weights: &[f32], num_outputs: usize, num_inputs: usize) -> Self {
        let panel_len = num_inputs * 9 * MC;
        let mut packed = vec![0.0; num_outputs.div_ceil(MC) * panel_len];
        if num_inputs > 0 {
            packed
                .par_chunks_mut(panel_len)
                .zip(weights.par_chunks(MC * num_inputs * 9))
                .for_each(|(packed, weights)| {
                    for (output, weights) in weights.chunks_exact(num_inputs * 9).enumerate() {
                        let places = packed[output..].iter_mut().step_by(MC);
                        for (packed, weight) in places.zip(weights) {
                            *packed = *weight;
                        }
                    }
                });
        }
        Self {
            packed: Packed::Single(packed),
            num_inputs,
        }
    }

    /// Returns the weights rounded to bfloat16, in half of the memory.
    pub(super) fn rounded(self) -> Self {
        let packed = match self.packed {
            Packed::Single(packed) => {
                let upper = |weight: &f32| (rounded_bits(weight.to_bits()) >> 16) as u16;
                Packed::Bf16(packed.par_iter().map(upper).collect())
            }
            packed @ Packed::Bf16(_) => packed,
        };
        Self { packed, ..self }
    }

    /// Returns what products with them are made of.
    pub(super) fn operands(&self) -> Operands {
        match self.packed {
            Packed::Single(_) => Operands::Single,
            Packed::Bf16(_) => Operands::Bf16,
        }
    }

    /// Returns the number of input channels.
    pub(super) fn num_inputs(&self) -> usize {
        self.num_inputs
    }

    /// Returns the weights of a panel of output channels.
    pub(super) fn panel(&self, place: usize) -> PanelWeights<'_> {
        PanelWeights {
            packed: &self.packed,
            place,
            num_inputs: self.num_inputs,
        }
    }
}

/// The values at all points of one panel of weights, in some input channels.
pub(super) struct TransformWeights<'a> {
    /// `(up to KC, 9, MC)`
    pub(super) weights: &'a [f32],
    pub(super) points: Points,
    /// `(POINTS, WEIGHTS_STRIDE)`
    pub(super) at: &'a mut [f32],
}

impl WithSimd for TransformWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (input, weights) in self.weights.chunks_exact(9 * MC).enumerate() {
            let at = &mut self.at[input * MC..];
            // The compiler makes one function for each.
            match self.points {
                Points::OfAny => transform(simd, Points::OfAny, weights, at),
                Points::OfUpsampled => transform(simd, Points::OfUpsampled, weights, at),
            }
        }
    }
}

/// Writes the values at the needed points of the weights `(9, MC)` to `at`, `(POINTS, WEIGHTS_STRIDE)` from that input.
#[inline(always)]
fn transform<S: Simd>(simd: S, points: Points, weights: &[f32], at: &mut [f32]) {
    let to_points = OfWeights::new(simd, points);
    let zero = simd.splat_f32s(0.0);
    for vector in 0..MC / S::F32_LANES {
        let mut rows = [[zero; 6]; 3];
        for (row, weights) in rows.iter_mut().zip(weights.chunks_exact(3 * MC)) {
            let mut columns = [zero; 3];
            for (column, weights) in columns.iter_mut().zip(weights.chunks_exact(MC)) {
                *column = S::as_simd_f32s(weights).0[vector];
            }
            *row = to_points.apply(simd, columns);
        }
        for column in 0..6 {
            if points.is_zero_at(column) {
                continue;
            }
            let values = to_points.apply(simd, [rows[0][column], rows[1][column], rows[2][column]]);
            for (row, value) in values.into_iter().enumerate() {
                let at = &mut at[(row * 6 + column) * WEIGHTS_STRIDE..][..MC];
                S::as_mut_simd_f32s(at).0[vector] = value;
            }
        }
    }
}
