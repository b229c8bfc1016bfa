//! Micro-kernels of the two matrix products of attention: scores, and sums of values by their weights.
//!
//! Both sum [`MR`] rows by a few vectors in registers. [`pack`](super::pack) lays out their operands so that all but
//! single weights are read in order. Every sum runs over its terms in one order, whatever the width of the vectors, so
//! that the bytes do not depend on it.

use pulp::{Simd, WithSimd};

use super::blocking::{KC, MR, NR, SCORES_KC, has_half, padded};
use crate::vectorised::{MAX_LANES, prefetch};
use crate::vectors;

/// Values between two prefetches.
const PREFETCH_STEP: usize = 8;

/// The product of queries and keys, with the largest scores of each query.
pub(super) struct Scores<'a> {
    /// `(row panels, depth, MR)`
    pub(super) queries: &'a [f32],
    /// `(key panels, depth, NR)`
    pub(super) keys: &'a [f32],
    /// Columns of a query and of a key.
    pub(super) depth: usize,
    /// `(blocks, rows, KC)`: the scores of a block of keys lie next to each other. Rows are those of whole panels.
    pub(super) scores: &'a mut [f32],
    /// `(rows, MAX_LANES)`: scores of each row, the largest of which is that of the row.
    pub(super) largest: &'a mut [f32],
    pub(super) num_keys: usize,
}

impl Scores<'_> {
    /// Writes the scores.
    pub(super) fn write(self) {
        vectors::arch().dispatch(self);
    }
}

impl WithSimd for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many vectors as leave registers for the operands: 32 with the widest vectors, else 16.
        if S::F32_LANES == MAX_LANES {
            self.write_with::<S, 4>(simd);
        } else {
            self.write_with::<S, 2>(simd);
        }
    }
}

impl Scores<'_> {
    #[inline(always)]
    fn write_with<S: Simd, const VECTORS: usize>(self, simd: S) {
        let Self {
            queries,
            keys,
            depth,
            scores,
            largest,
            num_keys,
        } = self;
        let num_rows = largest.len() / MAX_LANES;
        let part = VECTORS * S::F32_LANES;
        for (p, panel) in keys.chunks_exact(depth * NR).enumerate() {
            let (panel, _) = panel.as_chunks::<NR>();
            let (block, column) = (p * NR / KC, p * NR % KC);
            let scores = &mut scores[block * num_rows * KC..][..num_rows * KC];
            for (step, panel) in panel.chunks(SCORES_KC).enumerate() {
                let is_last = (step + 1) * SCORES_KC >= depth;
                for (r, rows) in queries.chunks_exact(depth * MR).enumerate() {
                    let (rows, _) = rows.as_chunks::<MR>();
                    let rows = &rows[step * SCORES_KC..][..panel.len()];
                    for first in (0..NR).step_by(part) {
                        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; MR];
                        let row = |q: usize| (r * MR + q) * KC + column + first;
                        if step > 0 {
                            for (q, sums) in sums.iter_mut().enumerate() {
                                let scores = &scores[row(q)..][..part];
                                sums.copy_from_slice(S::as_simd_f32s(scores).0);
                            }
                        }
                        for (keys, queries) in panel.iter().zip(rows) {
                            let (keys, _) = S::as_simd_f32s(&keys[first..first + part]);
                            for q in 0..MR {
                                let query = simd.splat_f32s(queries[q]);
                                for v in 0..VECTORS {
                                    sums[q][v] = simd.mul_add_f32s(query, keys[v], sums[q][v]);
                                }
                            }
                        }
                        for (q, sums) in sums.iter().enumerate() {
                            let scores = &mut scores[row(q)..][..part];
                            S::as_mut_simd_f32s(&mut *scores).0.copy_from_slice(sums);
                            let largest = &mut largest[(r * MR + q) * MAX_LANES..][..MAX_LANES];
                            if is_last && (p + 1) * NR <= num_keys {
                                let (largest, _) = S::as_mut_simd_f32s(largest);
                                for &sums in sums {
                                    largest[0] = simd.max_f32s(sums, largest[0]);
                                }
                            } else if is_last {
                                // The last keys of all, and zeros; where a part has only zeros, no key.
                                let num = (num_keys - p * NR).saturating_sub(first).min(part);
                                for &score in &scores[..num] {
                                    largest[0] = largest[0].max(score);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The product of weights and a block of values.
pub(super) struct WeightedSums<'a> {
    /// `(rows, KC)`, of which as many columns count as there are values. Rows are those of whole panels.
    pub(super) weights: &'a [f32],
    /// `(up to KC, padded width)`
    pub(super) values: &'a [f32],
    /// The width of a value before it was padded.
    pub(super) width: usize,
    /// `(rows, padded width)`, to which the sums are added.
    pub(super) sums: &'a mut [f32],
    /// Prefetched meanwhile, because it is read next: as large as the weights, or empty.
    pub(super) next: &'a [f32],
}

impl WeightedSums<'_> {
    /// Adds the sums.
    pub(super) fn add(self) {
        vectors::arch().dispatch(self);
    }
}

impl WithSimd for WeightedSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let padded = padded(self.width);
        let half = S::F32_LANES == MAX_LANES && has_half(self.width);
        let num_vectors = self.width.div_ceil(S::F32_LANES) - usize::from(half);
        // As many sums as leave registers for the operands: 32 with the widest vectors, else 16.
        let max_vectors = match (S::F32_LANES == MAX_LANES, half) {
            (true, false) => 4,
            (true, true) => 3,
            (false, _) => 2,
        };
        let mut next = self.next;
        let mut column = 0;
        let mut left = num_vectors;
        for parts in (1..=num_vectors.div_ceil(max_vectors).max(1)).rev() {
            let vectors = left.div_ceil(parts);
            left -= vectors;
            // The first columns prefetch it all.
            let mut next = std::mem::take(&mut next);
            let rows = self.weights.chunks_exact(MR * KC);
            for (weights, sums) in rows.zip(self.sums.chunks_exact_mut(MR * padded)) {
                let (weights, _) = weights.as_chunks::<KC>();
                let (next_of_rows, rest) = next.split_at(next.len().min(MR * KC));
                next = rest;
                let columns = Columns {
                    weights,
                    values: self.values,
                    padded,
                    sums,
                    column,
                    next: next_of_rows,
                };
                match (vectors, half && parts == 1) {
                    (0, _) => columns.add_with::<S, 0, true>(simd),
                    (1, true) => columns.add_with::<S, 1, true>(simd),
                    (2, true) => columns.add_with::<S, 2, true>(simd),
                    (_, true) => columns.add_with::<S, 3, true>(simd),
                    (1, false) => columns.add_with::<S, 1, false>(simd),
                    (2, false) => columns.add_with::<S, 2, false>(simd),
                    (3, false) => columns.add_with::<S, 3, false>(simd),
                    (_, false) => columns.add_with::<S, 4, false>(simd),
                }
            }
            column += vectors * S::F32_LANES;
        }
    }
}

/// Some columns of the sums of `MR` rows.
struct Columns<'a> {
    /// `(MR, KC)`
    weights: &'a [[f32; KC]],
    /// `(up to KC, padded)`
    values: &'a [f32],
    /// The padded width of a value.
    padded: usize,
    /// `(MR, padded)`
    sums: &'a mut [f32],
    /// The first of the columns.
    column: usize,
    /// Prefetched meanwhile: `MR * KC` numbers, or none.
    next: &'a [f32],
}

impl Columns<'_> {
    /// Adds to a few vectors of columns.
    ///
    /// With `HALF`, half a vector follows, which packed values hold twice. It is summed for two queries at once: one has
    /// the lower lanes, the other the upper.
    #[inline(always)]
    fn add_with<S: Simd, const VECTORS: usize, const HALF: bool>(self, simd: S) {
        let padded = self.padded;
        let half = self.column + VECTORS * S::F32_LANES;
        let columns = self.column..half + usize::from(HALF) * S::F32_LANES;
        let middle = half + S::F32_LANES / 2;
        let zero = simd.splat_f32s(0.0);
        let is_lower = simd.less_than_f32s(
            lane_numbers(simd),
            simd.splat_f32s(0.5 * S::F32_LANES as f32),
        );

        let mut sums = [[zero; VECTORS]; MR];
        let mut halves = [zero; MR / 2];
        let mut both = [0.0; MAX_LANES];
        for (sums, row) in sums.iter_mut().zip(self.sums.chunks_exact(padded)) {
            let (row, _) = S::as_simd_f32s(&row[columns.clone()]);
            sums.copy_from_slice(&row[..VECTORS]);
        }
        if HALF {
            for (halves, rows) in halves.iter_mut().zip(self.sums.chunks_exact(2 * padded)) {
                let (lower, upper) = both[..S::F32_LANES].split_at_mut(S::F32_LANES / 2);
                lower.copy_from_slice(&rows[half..middle]);
                upper.copy_from_slice(&rows[padded..][half..middle]);
                *halves = S::as_simd_f32s(&both).0[0];
            }
        }
        let mut next = self.next;
        for (k, values) in self.values.chunks_exact(padded).enumerate().take(KC) {
            if k % PREFETCH_STEP == 0 {
                let (now, later) = next.split_at(next.len().min(MR * PREFETCH_STEP));
                prefetch(now);
                next = later;
            }
            let (values, _) = S::as_simd_f32s(&values[columns.clone()]);
            let mut lower = zero;
            for q in 0..MR {
                let weight = simd.splat_f32s(self.weights[q][k]);
                for v in 0..VECTORS {
                    sums[q][v] = simd.mul_add_f32s(weight, values[v], sums[q][v]);
                }
                if HALF && q % 2 == 0 {
                    lower = weight;
                } else if HALF {
                    let weights = simd.select_f32s(is_lower, lower, weight);
                    halves[q / 2] = simd.mul_add_f32s(weights, values[VECTORS], halves[q / 2]);
                }
            }
        }
        for (sums, row) in sums.iter().zip(self.sums.chunks_exact_mut(padded)) {
            let (row, _) = S::as_mut_simd_f32s(&mut row[columns.clone()]);
            row[..VECTORS].copy_from_slice(sums);
        }
        if HALF {
            for (halves, rows) in halves.iter().zip(self.sums.chunks_exact_mut(2 * padded)) {
                S::as_mut_simd_f32s(&mut both).0[0] = *halves;
                let (lower, upper) = both[..S::F32_LANES].split_at(S::F32_LANES / 2);
                rows[half..middle].copy_from_slice(lower);
                rows[padded..][half..middle].copy_from_slice(upper);
            }
        }
    }
}

/// Returns the number of each lane.
#[inline(always)]
fn lane_numbers<S: Simd>(_: S) -> S::f32s {
    const NUMBERS: [f32; MAX_LANES] = {
        let mut numbers = [0.0; MAX_LANES];
        let mut lane = 0;
        while lane < MAX_LANES {
            numbers[lane] = lane as f32;
            lane += 1;
        }
        numbers
    };
    S::as_simd_f32s(&NUMBERS).0[0]
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use ndarray::Array2;
    use pulp::x86::{V3, V4};
    use pulp::{Scalar, Simd, WithSimd};

    use super::*;
    use crate::attention::Heads;
    use crate::attention::pack::{Keys, Queries, Values};
    use crate::attention::softmax::{
        AddTo, Contrast, Lanes, RowSoftmaxStats, SumExponentials, Weigh, largest, sum_of,
    };
    use crate::random::standard_normal;
    use crate::vectorised::LANES;

    const NUM_KEYS: usize = KC - 7;
    const ROWS: usize = 2 * MR;

    fn random(name: &str, tokens: usize, width: usize) -> Array2<f32> {
        let draws = standard_normal(1, name, 0, (1, tokens, width));
        draws.remove_axis(ndarray::Axis(0))
    }

    /// Computes a block of one head with one instruction set.
    fn one_head<S: Simd>(simd: S, width: usize, contrast: Option<Contrast>) -> [Vec<f32>; 2] {
        fn by<S: Simd>(simd: S, op: impl WithSimd<Output = ()>) {
            simd.vectorize(op);
        }
        let heads = Heads { num: 1, width };
        let queries = Queries::all(random("queries", ROWS, width).view(), heads);
        let keys = Keys::all(random("keys", NUM_KEYS, width).view(), heads);
        let values = Values::all(random("values", NUM_KEYS, width).view(), heads);
        let mut scores = vec![0.0; ROWS * KC];
        let mut maxima = vec![f32::NEG_INFINITY; ROWS * MAX_LANES];
        let write = Scores {
            queries: queries.of(0, 0..ROWS),
            keys: keys.head(0),
            depth: width,
            scores: &mut scores,
            largest: &mut maxima,
            num_keys: NUM_KEYS,
        };
        by(simd, write);
        let of_row = |row: &[f32]| RowSoftmaxStats {
            max: largest(row),
            sum: 0.0,
        };
        let mut rows: Vec<_> = maxima.chunks(MAX_LANES).map(of_row).collect();
        let mut exponential_sums: Vec<Lanes> = vec![[0.0; LANES]; ROWS];
        let sum = SumExponentials {
            scores: &scores,
            num: NUM_KEYS,
            rows: &rows,
            sums: &mut exponential_sums,
        };
        by(simd, sum);
        for (row, lanes) in rows.iter_mut().zip(&exponential_sums) {
            row.sum = sum_of(*lanes);
        }
        let mut weights = vec![0.0; ROWS * KC];
        let weigh = Weigh {
            scores: &scores,
            num: NUM_KEYS,
            rows: &rows,
            contrast,
            weights: &mut weights,
            exponential_sums: &mut exponential_sums,
        };
        by(simd, weigh);
        let mut sums = vec![1.0; ROWS * KC];
        let add = AddTo {
            sums: &mut sums,
            num: NUM_KEYS,
            weights: &weights,
        };
        by(simd, add);
        let mut averages = vec![0.0; ROWS * padded(width)];
        let weighted = WeightedSums {
            weights: &weights,
            values: values.head(0),
            width,
            sums: &mut averages,
            next: &sums,
        };
        by(simd, weighted);
        let rows = averages.chunks(padded(width));
        let averages = rows.flat_map(|row| row[..width].to_vec()).collect();
        [averages, sums]
    }

    #[test]
    fn the_width_of_the_vectors_does_not_change_a_byte() {
        let contrast = Some(Contrast::new(1.67, NUM_KEYS));
        for width in [5, 16, 24, 40, 64, 80, 120, 260] {
            for contrast in [None, contrast] {
                let scalar = one_head(Scalar, width, contrast);
                if let Some(simd) = V3::try_new() {
                    assert!(one_head(simd, width, contrast) == scalar, "AVX2, {width}");
                }
                if let Some(simd) = V4::try_new() {
                    assert!(
                        one_head(simd, width, contrast) == scalar,
                        "AVX-512, {width}"
                    );
                }
            }
        }
    }
}
