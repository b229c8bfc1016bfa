//! The transform of products back to pixels.

use faer::Accum;
use pulp::{Simd, WithSimd};

use super::blocking::{NC, NR, SUMS_STRIDE};
use super::points::{OfOutputs, Points};
use super::tiles::{PATCH, Run, TILE, Tiles};
use crate::vectorised::prefetch;

/// The pixels that the products of a group of tiles make, in up to a panel of outputs.
pub(super) struct TransformOutputs<'a, 'b> {
    /// `(POINTS, SUMS_STRIDE)`, from the group's first tile on.
    pub(super) sums: &'a [f32],
    pub(super) points: Points,
    pub(super) tiles: Tiles,
    pub(super) group: &'a [Run],
    /// The summand of each output channel.
    pub(super) bias: &'a [f32],
    pub(super) accum: Accum,
    /// The pixels of each channel, `(rows, width)`, from the row `top` on.
    pub(super) planes: &'a mut [&'b mut [f32]],
    pub(super) top: usize,
}

impl WithSimd for TransformOutputs<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Tiles { height, width } = self.tiles;
        let mut lines = [[0.0; TILE * NR]; TILE];
        let planes = self.planes.iter_mut();
        for (channel, (plane, bias)) in planes.zip(self.bias).enumerate() {
            for run in self.group {
                for y in run.y..height.min(run.y + TILE) {
                    let row = &plane[(y - self.top) * width..][..width];
                    prefetch(&row[run.x..width.min(run.x + TILE * run.num)]);
                }
            }
            let sums = &self.sums[channel * NC..];
            // The compiler makes one function for each.
            match self.points {
                Points::OfAny => transform(simd, Points::OfAny, sums, *bias, &mut lines),
                Points::OfUpsampled => {
                    transform(simd, Points::OfUpsampled, sums, *bias, &mut lines);
                }
            }
            for run in self.group {
                let num = (TILE * run.num).min(width - run.x);
                for (row, line) in lines.iter().enumerate().take(height - run.y) {
                    let start = (run.y - self.top + row) * width + run.x;
                    let line = &line[TILE * run.place..][..num];
                    let pixels = &mut plane[start..start + num];
                    match self.accum {
                        Accum::Replace => pixels.copy_from_slice(line),
                        Accum::Add => {
                            for i in 0..num {
                                pixels[i] += line[i];
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Writes the four rows of pixels of a group's tiles, `(tiles, TILE)` each.
#[inline(always)]
fn transform<S: Simd>(
    simd: S,
    points: Points,
    sums: &[f32],
    bias: f32,
    lines: &mut [[f32; TILE * NR]; TILE],
) {
    let to_pixels = OfOutputs::new(simd, points);
    let zero = simd.splat_f32s(0.0);
    let bias = simd.splat_f32s(bias);
    for vector in 0..NR / S::F32_LANES {
        let mut columns = [[zero; PATCH]; TILE];
        for column in 0..PATCH {
            if points.is_zero_at(column) {
                continue;
            }
            let mut products = [zero; PATCH];
            for (row, product) in products.iter_mut().enumerate() {
                if points.is_zero_at(row) {
                    continue;
                }
                let at = &sums[(row * PATCH + column) * SUMS_STRIDE..][..NR];
                *product = S::as_simd_f32s(at).0[vector];
            }
            let pixels = to_pixels.apply(simd, products);
            for (columns, pixel) in columns.iter_mut().zip(pixels) {
                columns[column] = pixel;
            }
        }
        for (columns, line) in columns.into_iter().zip(lines.iter_mut()) {
            let mut pixels = to_pixels.apply(simd, columns);
            for pixel in &mut pixels {
                *pixel = simd.add_f32s(*pixel, bias);
            }
            let pixels = simd.interleave_shfl_f32s(pixels);
            let (line, _) = S::as_mut_simd_f32s(&mut line[TILE * vector * S::F32_LANES..]);
            line[..TILE].copy_from_slice(&pixels);
        }
    }
}
