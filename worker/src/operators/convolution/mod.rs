//! Convolutions of 3x3 pixels, at a quarter of their multiplications.
//!
//! An image is cut into tiles of 4x4 outputs, each made from a patch of 6x6 inputs. Patches and weights are turned into
//! their values at 36 points (`points`), where a convolution is a product of matrices, tiles by input channels by
//! output channels; the products are turned back into outputs. Work goes by blocks of tiles, so that patches, weights
//! and products of a block stay in the processor's caches.
//!
//! A normalisation or an upsampling before a convolution is done to patches as they are gathered. A normalisation takes
//! as long as on its own, half of it being done twice, but what is made of the image is never in memory: half a gigabyte
//! where Stable Diffusion decodes 1024x512.
//!
//! - `points`: the transforms in one dimension
//! - `tiles`: which pixels tiles are made of; `inputs`, `outputs`: the transforms of an image's tiles
//! - `weights`: how weights are kept, and their transform
//! - `product`: the products
//!
//! **Source:** Lavin and Gray 2015, F(4x4, 3x3) (arXiv:1509.09308).
//! **Differs:** the points are 0, ±5/8, ±3/2 and infinity in place of 0, ±1, ±2 and infinity: they halve the rounding
//! errors (measured on 320 channels; Barabasz et al. 2018, arXiv:1803.10986, say why) and are exact in binary.

mod inputs;
mod outputs;
mod points;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
mod weights;

use std::cell::Cell;

use faer::Accum;
use pulp::Arch;
use rayon::prelude::*;

use self::inputs::{Reading, TransformInputs};
use self::outputs::TransformOutputs;
use self::points::POINTS;
use self::product::AddProducts;
use self::tiles::{GROUP, Group, Tiles};
use self::weights::{PANEL, TransformWeights, Weights};
use super::group_norm::GroupNorm;

/// The number of input channels that are summed over at once.
const CHUNK: usize = 128;
/// The number of groups of tiles that are worked on at once.
const BLOCK: usize = 4;
/// The transformed inputs of one group and chunk: `(POINTS, CHUNK, GROUP)`.
const INPUTS: usize = POINTS * CHUNK * GROUP;
/// The transformed weights at one point, `(CHUNK, PANEL)`. The gap keeps points from falling on the same cache lines.
const WEIGHTS_AT: usize = CHUNK * PANEL + 16;
/// The products at one point, `(PANEL, BLOCK * GROUP)`, and such a gap.
const SUMS_AT: usize = PANEL * BLOCK * GROUP + 16;

thread_local! {
    /// The transformed inputs of a block, of the thread that asks for a convolution.
    static INPUTS_OF_BLOCK: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
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
        let mut inputs = INPUTS_OF_BLOCK.take();
        for first in (0..tiles.num()).step_by(BLOCK * GROUP) {
            let block = Block {
                tiles,
                groups: tiles.groups(first, BLOCK),
                num_chunks: self.num_inputs().div_ceil(CHUNK),
            };
            block.transform(image, reading, &mut inputs);
            self.write_block(&block, &inputs, accum, outputs);
        }
        INPUTS_OF_BLOCK.set(inputs);
    }

    fn write_block(&self, block: &Block, inputs: &[f32], accum: Accum, outputs: &mut [f32]) {
        outputs
            .par_chunks_mut(PANEL * block.tiles.height * block.tiles.width)
            .zip(self.weights.panels())
            .zip(self.bias.par_chunks(PANEL))
            .for_each(|((outputs, weights), bias)| {
                let mut scratch = PANEL_SCRATCH.take();
                block.multiply(inputs, weights, &mut scratch);
                for (g, group) in block.groups.iter().enumerate() {
                    Arch::new().dispatch(TransformOutputs {
                        sums: &scratch.sums[g * GROUP..],
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
                Arch::new().dispatch(TransformInputs {
                    planes: chunks[chunk],
                    height: image.height,
                    width: image.width,
                    reading: reading.skip_channels(chunk * CHUNK),
                    group: &self.groups[place / self.num_chunks],
                    inputs,
                });
            });
    }

    /// Writes the products of one panel of output channels to `scratch.sums`, `(POINTS, SUMS_AT)`.
    fn multiply(&self, inputs: &[f32], weights: &[f32], scratch: &mut PanelScratch) {
        let PanelScratch { weights: at, sums } = scratch;
        at.resize(POINTS * WEIGHTS_AT, 0.0);
        sums.resize(POINTS * SUMS_AT, 0.0);
        let arch = Arch::new();
        for (chunk, weights) in weights.chunks(CHUNK * 9 * PANEL).enumerate() {
            let num_inputs = weights.len() / (9 * PANEL);
            arch.dispatch(TransformWeights { weights, at });
            for point in 0..POINTS {
                let weights = &at[point * WEIGHTS_AT..][..num_inputs * PANEL];
                let sums = &mut sums[point * SUMS_AT..][..SUMS_AT];
                for group in 0..self.groups.len() {
                    let start = (group * self.num_chunks + chunk) * INPUTS + point * CHUNK * GROUP;
                    arch.dispatch(AddProducts {
                        inputs: &inputs[start..][..num_inputs * GROUP],
                        weights,
                        sums: &mut sums[group * GROUP..],
                        is_first: chunk == 0,
                    });
                }
            }
        }
    }
}
