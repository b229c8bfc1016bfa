//! Rows of scores to rows of attention, vectorised for the processor at hand.

use pulp::{Arch, Simd, WithSimd};

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

/// What turns the scores of one row into its softmax.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RowSoftmax {
    max: f32,
    sum: f32,
}

/// Turns every row of `num_keys` scores into its softmax, with contrast if asked for.
///
/// Returns what would do the same to some columns of those rows, for [`softmax_columns`].
pub(crate) fn softmax_rows(
    scores: &mut [f32],
    num_keys: usize,
    contrast: Option<Contrast>,
) -> Vec<RowSoftmax> {
    Arch::new().dispatch(SoftmaxRows {
        scores,
        num_keys,
        contrast,
    })
}

/// Turns some columns of scores, row by row, into what [`softmax_rows`] made of them.
pub(crate) fn softmax_columns(scores: &mut [f32], rows: &[RowSoftmax], contrast: Option<Contrast>) {
    Arch::new().dispatch(SoftmaxColumns {
        scores,
        rows,
        contrast,
    });
}

struct SoftmaxRows<'a> {
    scores: &'a mut [f32],
    num_keys: usize,
    contrast: Option<Contrast>,
}

impl WithSimd for SoftmaxRows<'_> {
    type Output = Vec<RowSoftmax>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<RowSoftmax> {
        // Loops and not iterators of closures: what is not inlined here is not vectorised.
        let mut rows = Vec::with_capacity(self.scores.len() / self.num_keys);
        for row in self.scores.chunks_exact_mut(self.num_keys) {
            let max = max(row);
            let sum = exp_minus(row, max);
            weigh(row, sum, self.contrast);
            rows.push(RowSoftmax { max, sum });
        }
        rows
    }
}

struct SoftmaxColumns<'a> {
    scores: &'a mut [f32],
    rows: &'a [RowSoftmax],
    contrast: Option<Contrast>,
}

impl WithSimd for SoftmaxColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let num_columns = (self.scores.len() / self.rows.len()).max(1);
        let rows = self.scores.chunks_exact_mut(num_columns);
        for (row, &RowSoftmax { max, sum }) in rows.zip(self.rows) {
            exp_minus(row, max);
            weigh(row, sum, self.contrast);
        }
    }
}

/// Divides exponentials by their `sum` and applies the contrast.
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
                *a = a.mul_add(factor, summand).clamp(0.0, 1.0);
            }
        }
    }
}

/// The number of partial results that a reduction keeps, so that it vectorises in any order.
const LANES: usize = 64;

#[inline(always)]
fn max(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    let lanes = lanes.into_iter().chain(rest.iter().copied());
    lanes.fold(f32::NEG_INFINITY, f32::max)
}

/// Replaces every `x` of `row` by `exp(x - max)` and returns their sum.
#[inline(always)]
fn exp_minus(row: &mut [f32], max: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = exp(*x - max);
            *lane += *x;
        }
    }
    let mut sum = lanes.into_iter().sum();
    for x in rest {
        *x = exp(*x - max);
        sum += *x;
    }
    sum
}

/// Returns `exp(x)` for `x <= 0`, with a relative error below 2e-7; very small results are about 1e-38.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to an integer, which then stands in the lowest bits.
    const TO_INTEGER: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_145_75;
    const LN_2_LOW: f32 = 1.428_606_8e-6;

    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, TO_INTEGER);
    let n = shifted - TO_INTEGER;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    // Taylor coefficients suffice for |r| <= ln(2) / 2.
    let mut polynomial = 1.0 / 5040.0;
    for coefficient in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        polynomial = r.mul_add(polynomial, coefficient);
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    polynomial * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_from_zero_to_the_smallest_floats() {
        for i in 0..=870_000 {
            let x = -1e-4 * i as f32;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "exp({x}): {error:e}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn a_row_sums_to_one_whatever_its_length() {
        for num_keys in [1, 3, 63, 64, 65, 1000] {
            let mut row: Vec<f32> = (0..num_keys).map(|i| (i % 17) as f32 - 90.0).collect();
            softmax_rows(&mut row, num_keys, None);
            let sum: f32 = row.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{num_keys}: {sum}");
        }
    }
}
