//! Convolutions of single pixels.
//!
//! `y = W x + bias` at every pixel: a product of matrices, weights by an image as it lies in memory. Neither the image nor
//! its outputs are reordered.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// MC: the most pixels of one product, whose inputs fit in L2.
const MC: usize = 512;

/// A convolution of single pixels.
pub struct Pointwise {
    /// `(outputs, inputs)`
    weights: Vec<f32>,
    bias: Vec<f32>,
    num_inputs: usize,
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
    /// The number of threads does not change a byte. The width of the CPU's vectors may: faer chooses them.
    ///
    /// # Panics
    ///
    /// If `image` or `outputs` has another size.
    pub fn write(&self, image: &[f32], accum: Accum, outputs: &mut [f32]) {
        let (num_inputs, num_outputs) = (self.num_inputs(), self.num_outputs());
        let pixels = image.len() / num_inputs;
        assert_eq!(image.len(), num_inputs * pixels);
        assert_eq!(outputs.len(), num_outputs * pixels);
        // Channels are columns here, which are what lies together in memory.
        let weights = MatRef::from_column_major_slice(&self.weights, num_inputs, num_outputs);
        let image = MatRef::from_column_major_slice(image, pixels, num_inputs);
        let outputs = MatMut::from_column_major_slice_mut(outputs, pixels, num_outputs);
        let part = (pixels / 8).clamp(MC / 8, MC);
        outputs
            .par_row_chunks_mut(part)
            .zip(image.par_row_chunks(part))
            .for_each(|(mut outputs, image)| {
                for (mut output, bias) in outputs.as_mut().col_iter_mut().zip(&self.bias) {
                    match accum {
                        Accum::Replace => output.fill(*bias),
                        Accum::Add => output.iter_mut().for_each(|pixel| *pixel += bias),
                    }
                }
                matmul(outputs, Accum::Add, image, weights, 1.0, Par::Seq);
            });
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
        let (inputs, outputs, pixels) = (300, 130, 5000);
        let image = draw("image", inputs * pixels);
        let layer = Pointwise::new(draw("w", inputs * outputs), draw("b", outputs), inputs);
        let by = |num_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
            let mut written = vec![0.0; outputs * pixels];
            let write = || layer.write(&image, Accum::Replace, &mut written);
            pool.build().unwrap().install(write);
            written
        };
        assert!(by(1) == by(3));
    }
}
