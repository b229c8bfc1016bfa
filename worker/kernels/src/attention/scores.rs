//! The micro-kernel of scores, the product of queries and keys.
//!
//! It sums [`MR`] rows by a few vectors in registers. [`pack`](super::pack) lays out its operands so that they are read in
//! order. Every sum runs over its terms in one order, whatever the width of the vectors, so that the bytes do not depend
//! on it.

use pulp::{Simd, WithSimd};

use super::blocking::{KC, MR, NR, SCORES_KC};
use crate::vectorised::MAX_LANES;
use crate::vectors;

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
