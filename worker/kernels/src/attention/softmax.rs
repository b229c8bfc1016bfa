//! Scores to attention, vectorised for the processor at hand.
//!
//! The loops are plain and compiled once for each kind of vectors. They avoid closures: what is not
//! inlined into such a copy is not vectorised.

use pulp::{Simd, WithSimd};

use super::product::BLOCK;
use crate::vectorised::{LANES, MAX_LANES, exp2, exp2_of_lanes};
use crate::vectors;

/// The sharpening of a row of attention around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    strength: f32,
    mean: f32,
}

impl Contrast {
    /// Returns the contrast of rows of `num_keys`.
    pub fn new(strength: f32, num_keys: usize) -> Self {
        Self {
            strength,
            mean: 1.0 / num_keys as f32,
        }
    }
}

/// What turns the scores of one row into its softmax: `2^(score - max) / sum`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowSoftmax {
    pub(super) max: f32,
    pub(super) sum: f32,
}

/// The sum of the powers of a row, lane by lane, so that it is added up in one order.
pub(super) type Lanes = [f32; LANES];

/// Returns the sum of all lanes.
pub(super) fn sum_of(mut lanes: Lanes) -> f32 {
    let mut num_lanes = LANES;
    while num_lanes > 1 {
        num_lanes /= 2;
        for i in 0..num_lanes {
            lanes[i] += lanes[i + num_lanes];
        }
    }
    lanes[0]
}

/// Sums the powers of a block of scores.
pub(super) struct SumPowers<'a> {
    /// `(rows, BLOCK)`
    pub(super) scores: &'a [f32],
    /// How many columns count.
    pub(super) num: usize,
    /// Of each row, the largest score.
    pub(super) rows: &'a [RowSoftmax],
    /// Of each row, what its powers are added to.
    pub(super) powers: &'a mut [Lanes],
}

impl SumPowers<'_> {
    /// Adds each `2^(score - max)`.
    pub(super) fn add(self) {
        vectors::arch().dispatch(self);
    }
}

impl WithSimd for SumPowers<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scores = self.scores.chunks_exact(BLOCK);
        for ((scores, row), lanes) in scores.zip(self.rows).zip(self.powers) {
            let (chunks, rest) = scores[..self.num].as_chunks::<LANES>();
            if S::F32_LANES == MAX_LANES {
                sum_powers::<S, 4>(simd, chunks, row.max, lanes);
            } else {
                sum_powers::<S, 1>(simd, chunks, row.max, lanes);
            }
            for (lane, score) in lanes.iter_mut().zip(rest) {
                *lane += exp2(score - row.max);
            }
        }
    }
}

/// Adds `2^(score - max)` to `lanes`, a few vectors of which are kept in registers.
#[inline(always)]
fn sum_powers<S: Simd, const VECTORS: usize>(
    simd: S,
    chunks: &[[f32; LANES]],
    max: f32,
    lanes: &mut Lanes,
) {
    let max = simd.splat_f32s(max);
    let part = VECTORS * S::F32_LANES;
    for first in (0..LANES).step_by(part) {
        let (lanes, _) = S::as_mut_simd_f32s(&mut lanes[first..first + part]);
        let mut sums = [simd.splat_f32s(0.0); VECTORS];
        sums.copy_from_slice(lanes);
        for scores in chunks {
            let (scores, _) = S::as_simd_f32s(&scores[first..first + part]);
            for v in 0..VECTORS {
                let power = exp2_of_lanes(simd, simd.sub_f32s(scores[v], max));
                sums[v] = simd.add_f32s(sums[v], power);
            }
        }
        lanes.copy_from_slice(&sums);
    }
}

/// Turns a block of scores into what their values are weighted by.
pub(super) struct Weigh<'a> {
    /// `(rows, BLOCK)`
    pub(super) scores: &'a [f32],
    /// How many columns count.
    pub(super) num: usize,
    pub(super) rows: &'a [RowSoftmax],
    /// With contrast, weights are attention; without, they are its powers, still to be divided by their sum.
    pub(super) contrast: Option<Contrast>,
    /// `(rows, BLOCK)`
    pub(super) weights: &'a mut [f32],
    /// For each row, what the powers are added to.
    pub(super) powers: &'a mut [Lanes],
}

impl Weigh<'_> {
    /// Overwrites the weights.
    pub(super) fn write(self) {
        vectors::arch().dispatch(self);
    }
}

impl WithSimd for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scores = self.scores.chunks_exact(BLOCK);
        let weights = self.weights.chunks_exact_mut(BLOCK);
        for (((scores, weights), row), sums) in scores.zip(weights).zip(self.rows).zip(self.powers)
        {
            let scores = &scores[..self.num];
            let weights = &mut weights[..self.num];
            match self.contrast {
                None if S::F32_LANES == MAX_LANES => {
                    write_powers::<S, 4>(simd, scores, row.max, weights, sums);
                }
                None => write_powers::<S, 1>(simd, scores, row.max, weights, sums),
                Some(Contrast { strength, mean }) => {
                    let factor = strength / row.sum;
                    let summand = mean - mean * strength;
                    for (weight, score) in weights.iter_mut().zip(scores) {
                        let attention = exp2(score - row.max).mul_add(factor, summand);
                        *weight = smaller(larger(attention, 0.0), 1.0);
                    }
                }
            }
        }
    }
}

/// Writes `2^(score - max)` and adds it to `lanes`, a few vectors of which are kept in registers.
#[inline(always)]
fn write_powers<S: Simd, const VECTORS: usize>(
    simd: S,
    scores: &[f32],
    max: f32,
    powers: &mut [f32],
    lanes: &mut Lanes,
) {
    let part = VECTORS * S::F32_LANES;
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let (power_chunks, power_rest) = powers.as_chunks_mut::<LANES>();
    for first in (0..LANES).step_by(part) {
        let (lanes, _) = S::as_mut_simd_f32s(&mut lanes[first..first + part]);
        let mut sums = [simd.splat_f32s(0.0); VECTORS];
        sums.copy_from_slice(lanes);
        for (scores, powers) in chunks.iter().zip(&mut *power_chunks) {
            let (scores, _) = S::as_simd_f32s(&scores[first..first + part]);
            let (powers, _) = S::as_mut_simd_f32s(&mut powers[first..first + part]);
            for v in 0..VECTORS {
                powers[v] = exp2_of_lanes(simd, simd.sub_f32s(scores[v], simd.splat_f32s(max)));
                sums[v] = simd.add_f32s(sums[v], powers[v]);
            }
        }
        lanes.copy_from_slice(&sums);
    }
    for ((power, score), lane) in power_rest.iter_mut().zip(rest).zip(lanes) {
        *power = exp2(score - max);
        *lane += *power;
    }
}

/// Adds weights to sums, both `(rows, BLOCK)`.
pub(super) struct AddTo<'a> {
    pub(super) sums: &'a mut [f32],
    /// How many columns count.
    pub(super) num: usize,
    pub(super) weights: &'a [f32],
}

impl AddTo<'_> {
    /// Adds them.
    pub(super) fn add(self) {
        vectors::arch().dispatch(self);
    }
}

impl WithSimd for AddTo<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let sums = self.sums.chunks_exact_mut(BLOCK);
        for (sums, weights) in sums.zip(self.weights.chunks_exact(BLOCK)) {
            for (sum, weight) in sums[..self.num].iter_mut().zip(weights) {
                *sum += weight;
            }
        }
    }
}

/// Returns the index of the first of the largest values.
pub(super) fn argmax(row: &[f32]) -> usize {
    let max = largest(row);
    let first = row.iter().position(|&value| value == max);
    first.unwrap_or_default()
}

/// Returns the largest value, minus infinity if there is none.
pub(super) fn largest(row: &[f32]) -> f32 {
    vectors::arch().dispatch(Max(row))
}

struct Max<'a>(&'a [f32]);

impl WithSimd for Max<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        max(simd, self.0)
    }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Returns the largest value. A plain loop would keep what is largest so far in memory, and wait for it each time.
#[inline(always)]
fn max<S: Simd>(simd: S, row: &[f32]) -> f32 {
    const VECTORS: usize = 4;
    let (vectors, rest) = S::as_simd_f32s(row);
    let (groups, others) = vectors.as_chunks::<VECTORS>();
    let mut largest = [simd.splat_f32s(f32::NEG_INFINITY); VECTORS];
    for group in groups {
        for i in 0..VECTORS {
            largest[i] = simd.max_f32s(group[i], largest[i]);
        }
    }
    for i in 0..others.len() {
        largest[i] = simd.max_f32s(others[i], largest[i]);
    }
    let [a, b, c, d] = largest;
    let largest = simd.max_f32s(simd.max_f32s(a, b), simd.max_f32s(c, d));
    let mut max = simd.reduce_max_f32s(largest);
    for &x in rest {
        max = larger(x, max);
    }
    max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_values_is_the_largest() {
        assert_eq!(argmax(&[0.1, 0.4, 0.4, 0.2]), 1);
    }
}
