//! Micro-kernel of the products of weights and inputs at a point.
//!
//! A few outputs by two vectors of tiles are summed in registers. Every sum runs over its channels in order, whatever the
//! width of the vectors, so that the bytes do not depend on it.

use pulp::{Simd, WithSimd};

use super::blocking::{MC, NC, NR};
use crate::bf16::Layout;
use crate::bf16::dot_products::{self, Columns, Rows, Sums};
use crate::vectorised::MAX_LANES;
use crate::vectors;

/// Vectors of tiles that are summed in registers.
const VECTORS: usize = 2;

/// The products of a panel of weights and a group of tiles.
pub(crate) struct AddProducts<'a> {
    /// `(inputs, NR)`, or pairs of inputs.
    pub(crate) inputs: &'a [f32],
    /// `(inputs, MC)`, or pairs of inputs.
    pub(crate) weights: &'a [f32],
    /// `(MC, NC)`, from the group's first tile on.
    pub(crate) sums: &'a mut [f32],
    /// Those of the panel's outputs that there are.
    pub(crate) num_outputs: usize,
    /// Whether sums begin at zero, and not with what is there.
    pub(crate) is_first: bool,
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as leave registers for the operands: 32 with the widest vectors, else 16.
        if S::F32_LANES == MAX_LANES {
            self.add_with::<S, 8>(simd);
        } else {
            self.add_with::<S, 4>(simd);
        }
    }
}

impl AddProducts<'_> {
    /// Adds the products of operands that lie in one layout.
    pub(crate) fn add(self, layout: Layout) {
        match layout {
            Layout::Single | Layout::Rounded => vectors::arch().dispatch(self),
            Layout::Pairs => self.add_pairs(),
        }
    }

    fn add_pairs(self) {
        /// Outputs whose sums are kept in registers.
        const MR: usize = 8;

        let inputs = Columns {
            pairs: self.inputs,
            stride: NR,
        };
        for output in (0..self.num_outputs).step_by(MR) {
            let weights = Rows::<1, MC>(&self.weights[output..]);
            let mut sums = Sums {
                values: &mut self.sums[output * NC..],
                stride: NC,
                is_first: self.is_first,
            };
            let num = self.inputs.len() / NR;
            dot_products::add::<MR, { NR / MAX_LANES }, 1, MC>(num, &weights, &inputs, &mut sums);
        }
    }

    /// Adds the products of `MR` outputs at a time.
    #[inline(always)]
    fn add_with<S: Simd, const MR: usize>(self, simd: S) {
        let (inputs, _) = self.inputs.as_chunks::<NR>();
        let (weights, _) = self.weights.as_chunks::<MC>();
        let part = VECTORS * S::F32_LANES;
        for tile in (0..NR).step_by(part) {
            for output in (0..self.num_outputs).step_by(MR) {
                let mut sums = [[simd.splat_f32s(0.0); VECTORS]; MR];
                if !self.is_first {
                    for (o, sums) in sums.iter_mut().enumerate() {
                        let row = &self.sums[(output + o) * NC + tile..][..part];
                        sums.copy_from_slice(S::as_simd_f32s(row).0);
                    }
                }
                for (inputs, weights) in inputs.iter().zip(weights) {
                    let (inputs, _) = S::as_simd_f32s(&inputs[tile..tile + part]);
                    for o in 0..MR {
                        let weight = simd.splat_f32s(weights[output + o]);
                        for v in 0..VECTORS {
                            sums[o][v] = simd.mul_add_f32s(weight, inputs[v], sums[o][v]);
                        }
                    }
                }
                for (o, sums) in sums.iter().enumerate() {
                    let row = &mut self.sums[(output + o) * NC + tile..][..part];
                    S::as_mut_simd_f32s(row).0.copy_from_slice(sums);
                }
            }
        }
    }
}
