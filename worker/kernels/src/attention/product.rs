//! The two matrix products of attention, at the speed of the processor's multipliers.
//!
//! Both keep a block of [`GROUP`] rows by a few vectors in registers. Their operands are laid out by
//! [`pack`](super::pack) so that everything but single weights is read in order. Every sum runs over
//! its terms in one order, whatever the width of the vectors, so that the bytes do not depend on it.

use pulp::{Simd, WithSimd};

use super::pack::{has_half, padded};
use crate::vectorised::{MAX_LANES, prefetch};
use crate::vectors;

/// The number of queries that are worked on at once.
pub(super) const GROUP: usize = 6;

/// The number of keys that lie next to each other.
pub(super) const PANEL: usize = 64;

/// The number of values that are averaged before the next queries' turn: few enough for their weights and them to stay
/// in the second cache, and enough that beginning and ending weighs little.
pub(super) const BLOCK: usize = 8 * PANEL;

/// The number of columns that scores are summed over at once: a panel's fit in the first cache.
const DEPTH: usize = 128;

/// The number of values between two requests for what is wanted next.
const STEP: usize = 8;

/// Scores of queries and keys, of which each has `depth` columns.
pub(super) struct Scores<'a> {
    /// `(groups, depth, GROUP)`
    pub(super) queries: &'a [f32],
    /// `(panels, depth, PANEL)`
    pub(super) keys: &'a [f32],
    pub(super) depth: usize,
    /// `(blocks, groups * GROUP, BLOCK)`: the scores of a block of keys lie next to each other.
    pub(super) scores: &'a mut [f32],
    /// `(groups * GROUP, MAX_LANES)`: scores of each row, of which the largest is that of the row.
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
        for (p, panel) in keys.chunks_exact(depth * PANEL).enumerate() {
            let (panel, _) = panel.as_chunks::<PANEL>();
            let (block, column) = (p * PANEL / BLOCK, p * PANEL % BLOCK);
            let scores = &mut scores[block * num_rows * BLOCK..][..num_rows * BLOCK];
            for (step, panel) in panel.chunks(DEPTH).enumerate() {
                let is_last = (step + 1) * DEPTH >= depth;
                for (g, group) in queries.chunks_exact(depth * GROUP).enumerate() {
                    let (group, _) = group.as_chunks::<GROUP>();
                    let group = &group[step * DEPTH..][..panel.len()];
                    for first in (0..PANEL).step_by(part) {
                        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; GROUP];
                        let row = |q: usize| (g * GROUP + q) * BLOCK + column + first;
                        if step > 0 {
                            for (q, sums) in sums.iter_mut().enumerate() {
                                let scores = &scores[row(q)..][..part];
                                sums.copy_from_slice(S::as_simd_f32s(scores).0);
                            }
                        }
                        for (keys, queries) in panel.iter().zip(group) {
                            let (keys, _) = S::as_simd_f32s(&keys[first..first + part]);
                            for q in 0..GROUP {
                                let query = simd.splat_f32s(queries[q]);
                                for v in 0..VECTORS {
                                    sums[q][v] = simd.mul_add_f32s(query, keys[v], sums[q][v]);
                                }
                            }
                        }
                        for (q, sums) in sums.iter().enumerate() {
                            let scores = &mut scores[row(q)..][..part];
                            S::as_mut_simd_f32s(&mut *scores).0.copy_from_slice(sums);
                            let largest = &mut largest[(g * GROUP + q) * MAX_LANES..][..MAX_LANES];
                            if is_last && (p + 1) * PANEL <= num_keys {
                                let (largest, _) = S::as_mut_simd_f32s(largest);
                                for &sums in sums {
                                    largest[0] = simd.max_f32s(sums, largest[0]);
                                }
                            } else if is_last {
                                // The last keys of all, and zeros.
                                let num = (num_keys - p * PANEL).saturating_sub(first).min(part);
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

/// Sums of a block of values by weights.
pub(super) struct WeightedSums<'a> {
    /// `(groups * GROUP, BLOCK)`, of which as many columns count as there are values.
    pub(super) weights: &'a [f32],
    /// `(up to BLOCK, padded width)`
    pub(super) values: &'a [f32],
    /// The width of a value, of which a packed one is the padded.
    pub(super) width: usize,
    /// `(groups * GROUP, padded width)`, to which the sums are added.
    pub(super) sums: &'a mut [f32],
    /// What is wanted next, as large as the weights or empty: it is brought near meanwhile.
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
            let mut next = std::mem::take(&mut next).chunks(GROUP * BLOCK);
            let groups = self.weights.chunks_exact(GROUP * BLOCK);
            for (weights, sums) in groups.zip(self.sums.chunks_exact_mut(GROUP * padded)) {
                let (weights, _) = weights.as_chunks::<BLOCK>();
                let part = Part {
                    weights,
                    values: self.values,
                    padded,
                    sums,
                    column,
                    next: next.next().unwrap_or_default(),
                };
                match (vectors, half && parts == 1) {
                    (0, _) => part.add_with::<S, 0, true>(simd),
                    (1, true) => part.add_with::<S, 1, true>(simd),
                    (2, true) => part.add_with::<S, 2, true>(simd),
                    (_, true) => part.add_with::<S, 3, true>(simd),
                    (1, false) => part.add_with::<S, 1, false>(simd),
                    (2, false) => part.add_with::<S, 2, false>(simd),
                    (3, false) => part.add_with::<S, 3, false>(simd),
                    (_, false) => part.add_with::<S, 4, false>(simd),
                }
            }
            column += vectors * S::F32_LANES;
        }
    }
}

/// One group, one block of values, and the columns from `column`.
struct Part<'a> {
    /// `(GROUP, BLOCK)`
    weights: &'a [[f32; BLOCK]],
    values: &'a [f32],
    padded: usize,
    sums: &'a mut [f32],
    column: usize,
    next: &'a [f32],
}

impl Part<'_> {
    /// Adds to a few vectors of columns.
    ///
    /// The half of a vector that may follow is there twice. It is added to for two queries at once: one takes the lower
    /// lanes, the other the upper.
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

        let mut sums = [[zero; VECTORS]; GROUP];
        let mut halves = [zero; GROUP / 2];
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
        let mut next = self.next.chunks(GROUP * STEP);
        for (k, values) in self.values.chunks_exact(padded).enumerate().take(BLOCK) {
            if k % STEP == 0 {
                prefetch(next.next().unwrap_or_default());
            }
            let (values, _) = S::as_simd_f32s(&values[columns.clone()]);
            let mut lower = zero;
            for q in 0..GROUP {
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
        AddTo, Contrast, Lanes, RowSoftmax, SumPowers, Weigh, largest, sum_of,
    };
    use crate::random::standard_normal;
    use crate::vectorised::LANES;

    const NUM_KEYS: usize = BLOCK - 7;
    const ROWS: usize = 2 * GROUP;

    fn random(name: &str, tokens: usize, width: usize) -> Array2<f32> {
        let draws = standard_normal(1, name, 0, (1, tokens, width));
        draws.remove_axis(ndarray::Axis(0))
    }

    /// Computes a block of one head by the instructions of one kind of processor.
    fn one_head<S: Simd>(simd: S, width: usize, contrast: Option<Contrast>) -> [Vec<f32>; 2] {
        fn by<S: Simd>(simd: S, op: impl WithSimd<Output = ()>) {
            simd.vectorize(op);
        }
        let heads = Heads { num: 1, width };
        let queries = Queries::all(random("queries", ROWS, width).view(), heads);
        let keys = Keys::all(random("keys", NUM_KEYS, width).view(), heads);
        let values = Values::all(random("values", NUM_KEYS, width).view(), heads);
        let mut scores = vec![0.0; ROWS * BLOCK];
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
        let of_row = |row: &[f32]| RowSoftmax {
            max: largest(row),
            sum: 0.0,
        };
        let mut rows: Vec<_> = maxima.chunks(MAX_LANES).map(of_row).collect();
        let mut powers: Vec<Lanes> = vec![[0.0; LANES]; ROWS];
        let sum = SumPowers {
            scores: &scores,
            num: NUM_KEYS,
            rows: &rows,
            powers: &mut powers,
        };
        by(simd, sum);
        for (row, powers) in rows.iter_mut().zip(&powers) {
            row.sum = sum_of(*powers);
        }
        let mut weights = vec![0.0; ROWS * BLOCK];
        let weigh = Weigh {
            scores: &scores,
            num: NUM_KEYS,
            rows: &rows,
            contrast,
            weights: &mut weights,
            powers: &mut powers,
        };
        by(simd, weigh);
        let mut sums = vec![1.0; ROWS * BLOCK];
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
