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
//! - `points`: the transforms in one dimension; `blocking`: the block sizes; `cut`: the parts for threads
//! - `block`: the tiles that are worked on at a time, and what is made of them
//! - `tiles`: the pixels that tiles are made of; `inputs`, `outputs`: the transforms of an image's tiles
//! - `weights`: packed weights, and their transform
//! - `product`: the products; `regions`: what of them threads can share
//!
//! **Source:** Lavin and Gray 2015, F(4x4, 3x3) (arXiv:1509.09308).
//! **Differs:** the points are 0, ±5/8, ±3/2 and infinity in place of 0, ±1, ±2 and infinity: they halve the rounding
//! errors (measured on 320 channels; Barabasz et al. 2018, arXiv:1803.10986, say why) and are exact in binary. Those of
//! upsampled images, with ±1 in place of ±3/2, have twice the errors of the former.

mod block;
pub(crate) mod blocking;
mod cut;
mod inputs;
mod outputs;
mod points;
pub(crate) mod product;
mod regions;
#[cfg(test)]
mod tests;
mod tiles;
mod weights;

use std::sync::{Mutex, PoisonError};

use faer::Accum;
use rayon::prelude::*;

use self::block::{Block, Panel};
use self::blocking::{MC, NR};
use self::cut::Cut;
use self::inputs::Reading;
use self::points::Points;
pub(crate) use self::regions::regions;
use self::tiles::Tiles;
use self::weights::Weights;
use super::group_norm::GroupNorm;
use crate::bf16::Layout;

/// Buffers for the transformed inputs of a block, each of one convolution at a time.
static INPUT_BUFFERS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

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

    /// Returns the convolution whose products are of bfloat16, in which its weights take half of the memory. Values at points
    /// are rounded, and not pixels: the transforms are of single precision.
    #[must_use]
    pub fn of_bf16(mut self) -> Self {
        self.weights = self.weights.rounded();
        self
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
        self.write_laid_out(self.weights.operands().layout(), image, accum, outputs);
    }

    /// Writes the outputs with products of one layout.
    fn write_laid_out(&self, layout: Layout, image: &Image<'_>, accum: Accum, outputs: &mut [f32]) {
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
        let cut = self.cut(tiles, rayon::current_num_threads());
        for rows in cut.times() {
            let block = Block::new(cut, rows, self, layout);
            block.transform(image, reading, &mut inputs);
            self.write_block(&block, &inputs, accum, outputs);
        }
        buffers().push(inputs);
    }

    /// Returns how the work on an image's tiles is cut for some threads.
    fn cut(&self, tiles: Tiles, num_threads: usize) -> Cut {
        Cut::of(tiles, [self.num_inputs(), self.num_outputs()], num_threads)
    }

    fn points(&self) -> Points {
        match self.before {
            Before::Nothing | Before::Normalisation(_) => Points::OfAny,
            Before::Upsampling => Points::OfUpsampled,
        }
    }

    fn write_block(&self, block: &Block, inputs: &[f32], accum: Accum, outputs: &mut [f32]) {
        let Cut {
            tiles,
            outputs: num,
            ..
        } = block.cut;
        outputs
            .par_chunks_mut(num * tiles.height * tiles.width)
            .zip(self.bias.par_chunks(num))
            .enumerate()
            .for_each(|(place, (outputs, bias))| {
                let first = place * num;
                let panel = Panel {
                    block,
                    inputs,
                    weights: self.weights.panel(first / MC),
                    first: first % MC,
                    bias,
                    accum,
                };
                let parts = block.split(outputs).into_par_iter().enumerate();
                parts.for_each(|(part, mut planes)| panel.write(part, &mut planes));
            });
    }
}
