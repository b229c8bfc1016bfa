//! Softmax of blocks of scores, and the statistics that it needs of each row.
//!
//! The loops are plain and compiled once for each kind of vectors. They avoid closures: what is not
//! inlined into such a copy is not vectorised.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::KC;
use crate::vectorised::{LANES, MAX_LANES, exp2, exp2_of_lanes};
use crate::vectors;

/// The sharpening of each row of attention around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    strength: f32,
    mean: f32,
}

impl Contrast {
    /// Returns the contrast of attention to `num_keys` keys; a strength of 1 changes nothing.
    pub fn new(strength: f32, num_keys: usize) -> Self {
        Self {
            strength,
            mean: 1.0 / num_keys as f32,
        }
    }
}

/// The softmax statistics of one row of scores, whose softmax is `2^(score - max) / sum`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RowSoftmaxStats {
    /// The largest score.
    pub(super) max: f32,
    /// The sum of each `2^(score - max)`.
    pub(super) sum: f32,
}

/// The softmax statistics of an attention: the maximum and the sum of exponentials of each row of scores.
///
/// With them, some columns of the attention can be computed again without the others. The two are the log-sum-exp of a
/// row in two parts.
#[derive(Clone, Debug)]
pub struct SoftmaxStats {
    /// For each head, those of all queries.
    of_heads: Vec<Vec<RowSoftmaxStats>>,
}

impl SoftmaxStats {
    /// Joins the statistics of strips of queries, each of which has them for each head.
    pub(super) fn of(strips: impl IntoIterator<Item = Vec<Vec<RowSoftmaxStats>>>) -> Self {
        let mut of_heads = Vec::new();
        for strip in strips {
            of_heads.resize_with(strip.len(), Vec::new);
            for (all, rows) in of_heads.iter_mut().zip(strip) {
                all.extend(rows);
            }
        }
        Self { of_heads }
    }

    /// Returns the statistics of some queries, in the order of their positions.
    ///
    /// # Panics
    ///
    /// If there is no query at one of the positions.
    #[must_use]
    pub fn of_queries(&self, queries: &[usize]) -> Self {
        let of_head = |rows: &Vec<RowSoftmaxStats>| queries.iter().map(|&q| rows[q]).collect();
        Self {
            of_heads: self.of_heads.iter().map(of_head).collect(),
        }
    }

    /// Returns those of some queries in one head.
    pub(super) fn rows(&self, head: usize, queries: Range<usize>) -> &[RowSoftmaxStats] {
        &self.of_heads[head][queries]
    }
}

/// Partial sums of the exponentials of a row, so that they are added up in one order.
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

/// The sums of exponentials of a block of scores.
pub(super) struct SumExponentials<'a> {
    /// `(rows, KC)`
    pub(super) scores: &'a [f32],
    /// The columns that count.
    pub(super) num: usize,
    /// For each row, its maximum.
    pub(super) rows: &'a [RowSoftmaxStats],
    /// For each row, partial sums, to which its exponentials are added.
    pub(super) sums: &'a mut [Lanes],
}

impl SumExponentials<'_> {
    /// Adds each `2^(score - max)`.
    pub(super) fn add(self) {
        vectors::arch().dispatch(self);
    }
}

impl WithSimd for SumExponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scores = self.scores.chunks_exact(KC);
        for ((scores, row), lanes) in scores.zip(self.rows).zip(self.sums) {
            let (chunks, rest) = scores[..self.num].as_chunks::<LANES>();
            if S::F32_LANES == MAX_LANES {
                sum_exponentials::<S, 4>(simd, chunks, row.max, lanes);
            } else {
                sum_exponentials::<S, 1>(simd, chunks, row.max, lanes);
            }
            for (lane, score) in lanes.iter_mut().zip(rest) {
                *lane += exp2(score - row.max);
            }
        }
    }
}

/// Adds each `2^(score - max)` to `lanes`, a few vectors of which are kept in registers.
#[inline(always)]
fn sum_exponentials<S: Simd, const VECTORS: usize>(
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
                let exponential = exp2_of_lanes(simd, simd.sub_f32s(scores[v], max));
                sums[v] = simd.add_f32s(sums[v], exponential);
            }
        }
        lanes.copy_from_slice(&sums);
    }
}

/// The weights that a block of scores gives its values.
pub(super) struct Weigh<'a> {
    /// `(rows, KC)`
    pub(super) scores: &'a [f32],
    /// The columns that count.
    pub(super) num: usize,
    /// For each row, its maximum, and with contrast its sum of exponentials.
    pub(super) rows: &'a [RowSoftmaxStats],
    /// With contrast, weights are attention; without, they are exponentials, still to be divided by their sum.
    pub(super) contrast: Option<Contrast>,
    /// `(rows, KC)`
    pub(super) weights: &'a mut [f32],
    /// For each row, partial sums, to which its exponentials are added unless there is contrast.
    pub(super) exponential_sums: &'a mut [Lanes],
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
        let scores = self.scores.chunks_exact(KC);
        let weights = self.weights.chunks_exact_mut(KC);
        let rows = scores.zip(weights).zip(self.rows);
        for (((scores, weights), row), sums) in rows.zip(self.exponential_sums) {
            let scores = &scores[..self.num];
            let weights = &mut weights[..self.num];
            match self.contrast {
                None if S::F32_LANES == MAX_LANES => {
                    write_exponentials::<S, 4>(simd, scores, row.max, weights, sums);
                }
                None => write_exponentials::<S, 1>(simd, scores, row.max, weights, sums),
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

/// Writes each `2^(score - max)` and adds it to `lanes`, a few vectors of which are kept in registers.
#[inline(always)]
fn write_exponentials<S: Simd, const VECTORS: usize>(
    simd: S,
    scores: &[f32],
    max: f32,
    exponentials: &mut [f32],
    lanes: &mut Lanes,
) {
    let part = VECTORS * S::F32_LANES;
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let (exponential_chunks, exponential_rest) = exponentials.as_chunks_mut::<LANES>();
    for first in (0..LANES).step_by(part) {
        let (lanes, _) = S::as_mut_simd_f32s(&mut lanes[first..first + part]);
        let mut sums = [simd.splat_f32s(0.0); VECTORS];
        sums.copy_from_slice(lanes);
        for (scores, exponentials) in chunks.iter().zip(&mut *exponential_chunks) {
            let (scores, _) = S::as_simd_f32s(&scores[first..first + part]);
            let (exponentials, _) = S::as_mut_simd_f32s(&mut exponentials[first..first + part]);
            for v in 0..VECTORS {
                exponentials[v] =
                    exp2_of_lanes(simd, simd.sub_f32s(scores[v], simd.splat_f32s(max)));
                sums[v] = simd.add_f32s(sums[v], exponentials[v]);
            }
        }
        lanes.copy_from_slice(&sums);
    }
    for ((exponential, score), lane) in exponential_rest.iter_mut().zip(rest).zip(lanes) {
        *exponential = exp2(score - max);
        *lane += *exponential;
    }
}

/// The sum of a block of weights and what was summed before.
pub(super) struct AddTo<'a> {
    /// `(rows, KC)`, to which the weights are added.
    pub(super) sums: &'a mut [f32],
    /// The columns that count.
    pub(super) num: usize,
    /// `(rows, KC)`
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
        let sums = self.sums.chunks_exact_mut(KC);
        for (sums, weights) in sums.zip(self.weights.chunks_exact(KC)) {
            for (sum, weight) in sums[..self.num].iter_mut().zip(weights) {
                *sum += weight;
            }
        }
    }
}

/// Returns the index of the first of the values that equal `max`, their largest.
///
/// # Panics
///
/// If none does: all are NaN, or there are none.
pub(super) fn first_of(max: f32, row: &[f32]) -> usize {
    let first = row.iter().position(|&value| value == max);
    first.expect("the largest of some values is one of them")
}

/// Returns the largest value that is a number, minus infinity if there is none.
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
        let row = [0.1, 0.4, 0.4, 0.2];
        assert_eq!(first_of(largest(&row), &row), 1);
    }
}
