//! The micro-kernel of scores, the product of queries and keys.
//!
//! It sums [`MR`] rows by a few vectors in registers. [`pack`](super::pack) lays out its operands so that they are read in
//! order. Every sum runs over its terms in one order, whatever the width of the vectors, so that the bytes do not depend
//! on it.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::{KC, MR, NR, SCORES_KC};
use crate::bf16::Layout;
use crate::bf16::dot_products::{self, Columns, Rows, Sums};
use crate::vectorised::MAX_LANES;
use crate::vectors;

/// The product of queries and keys, with the largest scores of each query.
pub(super) struct Scores<'a> {
    /// `(row panels, depth, MR)`
    pub(super) queries: &'a [f32],
    /// `(key panels, depth, NR)`
    pub(super) keys: &'a [f32],
    /// The places that the columns of a query, and of a key, lie in.
    pub(super) depth: usize,
    /// How they lie.
    pub(super) layout: Layout,
    /// `(blocks, rows, KC)`: the scores of a block of keys lie next to each other. Rows are those of whole panels.
    pub(super) scores: &'a mut [f32],
    /// `(rows, MAX_LANES)`: scores of each row, the largest of which is that of the row.
    pub(super) largest: &'a mut [f32],
    pub(super) num_keys: usize,
}

impl Scores<'_> {
    /// Writes the scores.
    pub(super) fn write(self) {
        match self.layout {
            Layout::Single | Layout::Rounded => vectors::arch().dispatch(self),
            Layout::Pairs => self.write_by_pairs(),
        }
    }

    fn write_by_pairs(self) {
        const VECTORS: usize = NR / MAX_LANES;
        let num_rows = self.largest.len() / MAX_LANES;
        for (p, panel) in self.keys.chunks_exact(self.depth * NR).enumerate() {
            let (block, column) = (p * NR / KC, p * NR % KC);
            let scores = &mut self.scores[block * num_rows * KC..][..num_rows * KC];
            for (step, pairs) in panel.chunks(SCORES_KC * NR).enumerate() {
                let keys = Columns { pairs, stride: NR };
                let rows = self.queries.chunks_exact(self.depth * MR);
                for (r, rows) in rows.enumerate() {
                    let queries = Rows::<1, MR>(&rows[step * SCORES_KC * MR..]);
                    let mut sums = Sums {
                        values: &mut scores[r * MR * KC + column..],
                        stride: KC,
                        is_first: step == 0,
                    };
                    let num = pairs.len() / NR;
                    dot_products::add::<MR, VECTORS, 1, MR>(num, &queries, &keys, &mut sums);
                }
            }
            let keep = KeepLargest {
                scores,
                columns: column..column + NR.min(self.num_keys - p * NR),
                largest: self.largest,
            };
            vectors::arch().dispatch(keep);
        }
    }
}

/// Keeps the largest of some scores of each row.
struct KeepLargest<'a> {
    /// `(rows, KC)`
    scores: &'a [f32],
    columns: Range<usize>,
    /// `(rows, MAX_LANES)`
    largest: &'a mut [f32],
}

impl WithSimd for KeepLargest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (largest, _) = self.largest.as_chunks_mut::<MAX_LANES>();
        for (scores, largest) in self.scores.chunks_exact(KC).zip(largest) {
            let (vectors, rest) = scores[self.columns.clone()].as_chunks::<MAX_LANES>();
            for scores in vectors {
                for i in 0..MAX_LANES {
                    largest[i] = if scores[i] > largest[i] {
                        scores[i]
                    } else {
                        largest[i]
                    };
                }
            }
            for (score, largest) in rest.iter().zip(largest) {
                *largest = if score > largest { *score } else { *largest };
            }
        }
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
            ..
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
