//! The micro-kernel of sums of values by their weights, the product of a softmax and values.
//!
//! It sums [`MR`] rows by a few vectors in registers. [`pack`](super::pack) lays out its operands so that all but single
//! weights are read in order. Every sum runs over its terms in one order, whatever the width of the vectors, so that the
//! bytes do not depend on it.

use pulp::{Simd, WithSimd};

use super::blocking::{KC, MR, has_half, padded};
use crate::bf16::dot_products::{self, Rows, Sums};
use crate::bf16::{self, Layout};
use crate::vectorised::{MAX_LANES, prefetch};
use crate::vectors;

/// Values between two prefetches.
const PREFETCH_STEP: usize = 8;

/// The product of weights and a block of values.
pub(super) struct WeightedSums<'a> {
    /// `(rows, KC)`, of which as many columns count as there are values. Rows are those of whole panels. They are rounded
    /// where they lie, if values are.
    pub(super) weights: &'a mut [f32],
    /// `(up to KC, padded width)`, or pairs of values.
    pub(super) values: &'a [f32],
    /// The number of values.
    pub(super) num: usize,
    /// How they lie.
    pub(super) layout: Layout,
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
        match self.layout {
            Layout::Single => vectors::arch().dispatch(self),
            Layout::Rounded => {
                for row in self.weights.chunks_exact_mut(KC) {
                    bf16::round_in_place(&mut row[..self.num]);
                }
                vectors::arch().dispatch(self);
            }
            Layout::Pairs => self.add_by_pairs(),
        }
    }

    fn add_by_pairs(self) {
        for row in self.weights.chunks_exact_mut(KC) {
            // Of an odd number of weights, the last is with zero.
            let whole = self.num.next_multiple_of(2 * MAX_LANES);
            row[self.num..whole].fill(0.0);
            dot_products::pair_up(&mut row[..whole]);
        }
        let padded = padded(self.width);
        let rows = self.weights.chunks_exact(MR * KC);
        for (rows, sums) in rows.zip(self.sums.chunks_exact_mut(MR * padded)) {
            let weights = Rows::<KC, 1>(rows);
            let mut left = padded / MAX_LANES;
            for parts in (1..=left.div_ceil(MAX_VECTORS)).rev() {
                let vectors = left.div_ceil(parts);
                let column = padded - left * MAX_LANES;
                left -= vectors;
                let values = dot_products::Columns {
                    pairs: &self.values[column..],
                    stride: padded,
                };
                let mut sums = Sums {
                    values: &mut sums[column..],
                    stride: padded,
                    is_first: false,
                };
                let num = self.num.div_ceil(2);
                match vectors {
                    1 => dot_products::add::<MR, 1, KC, 1>(num, &weights, &values, &mut sums),
                    2 => dot_products::add::<MR, 2, KC, 1>(num, &weights, &values, &mut sums),
                    3 => dot_products::add::<MR, 3, KC, 1>(num, &weights, &values, &mut sums),
                    _ => dot_products::add::<MR, 4, KC, 1>(num, &weights, &values, &mut sums),
                }
            }
        }
    }
}

/// The most vectors of columns whose sums are kept in registers.
const MAX_VECTORS: usize = 4;

impl WithSimd for WeightedSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let padded = padded(self.width);
        let half = S::F32_LANES == MAX_LANES && has_half(self.width);
        let num_vectors = self.width.div_ceil(S::F32_LANES) - usize::from(half);
        // As many sums as leave registers for the operands: 32 with the widest vectors, else 16.
        let max_vectors = match (S::F32_LANES == MAX_LANES, half) {
            (true, false) => MAX_VECTORS,
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
