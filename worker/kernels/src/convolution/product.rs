//! The products of inputs and weights at a point.
//!
//! A block of sums is kept in registers. Every sum runs over its channels in order, whatever the width of the vectors,
//! so that the bytes do not depend on it.

use pulp::{Simd, WithSimd};

use super::BLOCK;
use super::tiles::GROUP;
use super::weights::PANEL;
use crate::vectorised::MAX_LANES;

/// The number of vectors of a block of sums.
const VECTORS: usize = 2;

/// Products of a group's tiles and a panel of outputs. Vectors are of tiles.
pub(super) struct AddProducts<'a> {
    /// `(inputs, GROUP)`
    pub(super) inputs: &'a [f32],
    /// `(inputs, PANEL)`
    pub(super) weights: &'a [f32],
    /// `(PANEL, BLOCK * GROUP)`, from the group's first tile on.
    pub(super) sums: &'a mut [f32],
    /// How many of the panel's outputs are wanted.
    pub(super) num_outputs: usize,
    /// Whether the sums begin here.
    pub(super) is_first: bool,
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
    #[inline(always)]
    fn add_with<S: Simd, const OUTPUTS: usize>(self, simd: S) {
        let (inputs, _) = self.inputs.as_chunks::<GROUP>();
        let (weights, _) = self.weights.as_chunks::<PANEL>();
        let part = VECTORS * S::F32_LANES;
        for tile in (0..GROUP).step_by(part) {
            for output in (0..self.num_outputs).step_by(OUTPUTS) {
                let mut sums = [[simd.splat_f32s(0.0); VECTORS]; OUTPUTS];
                if !self.is_first {
                    for (o, sums) in sums.iter_mut().enumerate() {
                        let row = &self.sums[(output + o) * BLOCK * GROUP + tile..][..part];
                        sums.copy_from_slice(S::as_simd_f32s(row).0);
                    }
                }
                for (inputs, weights) in inputs.iter().zip(weights) {
                    let (inputs, _) = S::as_simd_f32s(&inputs[tile..tile + part]);
                    for o in 0..OUTPUTS {
                        let weight = simd.splat_f32s(weights[output + o]);
                        for v in 0..VECTORS {
                            sums[o][v] = simd.mul_add_f32s(weight, inputs[v], sums[o][v]);
                        }
                    }
                }
                for (o, sums) in sums.iter().enumerate() {
                    let row = &mut self.sums[(output + o) * BLOCK * GROUP + tile..][..part];
                    S::as_mut_simd_f32s(row).0.copy_from_slice(sums);
                }
            }
        }
    }
}
