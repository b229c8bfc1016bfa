//! The two matrix products of attention, at the speed of the processor's multipliers.
//!
//! Both keep a block of [`GROUP`] rows by a few vectors in registers. Their operands are laid out by
//! [`pack`](super::pack) so that everything but single weights is read in order. Every sum runs over
//! its terms in one order, whatever the width of the vectors, so that the bytes do not depend on it.

use pulp::{Arch, Simd, WithSimd};

use crate::method::vectorised::MAX_LANES;

/// The number of queries that are worked on at once.
pub(super) const GROUP: usize = 6;

/// The number of keys that lie next to each other.
pub(super) const PANEL: usize = 64;

/// The number of values that are averaged before the next queries' turn; they fit in the first cache.
const BLOCK: usize = 128;

/// Scores of queries and keys, of which each has `depth` columns.
pub(super) struct Scores<'a> {
    /// `(groups, depth, GROUP)`
    pub(super) queries: &'a [f32],
    /// `(panels, depth, PANEL)`
    pub(super) keys: &'a [f32],
    pub(super) depth: usize,
    /// `(groups * GROUP, stride)`, of which `panels * PANEL` columns are written.
    pub(super) scores: &'a mut [f32],
    pub(super) stride: usize,
}

impl Scores<'_> {
    /// Writes the scores.
    pub(super) fn write(self) {
        Arch::new().dispatch(self);
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
            stride,
        } = self;
        let part = VECTORS * S::F32_LANES;
        for (p, panel) in keys.chunks_exact(depth * PANEL).enumerate() {
            let (panel, _) = panel.as_chunks::<PANEL>();
            for (g, group) in queries.chunks_exact(depth * GROUP).enumerate() {
                let (group, _) = group.as_chunks::<GROUP>();
                for first in (0..PANEL).step_by(part) {
                    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; GROUP];
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
                        let start = (g * GROUP + q) * stride + p * PANEL + first;
                        let row = &mut scores[start..start + part];
                        let (row, _) = S::as_mut_simd_f32s(row);
                        row[..VECTORS].copy_from_slice(sums);
                    }
                }
            }
        }
    }
}

/// Sums of values by weights.
pub(super) struct WeightedSums<'a> {
    /// `(groups * GROUP, stride)`, of which as many columns count as there are values.
    pub(super) weights: &'a [f32],
    pub(super) stride: usize,
    /// `(values, width)`, with a width that is a multiple of [`MAX_LANES`].
    pub(super) values: &'a [f32],
    pub(super) width: usize,
    /// `(groups * GROUP, width)`, to which the sums are added.
    pub(super) sums: &'a mut [f32],
}

impl WeightedSums<'_> {
    /// Adds the sums.
    pub(super) fn add(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for WeightedSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            weights,
            stride,
            values,
            width,
            sums,
        } = self;
        let max_vectors = if S::F32_LANES == MAX_LANES { 4 } else { 2 };
        for (block, values) in values.chunks(BLOCK * width).enumerate() {
            let groups = weights.chunks_exact(GROUP * stride);
            for (weights, sums) in groups.zip(sums.chunks_exact_mut(GROUP * width)) {
                let mut part = Part {
                    weights: &weights[block * BLOCK..],
                    stride,
                    values,
                    width,
                    sums,
                    column: 0,
                };
                while part.column < width {
                    let vectors = (width - part.column) / S::F32_LANES;
                    match vectors.min(max_vectors) {
                        1 => part.add_with::<S, 1>(simd),
                        2 => part.add_with::<S, 2>(simd),
                        3 => part.add_with::<S, 3>(simd),
                        _ => part.add_with::<S, 4>(simd),
                    }
                }
            }
        }
    }
}

/// One group, one block of values, and the columns from `column`.
struct Part<'a> {
    weights: &'a [f32],
    stride: usize,
    values: &'a [f32],
    width: usize,
    sums: &'a mut [f32],
    column: usize,
}

impl Part<'_> {
    /// Adds to a few vectors of columns and moves on to the next.
    #[inline(always)]
    fn add_with<S: Simd, const VECTORS: usize>(&mut self, simd: S) {
        let width = self.width;
        let num_values = self.values.len() / width;
        let columns = self.column..self.column + VECTORS * S::F32_LANES;
        let mut weights = [&self.weights[..0]; GROUP];
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; GROUP];
        for q in 0..GROUP {
            weights[q] = &self.weights[q * self.stride..q * self.stride + num_values];
            let (row, _) = S::as_simd_f32s(&self.sums[q * width..][columns.clone()]);
            sums[q].copy_from_slice(&row[..VECTORS]);
        }
        for (k, values) in self.values.chunks_exact(width).enumerate() {
            let (values, _) = S::as_simd_f32s(&values[columns.clone()]);
            for q in 0..GROUP {
                let weight = simd.splat_f32s(weights[q][k]);
                for v in 0..VECTORS {
                    sums[q][v] = simd.mul_add_f32s(weight, values[v], sums[q][v]);
                }
            }
        }
        for (q, sums) in sums.iter().enumerate() {
            let row = &mut self.sums[q * width..][columns.clone()];
            let (row, _) = S::as_mut_simd_f32s(row);
            row[..VECTORS].copy_from_slice(sums);
        }
        self.column = columns.end;
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use pulp::x86::{V3, V4};
    use pulp::{Scalar, Simd, WithSimd};

    use super::super::softmax::{Contrast, RowSoftmax, Softmax};
    use super::*;
    use crate::method::noise::standard_normal;

    fn random(name: &str, num: usize) -> Vec<f32> {
        let draws = standard_normal(1, name, 0, (1, 1, num));
        draws.into_raw_vec_and_offset().0
    }

    /// Computes one head of a tile by the instructions of one kind of processor.
    fn one_head<S: Simd>(simd: S) -> Vec<f32> {
        fn by<S: Simd>(simd: S, op: impl WithSimd<Output = ()>) {
            simd.vectorize(op);
        }
        let (rows, depth, width, panels) = (2 * GROUP, 40, 3 * MAX_LANES, 5);
        let num_keys = panels * PANEL - 7;
        let stride = panels * PANEL + 16;
        let mut weights = vec![0.0; rows * stride];
        let queries = random("queries", rows * depth);
        let keys = random("keys", panels * PANEL * depth);
        let scores = Scores {
            queries: &queries,
            keys: &keys,
            depth,
            scores: &mut weights,
            stride,
        };
        by(simd, scores);
        let softmax = Softmax {
            scores: &mut weights,
            stride,
            num_keys,
            contrast: Some(Contrast::new(1.67, num_keys)),
            rows: &mut vec![RowSoftmax::default(); rows],
            is_known: false,
        };
        by(simd, softmax);
        let mut sums = vec![0.0; rows * width];
        let values = random("values", num_keys * width);
        let weighted = WeightedSums {
            weights: &weights,
            stride,
            values: &values,
            width,
            sums: &mut sums,
        };
        by(simd, weighted);
        sums
    }

    #[test]
    fn the_width_of_the_vectors_does_not_change_a_byte() {
        let scalar = one_head(Scalar);
        if let Some(simd) = V3::try_new() {
            assert!(one_head(simd) == scalar, "AVX2");
        }
        if let Some(simd) = V4::try_new() {
            assert!(one_head(simd) == scalar, "AVX-512");
        }
    }
}
