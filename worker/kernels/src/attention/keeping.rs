//! What becomes of weights of which only those are kept whose mean over heads is great enough.
//!
//! The loops are plain and compiled once for each kind of vectors.

use pulp::{Simd, WithSimd};

use super::blocking::KC;
use super::softmax::Lanes;
use crate::vectorised::LANES;
use crate::vectors;

/// Divides values by a number.
pub(super) fn divide(values: &mut [f32], divisor: f32) {
    vectors::arch().dispatch(Divide { values, divisor });
}

struct Divide<'a> {
    values: &'a mut [f32],
    divisor: f32,
}

impl WithSimd for Divide<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.values {
            *value /= self.divisor;
        }
    }
}

/// Makes 1 of each value that is above a threshold, and 0 of the others.
pub(super) fn keep_above(threshold: f32, values: &mut [f32]) {
    vectors::arch().dispatch(KeepAbove { threshold, values });
}

struct KeepAbove<'a> {
    threshold: f32,
    values: &'a mut [f32],
}

impl WithSimd for KeepAbove<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.values {
            *value = if *value > self.threshold { 1.0 } else { 0.0 };
        }
    }
}

/// What becomes of a block of weights of which only some are kept.
pub(super) struct Keep<'a> {
    /// `(rows, KC)`: 1 where the weight is kept, else 0.
    pub(super) kept: &'a [f32],
    /// The columns that count.
    pub(super) num: usize,
    /// `(rows, KC)`; those that are not kept become 0.
    pub(super) weights: &'a mut [f32],
    /// For each row, partial sums, to which its kept weights are added.
    pub(super) sums: &'a mut [Lanes],
}

impl Keep<'_> {
    /// Overwrites the weights, and adds to the sums.
    pub(super) fn write(self) {
        vectors::arch().dispatch(self);
    }
}

impl WithSimd for Keep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let kept = self.kept.chunks_exact(KC);
        let weights = self.weights.chunks_exact_mut(KC);
        for ((kept, weights), lanes) in kept.zip(weights).zip(self.sums) {
            let (kept, kept_rest) = kept[..self.num].as_chunks::<LANES>();
            let (weights, weights_rest) = weights[..self.num].as_chunks_mut::<LANES>();
            for (kept, weights) in kept.iter().zip(weights) {
                for i in 0..LANES {
                    weights[i] *= kept[i];
                    lanes[i] += weights[i];
                }
            }
            for (i, (kept, weight)) in kept_rest.iter().zip(weights_rest).enumerate() {
                *weight *= kept;
                lanes[i] += *weight;
            }
        }
    }
}
