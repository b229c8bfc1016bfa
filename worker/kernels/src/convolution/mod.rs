//! Convolutions of 3x3 pixels, at a quarter of their multiplications.
//!
//! An image is cut into tiles of 4x4 outputs, each made from a patch of 6x6 inputs. Patches and weights are turned into
//! their values at 36 points (`points`), where a convolution is a product of matrices, tiles by input channels by
//! output channels; the products are turned back into outputs. Work goes by blocks of tiles, so that patches, weights
//! and products of a block stay in the caches.
//!
//! A normalisation or an upsampling before a convolution is done to patches as they are gathered. A normalisation takes
//! as long as on its own, half of it being done twice, but what is made of the image is never in memory: half a gigabyte
//! where Stable Diffusion decodes 1024x512. An upsampling leaves 25 of the 36 points: patches that repeat their pixels are
//! zero at the others.
//!
//! - `points`: the transforms in one dimension; `blocking`: the block sizes
//! - `tiles`: the pixels that tiles are made of; `inputs`, `outputs`: the transforms of an image's tiles
//! - `weights`: packed weights, and their transform
//! - `product`: the products
//!
//! **Source:** Lavin and Gray 2015, F(4x4, 3x3) (arXiv:1509.09308).
//! **Differs:** the points are 0, ±5/8, ±3/2 and infinity in place of 0, ±1, ±2 and infinity: they halve the rounding
//! errors (measured on 320 channels; Barabasz et al. 2018, arXiv:1803.10986, say why) and are exact in binary. Those of
//! upsampled images, with ±1 in place of ±3/2, have twice the errors of the former.

mod blocking;
mod inputs;
mod outputs;
mod points;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
mod weights;

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use faer::Accum;
use rayon::prelude::*;

use self::blocking::{
    INPUT_PANEL, INPUTS_STRIDE, KC, MAX_INPUT_PANELS, MC, NC, NR, SUMS_STRIDE, WEIGHTS_STRIDE,
};
use self::inputs::{Reading, TransformInputs};
use self::outputs::TransformOutputs;
use self::points::{POINTS, Points};
use self::product::AddProducts;
use self::tiles::{Group, Tiles};
use self::weights::{TransformWeights, Weights};
use super::group_norm::GroupNorm;
use crate::vectors;

/// Buffers for the transformed inputs of a block, each of one convolution at a time.
static INPUT_BUFFERS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

thread_local! {
    /// Buffers of a thread for the panel that it works on.
    static PANEL_SCRATCH: Cell<PanelScratch> = Cell::default();
}

/// Buffers for one panel of output channels.
#[derive(Default)]
struct PanelScratch {
    /// Transformed weights, `(POINTS, WEIGHTS_STRIDE)`.
    weights: Vec<f32>,
    /// Products, `(POINTS, SUMS_STRIDE)`.
    sums: Vec<f32>,
}

/// An image `(channels, height, width)`.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// `(channels, height, width)`
    pub pixels: &'a [f32],
    /// Its height.
    pub height: usize,
    /// Its width.
    pub width: usize,
}

/// A convolution of 3x3 pixels at stride 1 whose outputs are as large as its inputs: pixels beyond the edge are zero.
pub struct Convolution {
    weights: Weights,
    bias: Vec<f32>,
    before: Before,
}

/// The operation on images before they are convolved. Pixels beyond the edge are zero all the same.
enum Before {
    Nothing,
    Normalisation(GroupNorm),
    /// By the nearest neighbour.
    Upsampling,
}

impl Convolution {
    /// How often an upsampling before a convolution repeats each pixel in either direction.
    pub const UPSAMPLING: usize = 2;

    /// Returns the convolution by `weights` `(outputs, inputs, 3, 3)`, to whose outputs `bias` `(outputs)` is added.
    ///
    /// # Panics
    ///
    /// If there are not 9 weights for each pair of an output and an input.
    #[must_use]
    pub fn new(weights: &[f32], bias: Vec<f32>, num_inputs: usize) -> Self {
        assert_eq!(weights.len(), 9 * bias.len() * num_inputs);
        Self {
            weights: Weights::pack(weights, bias.len(), num_inputs),
            bias,
            before: Before::Nothing,
        }
    }

    /// Returns the convolution of what a normalisation makes of images, which is then never written as a whole.
    ///
    /// # Panics
    ///
    /// If the normalisation is of another number of channels.
    #[must_use]
    pub fn after_normalisation(mut self, norm: GroupNorm) -> Self {
        assert_eq!(norm.weight.len(), self.num_inputs());
        self.before = Before::Normalisation(norm);
        self
    }

    /// Returns the convolution of images upsampled by [`UPSAMPLING`](Self::UPSAMPLING), which are then never written as a
    /// whole.
    #[must_use]
    pub fn after_upsampling(mut self) -> Self {
        self.before = Before::Upsampling;
        self
    }

    /// Returns the number of input channels.
    #[must_use]
    pub fn num_inputs(&self) -> usize {
        self.weights.num_inputs()
    }

    /// Returns the number of output channels.
    #[must_use]
    pub fn num_outputs(&self) -> usize {
        self.bias.len()
    }

    /// Returns the height or width of the outputs of an image of some height or width.
    #[must_use]
    pub fn length_of_outputs(&self, length: usize) -> usize {
        match self.before {
            Before::Nothing | Before::Normalisation(_) => length,
            Before::Upsampling => Self::UPSAMPLING * length,
        }
    }

    /// Returns whether outputs of this size have tiles enough for the weights' transform to pay.
    #[must_use]
    pub fn pays(height: usize, width: usize) -> bool {
        Tiles { height, width }.num() >= NR / 2
    }

    /// Writes the outputs `(outputs, height, width)` of an image `(inputs, height, width)`, or adds them to what is there;
    /// their height and width are those that [`length_of_outputs`](Self::length_of_outputs) returns.
    ///
    /// The bytes depend neither on the number of threads nor on the width of the CPU's vectors.
    ///
    /// # Panics
    ///
    /// If `image` or `outputs` has another size.
    pub fn write(&self, image: &Image<'_>, accum: Accum, outputs: &mut [f32]) {
        let Image {
            pixels,
            height,
            width,
        } = *image;
        let tiles = Tiles {
            height: self.length_of_outputs(height),
            width: self.length_of_outputs(width),
        };
        assert_eq!(pixels.len(), self.num_inputs() * height * width);
        assert_eq!(
            outputs.len(),
            self.num_outputs() * tiles.height * tiles.width
        );
        let channels;
        let reading = match &self.before {
            Before::Nothing => Reading::Plain,
            Before::Normalisation(norm) => {
                channels = norm.channels(pixels);
                Reading::Normalised(&channels)
            }
            Before::Upsampling => Reading::Upsampled,
        };
        // A panic elsewhere leaves no buffer half made; without one that is free, a new one is filled.
        let buffers = || INPUT_BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inputs = buffers().pop().unwrap_or_default();
        let num_chunks = self.num_inputs().div_ceil(KC).max(1);
        let num_groups = (MAX_INPUT_PANELS / num_chunks).clamp(1, NC / NR);
        for first in (0..tiles.num()).step_by(num_groups * NR) {
            let block = Block {
                tiles,
                groups: tiles.groups(first, num_groups),
                points: self.points(),
                num_chunks,
            };
            block.transform(image, reading, &mut inputs);
            self.write_block(&block, &inputs, accum, outputs);
        }
        buffers().push(inputs);
    }

    fn points(&self) -> Points {
        match self.before {
            Before::Nothing | Before::Normalisation(_) => Points::OfAny,
            Before::Upsampling => Points::OfUpsampled,
        }
    }

    fn write_block(&self, block: &Block, inputs: &[f32], accum: Accum, outputs: &mut [f32]) {
        outputs
            .par_chunks_mut(MC * block.tiles.height * block.tiles.width)
            .zip(self.weights.panels())
            .zip(self.bias.par_chunks(MC))
            .for_each(|((outputs, weights), bias)| {
                let mut scratch = PANEL_SCRATCH.take();
                block.multiply(inputs, weights, bias.len(), &mut scratch);
                for (g, group) in block.groups.iter().enumerate() {
                    vectors::arch().dispatch(TransformOutputs {
                        sums: &scratch.sums[g * NR..],
                        points: block.points,
                        tiles: block.tiles,
                        group,
                        bias,
                        accum,
                        outputs,
                    });
                }
                PANEL_SCRATCH.set(scratch);
            });
    }
}

/// Tiles that are worked on at a time.
struct Block {
    /// Those of the whole image.
    tiles: Tiles,
    groups: Vec<Group>,
    points: Points,
    /// The number of chunks of [`KC`] input channels.
    num_chunks: usize,
}

impl Block {
    /// Writes the transformed inputs, `(groups, chunks, INPUT_PANEL)`.
    fn transform(&self, image: &Image<'_>, reading: Reading<'_>, inputs: &mut Vec<f32>) {
        let plane = image.height * image.width;
        let num = self.groups.len() * self.num_chunks;
        // It only grows: what layers with fewer channels leave unused need not be cleared for the next.
        if inputs.len() < num * INPUT_PANEL {
            inputs.resize(num * INPUT_PANEL, 0.0);
        }
        let chunks: Vec<&[f32]> = image.pixels.chunks(KC * plane).collect();
        inputs
            .par_chunks_mut(INPUT_PANEL)
            .take(num)
            .enumerate()
            .for_each(|(place, inputs)| {
                let chunk = place % self.num_chunks;
                vectors::arch().dispatch(TransformInputs {
                    planes: chunks[chunk],
                    height: image.height,
                    width: image.width,
                    reading: reading.skip_channels(chunk * KC),
                    group: &self.groups[place / self.num_chunks],
                    inputs,
                });
            });
    }

    /// Writes the products of the outputs of one panel to `scratch.sums`, `(POINTS, SUMS_STRIDE)`.
    fn multiply(
        &self,
        inputs: &[f32],
        weights: &[f32],
        num_outputs: usize,
        scratch: &mut PanelScratch,
    ) {
        let PanelScratch { weights: at, sums } = scratch;
        at.resize(POINTS * WEIGHTS_STRIDE, 0.0);
        sums.resize(POINTS * SUMS_STRIDE, 0.0);
        let arch = vectors::arch();
        for (chunk, weights) in weights.chunks(KC * 9 * MC).enumerate() {
            let num_inputs = weights.len() / (9 * MC);
            arch.dispatch(TransformWeights {
                weights,
                points: self.points,
                at,
            });
            for &point in self.points.needed() {
                let weights = &at[point * WEIGHTS_STRIDE..][..num_inputs * MC];
                let sums = &mut sums[point * SUMS_STRIDE..][..SUMS_STRIDE];
                for group in 0..self.groups.len() {
                    let start =
                        (group * self.num_chunks + chunk) * INPUT_PANEL + point * INPUTS_STRIDE;
                    arch.dispatch(AddProducts {
                        inputs: &inputs[start..][..num_inputs * NR],
                        weights,
                        sums: &mut sums[group * NR..],
                        num_outputs,
                        is_first: chunk == 0,
                    });
                }
            }
        }
    }
}
