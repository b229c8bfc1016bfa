//! Rows of scores to rows of attention, vectorised for the processor at hand.
//!
//! The loops are plain and compiled once for each kind of vectors. They avoid closures: what is not
//! inlined into such a copy is not vectorised.

use pulp::{Arch, Simd, WithSimd};

use crate::method::vectorised::{LANES, exp2};

/// The sharpening of a row of attention around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Contrast {
    strength: f32,
    mean: f32,
}

impl Contrast {
    /// Returns the contrast of rows of `num_keys`.
    pub(crate) fn new(strength: f32, num_keys: usize) -> Self {
        Self {
            strength,
            mean: 1.0 / num_keys as f32,
        }
    }
}

/// What turns the scores of one row into its softmax: `2^(score - max) / sum`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowSoftmax {
    max: f32,
    sum: f32,
}

/// Turns rows of scores into attention; rows are `stride` long, of which the first `num_keys` count.
pub(super) struct Softmax<'a> {
    pub(super) scores: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) num_keys: usize,
    pub(super) contrast: Option<Contrast>,
    /// One for each row: found if `is_known` is not set, and used.
    pub(super) rows: &'a mut [RowSoftmax],
    /// Whether the scores are some columns of larger rows, whose softmax is in `rows`.
    pub(super) is_known: bool,
}

impl Softmax<'_> {
    /// Overwrites the scores.
    pub(super) fn apply(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (scores, row) in self.scores.chunks_exact_mut(self.stride).zip(self.rows) {
            let scores = &mut scores[..self.num_keys];
            if self.is_known {
                exp2_minus(scores, row.max);
            } else {
                row.max = max(simd, scores);
                row.sum = exp2_minus(scores, row.max);
            }
            weigh(scores, row.sum, self.contrast);
        }
    }
}

/// Adds rows of attention to sums of the same shape, `(rows, stride)`.
pub(super) struct AddTo<'a> {
    pub(super) sums: &'a mut [f32],
    pub(super) weights: &'a [f32],
}

impl AddTo<'_> {
    /// Adds them.
    pub(super) fn add(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for AddTo<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (sum, weight) in self.sums.iter_mut().zip(self.weights) {
            *sum += weight;
        }
    }
}

/// Returns the index of the first of the largest values.
pub(crate) fn argmax(row: &[f32]) -> usize {
    let max = Arch::new().dispatch(Max(row));
    let first = row.iter().position(|&value| value == max);
    first.unwrap_or_default()
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

/// Replaces every `x` of `row` by `2^(x - max)` and returns their sum.
#[inline(always)]
fn exp2_minus(row: &mut [f32], max: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            let power = exp2(chunk[i] - max);
            chunk[i] = power;
            lanes[i] += power;
        }
    }
    let mut num_lanes = LANES;
    while num_lanes > 1 {
        num_lanes /= 2;
        for i in 0..num_lanes {
            lanes[i] += lanes[i + num_lanes];
        }
    }
    let mut sum = lanes[0];
    for x in rest {
        *x = exp2(*x - max);
        sum += *x;
    }
    sum
}

/// Divides powers by their `sum` and applies the contrast.
#[inline(always)]
fn weigh(row: &mut [f32], sum: f32, contrast: Option<Contrast>) {
    match contrast {
        None => {
            let factor = 1.0 / sum;
            for a in row {
                *a *= factor;
            }
        }
        Some(Contrast { strength, mean }) => {
            let factor = strength / sum;
            let summand = mean - mean * strength;
            for a in row {
                *a = smaller(larger(a.mul_add(factor, summand), 0.0), 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_sums_to_one_whatever_its_length() {
        for num_keys in [1, 3, 63, 64, 65, 1000] {
            let mut scores: Vec<f32> = (0..num_keys).map(|i| (i % 17) as f32 - 90.0).collect();
            let softmax = Softmax {
                scores: &mut scores,
                stride: num_keys,
                num_keys,
                contrast: None,
                rows: &mut [RowSoftmax::default()],
                is_known: false,
            };
            softmax.apply();
            let sum: f32 = scores.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{num_keys}: {sum}");
        }
    }

    #[test]
    fn the_first_of_equal_values_is_the_largest() {
        assert_eq!(argmax(&[0.1, 0.4, 0.4, 0.2]), 1);
    }
}
