//! Convolutions of 3x3 pixels, at a quarter of their multiplications.
//!
//! An image is cut into tiles of 4x4 outputs, each made from a patch of 6x6 inputs. Patches and weights are turned into
//! their values at 36 points (`points`), where a convolution is a product of matrices, tiles by input channels by
//! output channels; the products are turned back into outputs. Work goes by blocks of tiles, so that patches, weights
//! and products of a block stay in the processor's caches.
//!
//! A normalisation or an upsampling before a convolution is done to patches as they are gathered. A normalisation takes
//! as long as on its own, half of it being done twice, but what is made of the image is never in memory: half a gigabyte
//! where Stable Diffusion decodes 1024x512. An upsampling leaves 25 of the 36 points: patches that repeat their pixels are
//! zero at the others.
//!
//! - `points`: the transforms in one dimension
//! - `tiles`: which pixels tiles are made of; `inputs`, `outputs`: the transforms of an image's tiles
//! - `weights`: how weights are kept, and their transform
//! - `product`: the products
//!
//! **Source:** Lavin and Gray 2015, F(4x4, 3x3) (arXiv:1509.09308).
//! **Differs:** the points are 0, ±5/8, ±3/2 and infinity in place of 0, ±1, ±2 and infinity: they halve the rounding
//! errors (measured on 320 channels; Barabasz et al. 2018, arXiv:1803.10986, say why) and are exact in binary. Those of
//! upsampled images, with ±1 in place of ±3/2, have twice the errors of the former.

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

use self::inputs::{Reading, TransformInputs};
use self::outputs::TransformOutputs;
use self::points::{POINTS, Points};
use self::product::AddProducts;
use self::tiles::{GROUP, Group, Tiles};
use self::weights::{PANEL, TransformWeights, Weights};
use super::group_norm::GroupNorm;
use crate::vectors;

/// The number of input channels that are summed over at once.
const CHUNK: usize = 128;
/// The most groups of tiles that are worked on at once.
const BLOCK: usize = 4;
/// The most transformed inputs of a group and chunk that are needed at once: all are read for each panel of outputs, so
/// they are to stay in the third cache, where these take 12 MB.
const MAX_CHUNKS: usize = 20;
/// What keeps points from falling on the same cache lines.
const GAP: usize = 16;
/// The transformed inputs of one group and chunk at one point, `(CHUNK, GROUP)`, and a gap.
const INPUTS_AT: usize = CHUNK * GROUP + GAP;
/// The transformed weights at one point, `(CHUNK, PANEL)`, and a gap.
const WEIGHTS_AT: usize = CHUNK * PANEL + GAP;
/// The products at one point, `(PANEL, BLOCK * GROUP)`, and a gap.
const SUMS_AT: usize = PANEL * BLOCK * GROUP + GAP;
/// The transformed inputs of one group and chunk at all points.
const INPUTS: usize = POINTS * INPUTS_AT;

/// Room for the transformed inputs of a block, of each convolution at a time.
static ROOMS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

thread_local! {
    /// Transformed weights and products of a panel, of a thread that works on one.
    static PANEL_SCRATCH: Cell<PanelScratch> = Cell::default();
}

/// Room for one panel of output channels.
#[derive(Default)]
struct PanelScratch {
    weights: Vec<f32>,
    sums: Vec<f32>,
}

/// An image `(channels, height, width)`.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Its numbers.
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

/// What is done to images before they are convolved. Pixels beyond the edge are zero all the same.
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
        Tiles { height, width }.num() >= GROUP / 2
    }

    /// Writes the outputs `(outputs, height, width)` of an image `(inputs, height, width)`, or adds them to what is there;
    /// their height and width are those that [`length_of_outputs`](Self::length_of_outputs) returns.
    ///
    /// The bytes depend neither on the number of threads nor on the width of the processor's vectors.
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
        let rooms = || ROOMS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inputs = rooms().pop().unwrap_or_default();
        let num_chunks = self.num_inputs().div_ceil(CHUNK).max(1);
        let num_groups = (MAX_CHUNKS / num_chunks).clamp(1, BLOCK);
        for first in (0..tiles.num()).step_by(num_groups * GROUP) {
            let block = Block {
                tiles,
                groups: tiles.groups(first, num_groups),
                points: self.points(),
                num_chunks,
            };
            block.transform(image, reading, &mut inputs);
            self.write_block(&block, &inputs, accum, outputs);
        }
        rooms().push(inputs);
    }

    fn points(&self) -> Points {
        match self.before {
            Before::Nothing | Before::Normalisation(_) => Points::OfAny,
            Before::Upsampling => Points::OfUpsampled,
        }
    }

    fn write_block(&self, block: &Block, inputs: &[f32], accum: Accum, outputs: &mut [f32]) {
        outputs
            .par_chunks_mut(PANEL * block.tiles.height * block.tiles.width)
            .zip(self.weights.panels())
            .zip(self.bias.par_chunks(PANEL))
            .for_each(|((outputs, weights), bias)| {
                let mut scratch = PANEL_SCRATCH.take();
                block.multiply(inputs, weights, bias.len(), &mut scratch);
                for (g, group) in block.groups.iter().enumerate() {
                    vectors::arch().dispatch(TransformOutputs {
                        sums: &scratch.sums[g * GROUP..],
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

/// Tiles that are worked on at once.
struct Block {
    tiles: Tiles,
    groups: Vec<Group>,
    points: Points,
    num_chunks: usize,
}

impl Block {
    /// Writes the transformed inputs `(groups, chunks, INPUTS)`.
    fn transform(&self, image: &Image<'_>, reading: Reading<'_>, inputs: &mut Vec<f32>) {
        let plane = image.height * image.width;
        let num = self.groups.len() * self.num_chunks;
        // It only grows: what layers with fewer channels leave unused need not be cleared for the next.
        if inputs.len() < num * INPUTS {
            inputs.resize(num * INPUTS, 0.0);
        }
        let chunks: Vec<&[f32]> = image.pixels.chunks(CHUNK * plane).collect();
        inputs
            .par_chunks_mut(INPUTS)
            .take(num)
            .enumerate()
            .for_each(|(place, inputs)| {
                let chunk = place % self.num_chunks;
                vectors::arch().dispatch(TransformInputs {
                    planes: chunks[chunk],
                    height: image.height,
                    width: image.width,
                    reading: reading.skip_channels(chunk * CHUNK),
                    group: &self.groups[place / self.num_chunks],
                    inputs,
                });
            });
    }

    /// Writes the products of the outputs of one panel to `scratch.sums`, `(POINTS, SUMS_AT)`.
    fn multiply(
        &self,
        inputs: &[f32],
        weights: &[f32],
        num_outputs: usize,
        scratch: &mut PanelScratch,
    ) {
        let PanelScratch { weights: at, sums } = scratch;
        at.resize(POINTS * WEIGHTS_AT, 0.0);
        sums.resize(POINTS * SUMS_AT, 0.0);
        let arch = vectors::arch();
        for (chunk, weights) in weights.chunks(CHUNK * 9 * PANEL).enumerate() {
            let num_inputs = weights.len() / (9 * PANEL);
            arch.dispatch(TransformWeights {
                weights,
                points: self.points,
                at,
            });
            for &point in self.points.needed() {
                let weights = &at[point * WEIGHTS_AT..][..num_inputs * PANEL];
                let sums = &mut sums[point * SUMS_AT..][..SUMS_AT];
                for group in 0..self.groups.len() {
                    let start = (group * self.num_chunks + chunk) * INPUTS + point * INPUTS_AT;
                    arch.dispatch(AddProducts {
                        inputs: &inputs[start..][..num_inputs * GROUP],
                        weights,
                        sums: &mut sums[group * GROUP..],
                        num_outputs,
                        is_first: chunk == 0,
                    });
                }
            }
        }
    }
}
