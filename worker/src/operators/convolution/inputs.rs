//! The transform of patches.

use pulp::{Simd, WithSimd};

use super::CHUNK;
use super::points::{OfInputs, POINTS};
use super::tiles::{GROUP, PATCH, Run, TILE, Tiles};
use crate::operators::group_norm::Channel;

/// The number of channels that are gathered before they go to their points: they fit in the first cache.
const STAGE: usize = 4;

/// The pixels of a group's patches in one row, `(tiles, TILE)`: the first four of each patch, and the four after them.
type Lines = [[f32; TILE * GROUP]; 2];
/// Pixels of neighbouring patches in one row of an image.
type Row = [f32; TILE * (GROUP + 1)];

/// Transforms the patches of a group in some channels.
pub(super) struct TransformInputs<'a> {
    /// `(up to CHUNK, height, width)`
    pub(super) planes: &'a [f32],
    /// What is done to the pixels of each channel before.
    pub(super) channels: Option<&'a [Channel]>,
    pub(super) tiles: Tiles,
    pub(super) group: &'a [Run],
    /// `(POINTS, CHUNK, GROUP)`
    pub(super) inputs: &'a mut [f32],
}

impl WithSimd for TransformInputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let plane = self.tiles.height * self.tiles.width;
        let mut lines = [[[0.0; TILE * GROUP]; 2]; PATCH];
        let mut changed = [0.0; TILE * (GROUP + 1)];
        let mut stage = [0.0; POINTS * STAGE * GROUP];
        for (turn, planes) in self.planes.chunks(STAGE * plane).enumerate() {
            for (place, pixels) in planes.chunks_exact(plane).enumerate() {
                let plane = Plane {
                    pixels,
                    tiles: self.tiles,
                    channel: self.channels.map(|channels| channels[turn * STAGE + place]),
                };
                for (row, lines) in lines.iter_mut().enumerate() {
                    plane.gather(self.group, row, &mut changed, lines);
                }
                transform(simd, &lines, &mut stage[place * GROUP..]);
            }
            let num = planes.len() / plane * GROUP;
            let start = turn * STAGE * GROUP;
            let points = self.inputs.chunks_exact_mut(CHUNK * GROUP);
            for (inputs, stage) in points.zip(stage.chunks_exact(STAGE * GROUP)) {
                inputs[start..start + num].copy_from_slice(&stage[..num]);
            }
        }
    }
}

/// One channel of an image.
struct Plane<'a> {
    pixels: &'a [f32],
    tiles: Tiles,
    channel: Option<Channel>,
}

impl Plane<'_> {
    /// Copies one row of each patch of a group; what is beyond the image is zero. `changed` is room for pixels.
    #[inline(always)]
    fn gather(&self, group: &[Run], row: usize, changed: &mut Row, lines: &mut Lines) {
        let Tiles { height, width } = self.tiles;
        for run in group {
            // The row and the column of a patch's first pixel are those of its tile less one.
            let y = (run.y + row).wrapping_sub(1);
            let is_beyond = usize::from(run.x == 0);
            let start = run.x + is_beyond - 1;
            let mut pixels: &[f32] = &[];
            if y < height {
                let num = (TILE * (run.num + 1) - is_beyond).min(width - start);
                pixels = &self.pixels[y * width + start..][..num];
            }
            if let Some(channel) = self.channel {
                channel.write(pixels, changed);
                pixels = &changed[..pixels.len()];
            }
            for (half, line) in lines.iter_mut().enumerate() {
                let line = &mut line[TILE * run.place..][..TILE * run.num];
                let (before, first) = match half {
                    0 => (is_beyond, 0),
                    _ => (0, TILE - is_beyond),
                };
                let there = &pixels[first.min(pixels.len())..];
                let num = there.len().min(line.len() - before);
                line[..before].fill(0.0);
                line[before..before + num].copy_from_slice(&there[..num]);
                line[before + num..].fill(0.0);
            }
        }
    }
}

/// Writes the values at all points of the patches of one channel to `stage`, `(POINTS, STAGE, GROUP)` from that channel.
#[inline(always)]
fn transform<S: Simd>(simd: S, lines: &[Lines; PATCH], stage: &mut [f32]) {
    let points = OfInputs::new(simd);
    let zero = simd.splat_f32s(0.0);
    for vector in 0..GROUP / S::F32_LANES {
        let mut rows = [[zero; PATCH]; PATCH];
        for (row, lines) in rows.iter_mut().zip(lines) {
            let first = deinterleaved(simd, &lines[0], vector);
            let next = deinterleaved(simd, &lines[1], vector);
            *row = points.apply(
                simd,
                [first[0], first[1], first[2], first[3], next[0], next[1]],
            );
        }
        for column in 0..PATCH {
            let mut patch = [zero; PATCH];
            for (patch, row) in patch.iter_mut().zip(&rows) {
                *patch = row[column];
            }
            for (row, value) in points.apply(simd, patch).into_iter().enumerate() {
                let at = &mut stage[(row * PATCH + column) * STAGE * GROUP..][..GROUP];
                S::as_mut_simd_f32s(at).0[vector] = value;
            }
        }
    }
}

/// Returns the first, second, third and fourth pixels of as many tiles as a vector has lanes.
#[inline(always)]
fn deinterleaved<S: Simd>(simd: S, line: &[f32; TILE * GROUP], vector: usize) -> [S::f32s; TILE] {
    let (line, _) = S::as_simd_f32s(&line[TILE * vector * S::F32_LANES..]);
    simd.deinterleave_shfl_f32s([line[0], line[1], line[2], line[3]])
}
