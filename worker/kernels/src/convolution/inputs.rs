//! The transform of patches to points.

use pulp::{Simd, WithSimd};

use super::Convolution;
use super::blocking::{INPUTS_STRIDE, NR};
use super::points::{OfInputs, Points};
use super::tiles::{PATCH, Run, TILE};
use crate::group_norm::Channel;
use crate::vectorised::{MAX_LANES, prefetch};

/// Four pixels of each of a group's patches in one row.
type Line = [f32; TILE * NR];
/// A buffer for the pixels of a group's patches in one row, and for what is written beyond them.
type RowBuffer = [f32; 2 * TILE * NR];
/// The number of pixels of neighbouring patches in one row.
const PIXELS: usize = TILE * (NR + 1);
/// Stands for lines that are not gathered.
static NOTHING: Line = [0.0; TILE * NR];

/// What is done to the pixels of an image as they are read.
#[derive(Clone, Copy)]
pub(super) enum Reading<'a> {
    Plain,
    /// As each channel says.
    Normalised(&'a [Channel]),
    /// Each is repeated in either direction.
    Upsampled,
}

impl Reading<'_> {
    /// Returns what is done to the channels after the first `num`.
    pub(super) fn skip_channels(self, num: usize) -> Self {
        match self {
            Self::Normalised(channels) => Self::Normalised(&channels[num..]),
            Self::Plain | Self::Upsampled => self,
        }
    }

    fn points(self) -> Points {
        match self {
            Self::Plain | Self::Normalised(_) => Points::OfAny,
            Self::Upsampled => Points::OfUpsampled,
        }
    }
}

/// The values at all points of the patches of a group of tiles, in some channels.
pub(super) struct TransformInputs<'a> {
    /// `(up to KC, height, width)`
    pub(super) planes: &'a [f32],
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) reading: Reading<'a>,
    pub(super) group: &'a [Run],
    /// `(POINTS, INPUTS_STRIDE)`
    pub(super) inputs: &'a mut [f32],
}

impl WithSimd for TransformInputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let points = self.reading.points();
        let len = self.height * self.width;
        let mut buffers = [[0.0; 2 * TILE * NR]; PATCH];
        for (channel, _) in self.planes.chunks(len).enumerate() {
            let plane = Plane {
                pixels: &self.planes[channel * len..],
                height: self.height,
                width: self.width,
                reading: self.reading.skip_channels(channel),
            };
            let mut lines = [[&NOTHING; 2]; PATCH];
            for (row, (lines, buffer)) in lines.iter_mut().zip(&mut buffers).enumerate() {
                if !points.repeat(row) {
                    *lines = plane.gather(self.group, row, buffer);
                }
            }
            let inputs = &mut self.inputs[channel * NR..];
            // The compiler makes one function for each.
            match points {
                Points::OfAny => transform(simd, Points::OfAny, lines, inputs),
                Points::OfUpsampled => transform(simd, Points::OfUpsampled, lines, inputs),
            }
        }
    }
}

/// One channel of an image.
struct Plane<'a> {
    /// Of this channel and those after it.
    pixels: &'a [f32],
    height: usize,
    width: usize,
    /// Of this channel and those after it.
    reading: Reading<'a>,
}

impl Plane<'_> {
    /// Returns one row of each patch of a group: their first four pixels, and the four after them. What is beyond the
    /// image is zero.
    #[inline(always)]
    fn gather<'a>(&'a self, group: &[Run], row: usize, buffer: &'a mut RowBuffer) -> [&'a Line; 2] {
        if let [run] = group {
            // The four pixels after those of a patch are the first of the next.
            let pixels = self.read(run, row, buffer);
            return [line(pixels), line(&pixels[TILE..])];
        }
        let mut of_run = [0.0; 2 * TILE * NR];
        let (first, next) = buffer.split_at_mut(TILE * NR);
        for run in group {
            let pixels = self.read(run, row, &mut of_run);
            let len = TILE * run.num;
            first[TILE * run.place..][..len].copy_from_slice(&pixels[..len]);
            next[TILE * run.place..][..len].copy_from_slice(&pixels[TILE..][..len]);
        }
        [line(first), line(next)]
    }

    /// Returns the [`PIXELS`] of one row from the first of a run's patches on. Those beyond the image are zero, those
    /// beyond the run's patches anything.
    #[inline(always)]
    fn read<'a>(&'a self, run: &Run, row: usize, buffer: &'a mut RowBuffer) -> &'a [f32] {
        let factor = match self.reading {
            Reading::Upsampled => Convolution::UPSAMPLING,
            Reading::Plain | Reading::Normalised(_) => 1,
        };
        // The row and the column of a patch's first pixel are those of its tile less one; a row above the image wraps
        // round to one below it.
        let y = (run.y + row).wrapping_sub(1);
        if y >= factor * self.height {
            buffer[..PIXELS].fill(0.0);
            return buffer;
        }
        let is_beyond = usize::from(run.x == 0);
        let x = run.x + is_beyond - 1;
        let num = factor * self.width - x;
        let start = y / factor * self.width + x / factor;
        let wanted = (TILE * (run.num + 1)).next_multiple_of(MAX_LANES);
        let in_next = start + self.height * self.width;
        if let Some(next) = self.pixels.get(in_next..in_next + wanted / factor) {
            prefetch(next);
        }
        let pixels = &self.pixels[start..];
        if let Reading::Plain = self.reading
            && is_beyond == 0
            && num >= PIXELS
        {
            return pixels;
        }
        // What follows the row is read with it, so that vectors are full.
        let pixels = &pixels[..wanted.min(pixels.len())];
        match self.reading {
            Reading::Plain => buffer[is_beyond..][..pixels.len()].copy_from_slice(pixels),
            Reading::Normalised(channels) => channels[0].write(pixels, &mut buffer[is_beyond..]),
            Reading::Upsampled => {
                // A pixel before the first tile is the second of two.
                let (before, pixels) = pixels.split_at(1 - is_beyond);
                buffer[..before.len()].copy_from_slice(before);
                let (pairs, _) = buffer[1..].as_chunks_mut::<{ Convolution::UPSAMPLING }>();
                for (pair, pixel) in pairs.iter_mut().zip(pixels) {
                    *pair = [*pixel; Convolution::UPSAMPLING];
                }
            }
        }
        buffer[..is_beyond].fill(0.0);
        let end = is_beyond + num;
        if end < PIXELS {
            buffer[end..PIXELS].fill(0.0);
        }
        buffer
    }
}

/// Returns the first pixels of many as a line.
#[inline(always)]
fn line(pixels: &[f32]) -> &Line {
    &pixels.as_chunks().0[0]
}

/// Writes the values at the needed points of the patches of one channel to `inputs`, `(POINTS, INPUTS_STRIDE)` from that
/// channel. Lines that repeat those before them are not looked at.
#[inline(always)]
fn transform<S: Simd>(simd: S, points: Points, lines: [[&Line; 2]; PATCH], inputs: &mut [f32]) {
    let to_points = OfInputs::new(simd, points);
    let zero = simd.splat_f32s(0.0);
    for vector in 0..NR / S::F32_LANES {
        let mut rows = [[zero; PATCH]; PATCH];
        for (row, [first, next]) in lines.into_iter().enumerate() {
            if points.repeat(row) {
                rows[row] = rows[row - 1];
                continue;
            }
            let first = deinterleaved(simd, first, vector);
            let next = deinterleaved(simd, next, vector);
            rows[row] = to_points.apply(
                simd,
                [first[0], first[1], first[2], first[3], next[0], next[1]],
            );
        }
        for column in 0..PATCH {
            if points.is_zero_at(column) {
                continue;
            }
            let mut patch = [zero; PATCH];
            for (patch, row) in patch.iter_mut().zip(&rows) {
                *patch = row[column];
            }
            for (row, value) in to_points.apply(simd, patch).into_iter().enumerate() {
                let at = &mut inputs[(row * PATCH + column) * INPUTS_STRIDE..][..NR];
                S::as_mut_simd_f32s(at).0[vector] = value;
            }
        }
    }
}

/// Returns the first, second, third and fourth pixels of as many tiles as a vector has lanes.
#[inline(always)]
fn deinterleaved<S: Simd>(simd: S, line: &Line, vector: usize) -> [S::f32s; TILE] {
    let (line, _) = S::as_simd_f32s(&line[TILE * vector * S::F32_LANES..]);
    simd.deinterleave_shfl_f32s([line[0], line[1], line[2], line[3]])
}
