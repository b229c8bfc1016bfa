//! Convolutions of 3x3 pixels on images of few pixels, of bfloat16.
//!
//! There a convolution by tiles has too few of them for the transform of its weights to pay. Patches are laid out, and are
//! the pixels of a convolution of single ones: every weight is read once, as it is kept.

use std::iter::repeat_n;

use faer::Accum;
use rayon::prelude::*;

use crate::bf16::regions_of_pointwise;
use crate::convolution::Image;
use crate::pointwise::Pointwise;
use crate::regions::{Region, Work, of_parts};

/// Pixels of a patch.
const PATCH: usize = 9;

/// A convolution of 3x3 pixels at stride 1 whose outputs are as large as its inputs: pixels beyond the edge are zero. Its
/// products are of bfloat16.
pub struct SmallConvolution {
    of_patches: Pointwise,
    num_inputs: usize,
}

impl SmallConvolution {
    /// Returns the convolution by `weights` `(outputs, inputs, 3, 3)`, to whose outputs `bias` `(outputs)` is added.
    ///
    /// # Panics
    ///
    /// If there are not 9 weights for each pair of an output and an input, or there is no input.
    #[must_use]
    pub fn of_bf16(weights: &[f32], bias: Vec<f32>, num_inputs: usize) -> Self {
        Self {
            of_patches: Pointwise::of_bf16(weights, bias, PATCH * num_inputs),
            num_inputs,
        }
    }

    /// Returns the number of input channels.
    #[must_use]
    pub fn num_inputs(&self) -> usize {
        self.num_inputs
    }

    /// Returns the number of output channels.
    #[must_use]
    pub fn num_outputs(&self) -> usize {
        self.of_patches.num_outputs()
    }

    /// Writes the outputs `(outputs, height, width)` of an image `(inputs, height, width)`, or adds them to what is there.
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
        let plane = height * width;
        assert_eq!(pixels.len(), self.num_inputs * plane);
        let mut patches = vec![0.0; PATCH * pixels.len()];
        patches
            .par_chunks_mut((PATCH * plane).max(1))
            .zip(pixels.par_chunks(plane.max(1)))
            .for_each(|(patches, pixels)| {
                for (place, shifted) in patches.chunks_exact_mut(plane).enumerate() {
                    shift(pixels, width, [place / 3, place % 3], shifted);
                }
            });
        self.of_patches.write(&patches, accum, outputs);
    }
}

/// Returns the regions of a convolution: patches are laid out, and then multiplied.
pub(crate) fn regions(
    [height, width]: [usize; 2],
    [num_inputs, num_outputs]: [usize; 2],
    num_threads: usize,
) -> Vec<Region> {
    let pixels = height * width;
    let patches = Work {
        operations: (PATCH * pixels) as f64,
        bytes: (2 * PATCH * size_of::<f32>() * pixels) as f64,
    };
    let patches = of_parts(repeat_n(patches, num_inputs));
    let channels = [PATCH * num_inputs, num_outputs];
    let products = regions_of_pointwise(pixels, channels, num_threads);
    [patches].into_iter().chain(products).collect()
}

/// Writes the pixel of each patch at one place of it, `[0, 0]` to `[2, 2]`; those beyond the edge are left.
fn shift(pixels: &[f32], width: usize, [row, column]: [usize; 2], shifted: &mut [f32]) {
    let rows = shifted.chunks_exact_mut(width).enumerate();
    for (y, shifted) in rows {
        let Some(y) = (y + row).checked_sub(1) else {
            continue;
        };
        let Some(pixels) = pixels.get(y * width..(y + 1) * width) else {
            continue;
        };
        match column {
            0 => shifted[1..].copy_from_slice(&pixels[..width - 1]),
            1 => shifted.copy_from_slice(pixels),
            _ => shifted[..width - 1].copy_from_slice(&pixels[1..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::rounded;
    use crate::random::standard_normal;

    fn draw(name: &str, num: usize) -> Vec<f32> {
        let draws = standard_normal(1, name, 0, (1, 1, num));
        let (draws, _) = draws.into_raw_vec_and_offset();
        // So that what is defined by rounded numbers has nothing to round.
        draws.into_iter().map(rounded).collect()
    }

    #[test]
    fn outputs_are_the_sums_that_define_a_convolution_of_rounded_numbers() {
        for [inputs, outputs, height, width] in [[1, 1, 1, 1], [3, 33, 4, 8], [40, 7, 5, 3]] {
            let (pixels, weights) = (
                draw("image", inputs * height * width),
                draw("weights", outputs * inputs * 9),
            );
            let (bias, there) = (
                draw("bias", outputs),
                draw("there", outputs * height * width),
            );
            let layer = SmallConvolution::of_bf16(&weights, bias.clone(), inputs);
            assert_eq!([layer.num_inputs(), layer.num_outputs()], [inputs, outputs]);
            let image = Image {
                pixels: &pixels,
                height,
                width,
            };
            let mut found = there.clone();
            layer.write(&image, Accum::Add, &mut found);
            let pixel = |input: usize, y: usize, x: usize| -> f64 {
                let is_there = (1..=height).contains(&y) && (1..=width).contains(&x);
                let place = || (input * height + y - 1) * width + x - 1;
                if is_there {
                    f64::from(pixels[place()])
                } else {
                    0.0
                }
            };
            for (place, found) in found.iter().enumerate() {
                let (output, y, x) = (
                    place / (height * width),
                    place / width % height,
                    place % width,
                );
                let mut sum = f64::from(bias[output]) + f64::from(there[place]);
                for input in 0..inputs {
                    for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                        let weight = weights[((output * inputs + input) * 3 + i) * 3 + j];
                        sum += f64::from(weight) * pixel(input, y + i, x + j);
                    }
                }
                let error = (f64::from(*found) - sum).abs();
                assert!(
                    error < 2e-5,
                    "{inputs}, {outputs}, {place}: {found}, not {sum}"
                );
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_byte() {
        let (weights, pixels) = (draw("weights", 70 * 20 * 9), draw("image", 20 * 32));
        let layer = SmallConvolution::of_bf16(&weights, draw("bias", 70), 20);
        let by = |num_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
            let image = Image {
                pixels: &pixels,
                height: 4,
                width: 8,
            };
            let mut written = vec![0.0; 70 * 32];
            let write = || layer.write(&image, Accum::Replace, &mut written);
            pool.build().unwrap().install(write);
            written
        };
        let one = by(1);
        for num_threads in [3, 7, 16, 64] {
            assert!(by(num_threads) == one, "{num_threads}");
        }
    }
}
