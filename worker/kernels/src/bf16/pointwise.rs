//! Convolutions of single pixels of rounded operands.

use std::cell::Cell;
use std::ops::Range;

use faer::Accum;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Layout, Operands, pair, part_pairs, rounded};
use crate::convolution::blocking::{MC as PANEL, NC as BLOCK, NR as GROUP};
use crate::convolution::product::AddProducts;
use crate::linear::LOAD;
use crate::parts::{Rectangle, columns};
use crate::pointwise::Pointwise;
use crate::regions::{Region, Work, lengths, of_parts, products};
use crate::vectors;

/// MC: the most pixels that a thread takes at a time.
const MC: usize = 4 * BLOCK;
/// KC: rounded inputs that are summed at a time, an even number. Weights of a panel of outputs fit in L1.
const KC: usize = 256;

thread_local! {
    /// Buffers of a thread for the pixels that it works on.
    static ROUNDED_BLOCK: Cell<RoundedBlock> = Cell::default();
}

/// Buffers for the rounded operands of a block of pixels, and its sums.
#[derive(Default)]
struct RoundedBlock {
    /// `(groups, inputs, GROUP)`, or pairs of inputs.
    pixels: Vec<f32>,
    /// `(KC, PANEL)`
    weights: Vec<f32>,
    /// `(PANEL, BLOCK)`
    sums: Vec<f32>,
}

impl Pointwise {
    /// Returns the convolution whose products are of bfloat16, in which its weights take half of the memory.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[must_use]
    pub fn of_bf16(weights: &[f32], bias: Vec<f32>, num_inputs: usize) -> Self {
        assert!(num_inputs > 0);
        assert_eq!(weights.len(), bias.len() * num_inputs);
        let panel_len = num_inputs.div_ceil(2) * PANEL;
        let mut packed = vec![0.0; bias.len().div_ceil(PANEL) * panel_len];
        packed
            .par_chunks_mut(panel_len)
            .zip(weights.par_chunks(PANEL * num_inputs))
            .for_each(|(packed, weights)| {
                for (output, weights) in weights.chunks_exact(num_inputs).enumerate() {
                    let places = packed[output..].iter_mut().step_by(PANEL);
                    for (packed, weights) in places.zip(weights.chunks(2)) {
                        *packed = pair(weights[0], weights.get(1).copied().unwrap_or(0.0));
                    }
                }
            });
        Self {
            weights: packed,
            operands: Operands::Bf16,
            bias,
            num_inputs,
        }
    }

    /// Writes the outputs with products of one layout.
    pub(crate) fn write_rounded(
        &self,
        layout: Layout,
        image: &[f32],
        (num_pixels, accum): (usize, Accum),
        outputs: &mut [f32],
    ) {
        let mut writing = Writing {
            layer: self,
            layout,
            image,
            num_pixels,
            accum,
            packed: Vec::new(),
        };
        if are_packed_before(num_pixels) {
            writing.pack_all();
        }
        let num_threads = rayon::current_num_threads();
        let [pixels, channels] = Self::rounded_part(num_pixels, self.num_outputs(), num_threads);
        outputs
            .par_chunks_mut((channels * num_pixels).max(1))
            .enumerate()
            .for_each(|(panels, outputs)| {
                let parts = columns(outputs, num_pixels, pixels);
                parts
                    .into_par_iter()
                    .enumerate()
                    .for_each(|(place, mut planes)| {
                        writing.write(place * pixels, panels * channels / PANEL, &mut planes);
                    });
            });
    }

    /// Returns the pixels and the outputs that each of some threads takes at a time: whole groups and whole panels. Whatever
    /// they are, they make the same bytes.
    fn rounded_part(num_pixels: usize, num_outputs: usize, num_threads: usize) -> [usize; 2] {
        let whole = Rectangle {
            rows: num_pixels,
            columns: num_outputs.div_ceil(PANEL).max(1),
        };
        let work = |part: Rectangle| {
            let (pixels, outputs) = (part.rows, part.columns * PANEL);
            pixels * outputs + LOAD * (pixels + outputs)
        };
        let part = whole.part(GROUP, MC, num_threads, work);
        [part.rows, part.columns * PANEL]
    }

    /// Adds the products of one panel of outputs and some groups of pixels to their sums, `(PANEL, BLOCK)`.
    fn add_panel(
        &self,
        layout: Layout,
        panel: usize,
        groups: &[f32],
        (parted, sums): (&mut Vec<f32>, &mut [f32]),
    ) {
        let places = layout.places(self.num_inputs);
        let panel_len = self.num_inputs.div_ceil(2) * PANEL;
        let weights = &self.weights[panel * panel_len..][..panel_len];
        let num_outputs = PANEL.min(self.bias.len() - panel * PANEL);
        for first in (0..places).step_by(KC) {
            let terms = first..places.min(first + KC);
            let weights = if layout == Layout::Pairs {
                &weights[terms.start * PANEL..terms.end * PANEL]
            } else {
                let pairs = terms.start / 2..terms.end.div_ceil(2);
                parted.resize(2 * pairs.len() * PANEL, 0.0);
                part_pairs::<PANEL>(&weights[pairs.start * PANEL..pairs.end * PANEL], parted);
                &parted[..terms.len() * PANEL]
            };
            for (group, pixels) in groups.chunks_exact(places * GROUP).enumerate() {
                let products = AddProducts {
                    inputs: &pixels[terms.start * GROUP..terms.end * GROUP],
                    weights,
                    sums: &mut sums[group * GROUP..],
                    num_outputs,
                    is_first: false,
                };
                products.add(layout);
            }
        }
    }
}

/// Returns the regions of a convolution of single pixels of rounded operands.
pub(crate) fn regions(num_pixels: usize, channels: [usize; 2], num_threads: usize) -> Vec<Region> {
    let [num_inputs, num_outputs] = channels;
    let groups = lengths(num_pixels, GROUP).map(|pixels| Work {
        operations: (pixels * num_inputs) as f64,
        bytes: (2 * size_of::<f32>() * pixels * num_inputs) as f64,
    });
    let packed = are_packed_before(num_pixels).then(|| of_parts(groups));
    let part = Pointwise::rounded_part(num_pixels, num_outputs, num_threads);
    let products = products(num_pixels, channels, part);
    packed.into_iter().chain([products]).collect()
}

/// Returns whether pixels are packed before any are multiplied: they are few then, and many outputs need each of them.
/// Others are packed by the threads that multiply them.
fn are_packed_before(num_pixels: usize) -> bool {
    num_pixels <= MC
}

/// An image, and how its outputs are written.
struct Writing<'a> {
    layer: &'a Pointwise,
    layout: Layout,
    /// `(inputs, num_pixels)`
    image: &'a [f32],
    num_pixels: usize,
    accum: Accum,
    /// All of its pixels, `(groups, inputs, GROUP)` or pairs of inputs; none if they are not packed before.
    packed: Vec<f32>,
}

impl Writing<'_> {
    /// Returns the length of a packed group of pixels.
    fn group_len(&self) -> usize {
        self.layout.places(self.layer.num_inputs) * GROUP
    }

    fn pack_all(&mut self) {
        let group_len = self.group_len();
        let mut packed = vec![0.0; self.num_pixels.div_ceil(GROUP) * group_len];
        packed
            .par_chunks_mut(group_len)
            .enumerate()
            .for_each(|(group, packed)| self.pack(group * GROUP, packed));
        self.packed = packed;
    }

    /// Packs the group of pixels from one on.
    fn pack(&self, first: usize, packed: &mut [f32]) {
        vectors::arch().dispatch(PackPixels {
            image: self.image,
            num_pixels: self.num_pixels,
            pixels: first..self.num_pixels.min(first + GROUP),
            layout: self.layout,
            packed,
        });
    }

    /// Writes some outputs, each a slice of its pixels from the same one on.
    fn write(&self, first_pixel: usize, first_panel: usize, planes: &mut [&mut [f32]]) {
        let num_pixels = planes.first().map_or(0, |plane| plane.len());
        let group_len = self.group_len();
        let mut block = ROUNDED_BLOCK.take();
        let RoundedBlock {
            pixels: room,
            weights,
            sums,
        } = &mut block;
        sums.resize(PANEL * BLOCK, 0.0);
        for first in (0..num_pixels).step_by(BLOCK) {
            let pixels = first..num_pixels.min(first + BLOCK);
            let len = pixels.len().div_ceil(GROUP) * group_len;
            let first = first_pixel + pixels.start;
            let groups = if self.packed.is_empty() {
                if room.len() < len {
                    room.resize(len, 0.0);
                }
                for (group, packed) in room[..len].chunks_exact_mut(group_len).enumerate() {
                    self.pack(first + group * GROUP, packed);
                }
                &room[..len]
            } else {
                &self.packed[first / GROUP * group_len..][..len]
            };
            for (place, planes) in planes.chunks_mut(PANEL).enumerate() {
                let panel = first_panel + place;
                let bias = &self.layer.bias[panel * PANEL..];
                for ((plane, bias), sums) in planes.iter().zip(bias).zip(sums.chunks_mut(BLOCK)) {
                    begin(*bias, self.accum, &plane[pixels.clone()], sums);
                }
                let buffers = (&mut *weights, &mut sums[..]);
                self.layer.add_panel(self.layout, panel, groups, buffers);
                for (plane, sums) in planes.iter_mut().zip(sums.chunks(BLOCK)) {
                    plane[pixels.clone()].copy_from_slice(&sums[..pixels.len()]);
                }
            }
        }
        ROUNDED_BLOCK.set(block);
    }
}

/// Begins the sums of an output's pixels: with its bias, and with what is there if they are added to that.
fn begin(bias: f32, accum: Accum, there: &[f32], sums: &mut [f32]) {
    sums.fill(bias);
    if let Accum::Add = accum {
        for (sum, there) in sums.iter_mut().zip(there) {
            *sum += there;
        }
    }
}

/// A group of pixels, rounded.
struct PackPixels<'a> {
    /// `(inputs, num_pixels)`
    image: &'a [f32],
    num_pixels: usize,
    pixels: Range<usize>,
    layout: Layout,
    /// `(inputs, GROUP)`, or pairs of inputs; pixels that there are none of are left.
    packed: &'a mut [f32],
}

impl WithSimd for PackPixels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let num = self.pixels.len();
        let (packed, _) = self.packed.as_chunks_mut::<GROUP>();
        if self.layout == Layout::Pairs {
            let channels = self.image.chunks(2 * self.num_pixels);
            for (packed, channels) in packed.iter_mut().zip(channels) {
                let first = &channels[self.pixels.clone()];
                let packed = &mut packed[..num];
                match channels.get(self.num_pixels..) {
                    Some(second) if !second.is_empty() => {
                        let second = &second[self.pixels.clone()];
                        for i in 0..num {
                            packed[i] = pair(first[i], second[i]);
                        }
                    }
                    _ => {
                        for i in 0..num {
                            packed[i] = pair(first[i], 0.0);
                        }
                    }
                }
            }
        } else {
            let channels = self.image.chunks_exact(self.num_pixels);
            for (packed, channel) in packed.iter_mut().zip(channels) {
                for (packed, pixel) in packed.iter_mut().zip(&channel[self.pixels.clone()]) {
                    *packed = rounded(*pixel);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::dot_products;
    use crate::random::standard_normal;

    fn draw(name: &str, num: usize) -> Vec<f32> {
        let draws = standard_normal(1, name, 0, (1, 1, num));
        draws.into_raw_vec_and_offset().0
    }

    #[test]
    fn products_of_bf16_are_those_of_rounded_numbers_with_either_layout() {
        for (inputs, outputs, pixels) in [(1, 1, 1), (5, 3, 77), (70, 33, 1030), (601, 70, 200)] {
            let (image, weights) = (draw("i", inputs * pixels), draw("w", inputs * outputs));
            let (bias, there) = (draw("bias", outputs), draw("there", outputs * pixels));
            let layer = Pointwise::of_bf16(&weights, bias.clone(), inputs);
            let by = |layout| {
                let mut written = there.clone();
                layer.write_rounded(layout, &image, (pixels, Accum::Add), &mut written);
                written
            };
            let written = by(Layout::Rounded);
            if dot_products::are_here() {
                assert!(
                    by(Layout::Pairs) == written,
                    "{inputs}, {outputs}, {pixels}"
                );
            }
            let mut here = there.clone();
            layer.write(&image, Accum::Add, &mut here);
            assert!(here == written);
            for num_threads in [1, 3, 7, 16, 64] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
                let pool = pool.build().unwrap();
                assert!(pool.install(|| by(Layout::Rounded)) == written);
                if dot_products::are_here() {
                    assert!(pool.install(|| by(Layout::Pairs)) == written);
                }
            }
            for (place, found) in written.iter().enumerate() {
                let (output, pixel) = (place / pixels, place % pixels);
                // In the order of the kernel, to the byte.
                let sum = (0..inputs).fold(bias[output] + there[place], |sum, k| {
                    let weight = rounded(weights[output * inputs + k]);
                    weight.mul_add(rounded(image[k * pixels + pixel]), sum)
                });
                assert_eq!(*found, sum, "{inputs}, {outputs}, {pixels}: {place}");
            }
        }
    }
}
