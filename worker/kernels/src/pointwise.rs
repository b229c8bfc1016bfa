//! Convolutions of single pixels.
//!
//! `y = W x + bias` at every pixel: a product of matrices, weights by an image as it lies in memory. Neither the image nor
//! its outputs are reordered.
//!
//! Of bfloat16, pixels have to be rounded, so that they are packed by the way, and the product is that of a convolution's
//! points.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::bf16::Operands;

/// MR: pixels whose sums faer keeps in registers with AVX-512; with narrower vectors it is a part of that.
const MR: usize = 96;
/// NR: outputs of one product are multiples of these.
const NR: usize = 4;
/// MC: the most pixels of one product, whose inputs fit in L2.
const MC: usize = 5 * MR;
/// An image is cut into about as many products, if it has pixels enough.
const PARTS: usize = 64;

/// A convolution of single pixels.
pub struct Pointwise {
    /// `(outputs, inputs)`; of bfloat16 `(panels, pairs of inputs, PANEL)`.
    pub(crate) weights: Vec<f32>,
    pub(crate) operands: Operands,
    pub(crate) bias: Vec<f32>,
    pub(crate) num_inputs: usize,
}

impl Pointwise {
    /// Returns the convolution by `weights` `(outputs, inputs)`, to whose outputs `bias` `(outputs)` is added.
    ///
    /// # Panics
    ///
    /// If there is not one weight for each pair of an output and an input, or no input.
    #[must_use]
    pub fn new(weights: Vec<f32>, bias: Vec<f32>, num_inputs: usize) -> Self {
        assert!(num_inputs > 0);
        assert_eq!(weights.len(), bias.len() * num_inputs);
        Self {
            weights,
            operands: Operands::Single,
            bias,
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
        self.bias.len()
    }

    /// Writes the outputs `(outputs, pixels)` of an image `(inputs, pixels)`, or adds them to what is there.
    ///
    /// The number of threads does not change a byte. The width of the CPU's vectors may, where faer chooses them: not of
    /// bfloat16.
    ///
    /// # Panics
    ///
    /// If `image` or `outputs` has another size.
    pub fn write(&self, image: &[f32], accum: Accum, outputs: &mut [f32]) {
        let (num_inputs, num_outputs) = (self.num_inputs(), self.num_outputs());
        let pixels = image.len() / num_inputs;
        assert_eq!(image.len(), num_inputs * pixels);
        assert_eq!(outputs.len(), num_outputs * pixels);
        match self.operands {
            Operands::Single => self.write_single(image, pixels, accum, outputs),
            Operands::Bf16 => {
                self.write_rounded(self.operands.layout(), image, (pixels, accum), outputs);
            }
        }
    }

    fn write_single(&self, image: &[f32], pixels: usize, accum: Accum, outputs: &mut [f32]) {
        let (num_inputs, num_outputs) = (self.num_inputs(), self.num_outputs());
        // Channels are columns here, which are what lies together in memory.
        let weights = MatRef::from_column_major_slice(&self.weights, num_inputs, num_outputs);
        let image = MatRef::from_column_major_slice(image, pixels, num_inputs);
        let outputs = MatMut::from_column_major_slice_mut(outputs, pixels, num_outputs);
        let [part, width] = Self::part(pixels, num_outputs);
        outputs
            .par_row_chunks_mut(part)
            .zip(image.par_row_chunks(part))
            .for_each(|(outputs, image)| {
                outputs
                    .par_col_chunks_mut(width)
                    .zip(weights.par_col_chunks(width))
                    .zip(self.bias.par_chunks(width))
                    .for_each(|((mut outputs, weights), bias)| {
                        for (mut output, bias) in outputs.as_mut().col_iter_mut().zip(bias) {
                            match accum {
                                Accum::Replace => output.fill(*bias),
                                Accum::Add => output.iter_mut().for_each(|pixel| *pixel += bias),
                            }
                        }
                        matmul(outputs, Accum::Add, image, weights, 1.0, Par::Seq);
                    });
            });
    }

    /// Returns the pixels and the outputs of one product. They are the same for any number of threads: faer may sum in
    /// another order where there are more.
    pub(crate) fn part(pixels: usize, num_outputs: usize) -> [usize; 2] {
        let rows = (pixels / PARTS).next_multiple_of(MR).clamp(MR, MC);
        let across = PARTS.div_ceil(pixels.div_ceil(rows).max(1));
        let columns = num_outputs.div_ceil(across).next_multiple_of(NR);
        [rows, columns.max(NR)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::standard_normal;

    fn draw(name: &str, num: usize) -> Vec<f32> {
        let draws = standard_normal(1, name, 0, (1, 1, num));
        draws.into_raw_vec_and_offset().0
    }

    #[test]
    fn outputs_are_the_sums_that_define_a_convolution() {
        for (inputs, outputs, pixels) in [(1, 1, 1), (5, 3, 77), (70, 33, 4200)] {
            let (image, weights) = (draw("i", inputs * pixels), draw("w", inputs * outputs));
            let (bias, there) = (draw("bias", outputs), draw("there", outputs * pixels));
            let layer = Pointwise::new(weights.clone(), bias.clone(), inputs);
            let mut written = vec![f32::NAN; outputs * pixels];
            layer.write(&image, Accum::Replace, &mut written);
            let mut added = there.clone();
            layer.write(&image, Accum::Add, &mut added);
            for (found, there) in [(written, vec![0.0; outputs * pixels]), (added, there)] {
                for (place, found) in found.iter().enumerate() {
                    let (output, pixel) = (place / pixels, place % pixels);
                    let product = |k: usize| {
                        f64::from(weights[output * inputs + k])
                            * f64::from(image[k * pixels + pixel])
                    };
                    let sum: f64 = (0..inputs).map(product).sum();
                    let defined = sum + f64::from(bias[output]) + f64::from(there[place]);
                    let error = (f64::from(*found) - defined).abs();
                    assert!(error < 2e-5, "{place}: {found}, not {defined}");
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_byte() {
        let (inputs, outputs) = (300, 130);
        let (weights, bias) = (draw("w", inputs * outputs), draw("b", outputs));
        let layers = [
            Pointwise::new(weights.clone(), bias.clone(), inputs),
            Pointwise::of_bf16(&weights, bias, inputs),
        ];
        for (layer, pixels) in layers
            .iter()
            .flat_map(|layer| [(layer, 100), (layer, 5000)])
        {
            let image = draw("image", inputs * pixels);
            let by = |num_threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
                let mut written = vec![0.0; outputs * pixels];
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
}
