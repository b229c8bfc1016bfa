//! Group normalisation of images, and SiLU after it.
//!
//! `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`, where mean and variance are those of all pixels of a
//! group of neighbouring channels; then, where a network has it, `y * sigmoid(y)`.
//!
//! **Source:** Wu and He 2018 (arXiv:1803.08494); Hendrycks and Gimpel 2016 for SiLU (arXiv:1606.08415).

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::vectorised::{LANES, exp2};
use crate::vectors;

/// The number of values whose sums are kept in single precision.
const CHUNK: usize = 4096;

/// A group normalisation of images of some channels, and SiLU if it follows.
pub struct GroupNorm {
    /// The factor of each channel.
    pub weight: Vec<f32>,
    /// The summand of each channel.
    pub bias: Vec<f32>,
    /// The number of groups, which divides that of channels.
    pub num_groups: usize,
    /// The summand that keeps variances from zero.
    pub epsilon: f32,
    /// Whether SiLU follows.
    pub silu: bool,
}

impl GroupNorm {
    /// Writes the outputs of an image; both are `(channels, height, width)`.
    ///
    /// # Panics
    ///
    /// If `image` has other channels, or `outputs` another size, or channels have not one weight and one bias each, or are
    /// no whole groups.
    pub fn write(&self, image: &[f32], outputs: &mut [f32]) {
        let num_channels = self.weight.len();
        assert!(image.len().is_multiple_of(num_channels));
        let pixels = image.len() / num_channels;
        assert_eq!(image.len(), outputs.len());
        let in_group = num_channels / self.num_groups;
        let len = (in_group * pixels).max(1);
        outputs
            .par_chunks_mut(len)
            .zip(self.groups(image))
            .for_each(|(outputs, group)| vectors::arch().dispatch(WriteGroup { group, outputs }));
    }

    /// Returns the factor and summand of each channel of an image `(channels, height, width)`.
    ///
    /// # Panics
    ///
    /// If `image` has other channels, or these have not one weight and one bias each, or are no whole groups.
    pub(super) fn channels(&self, image: &[f32]) -> Vec<Channel> {
        assert!(image.len().is_multiple_of(self.weight.len()));
        let channels = self
            .groups(image)
            .map(|group| vectors::arch().dispatch(group));
        channels.collect::<Vec<_>>().concat()
    }

    fn groups<'a>(&'a self, image: &'a [f32]) -> impl IndexedParallelIterator<Item = Group<'a>> {
        assert!(self.weight.len().is_multiple_of(self.num_groups));
        assert_eq!(self.weight.len(), self.bias.len());
        let in_group = self.weight.len() / self.num_groups;
        let pixels = image.len() / self.weight.len();
        image
            .par_chunks((in_group * pixels).max(1))
            .zip(self.weight.par_chunks(in_group))
            .zip(self.bias.par_chunks(in_group))
            .map(|((image, weight), bias)| Group {
                image,
                weight,
                bias,
                epsilon: self.epsilon,
                silu: self.silu,
            })
    }
}

/// The normalisation of the pixels of one channel of an image, as a factor and a summand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    factor: f32,
    summand: f32,
    silu: bool,
}

impl Channel {
    /// Writes the normalised pixels.
    #[inline(always)]
    pub(super) fn write(self, pixels: &[f32], outputs: &mut [f32]) {
        let Self {
            factor, summand, ..
        } = self;
        if self.silu {
            for (output, x) in outputs.iter_mut().zip(pixels) {
                *output = silu(x.mul_add(factor, summand));
            }
        } else {
            for (output, x) in outputs.iter_mut().zip(pixels) {
                *output = x.mul_add(factor, summand);
            }
        }
    }
}

/// One group of channels.
#[derive(Clone, Copy)]
struct Group<'a> {
    image: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
    silu: bool,
}

impl WithSimd for Group<'_> {
    type Output = Vec<Channel>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<Channel> {
        let num = self.image.len() as f64;
        // Counted from about the mean, squares are not so large that their sum hides the variance.
        let first = &self.image[..CHUNK.min(self.image.len())];
        let [sum, _] = sums_of_powers(first, 0.0);
        let from = (sum / first.len() as f64) as f32;
        let [sum, squares] = sums_of_powers(self.image, from);
        let offset = sum / num;
        let mean = f64::from(from) + offset;
        let variance = (squares / num - offset * offset).max(0.0);
        let scale = (1.0 / (variance + f64::from(self.epsilon)).sqrt()) as f32;
        let mut channels = Vec::with_capacity(self.weight.len());
        for (weight, bias) in self.weight.iter().zip(self.bias) {
            let factor = weight * scale;
            channels.push(Channel {
                factor,
                summand: bias - mean as f32 * factor,
                silu: self.silu,
            });
        }
        channels
    }
}

/// One group of channels, and its outputs.
struct WriteGroup<'a> {
    group: Group<'a>,
    outputs: &'a mut [f32],
}

impl WithSimd for WriteGroup<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { group, outputs } = self;
        let pixels = group.image.len() / group.weight.len();
        let images = group.image.chunks_exact(pixels);
        let outputs = outputs.chunks_exact_mut(pixels);
        for ((channel, image), outputs) in
            group.with_simd(simd).into_iter().zip(images).zip(outputs)
        {
            channel.write(image, outputs);
        }
    }
}

/// Returns the sums of `value - from` and of its squares.
#[inline(always)]
fn sums_of_powers(values: &[f32], from: f32) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for chunk in values.chunks(CHUNK) {
        let (mut lanes, mut squares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let (parts, rest) = chunk.as_chunks::<LANES>();
        for part in parts {
            for i in 0..LANES {
                let value = part[i] - from;
                lanes[i] += value;
                squares[i] = value.mul_add(value, squares[i]);
            }
        }
        for i in 0..LANES {
            sums[0] += f64::from(lanes[i]);
            sums[1] += f64::from(squares[i]);
        }
        for value in rest {
            let value = f64::from(value - from);
            sums[0] += value;
            sums[1] += value * value;
        }
    }
    sums
}

/// Returns `x / (1 + exp(-x))`.
#[inline(always)]
fn silu(x: f32) -> f32 {
    let exponent = x * -std::f32::consts::LOG2_E;
    x / (1.0 + exp2(if exponent < 126.0 { exponent } else { 126.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::standard_normal;
    use crate::vectors::Vectors;

    /// Computes it as it is defined, in double precision.
    fn defined(norm: &GroupNorm, image: &[f32]) -> Vec<f64> {
        let num_channels = norm.weight.len();
        let pixels = image.len() / num_channels;
        let in_group = num_channels / norm.num_groups;
        let mut defined = Vec::new();
        for (number, group) in image.chunks(in_group * pixels).enumerate() {
            let num = group.len() as f64;
            let mean = group.iter().map(|x| f64::from(*x)).sum::<f64>() / num;
            let squares = group.iter().map(|x| (f64::from(*x) - mean).powi(2));
            let spread = (squares.sum::<f64>() / num + f64::from(norm.epsilon)).sqrt();
            for (place, x) in group.iter().enumerate() {
                let channel = number * in_group + place / pixels;
                let y = (f64::from(*x) - mean) / spread * f64::from(norm.weight[channel])
                    + f64::from(norm.bias[channel]);
                defined.push(if norm.silu { y / (1.0 + (-y).exp()) } else { y });
            }
        }
        defined
    }

    #[test]
    fn outputs_are_what_defines_them_even_far_from_zero() {
        let draw = |name: &str, num: usize| {
            let draws = standard_normal(1, name, 0, (1, 1, num));
            draws.into_raw_vec_and_offset().0
        };
        for (silu, pixels, offset) in [(false, 1, 0.0), (true, 77, 1.0), (true, 5000, 100.0)] {
            let norm = GroupNorm {
                weight: draw("weight", 24),
                bias: draw("bias", 24),
                num_groups: 4,
                epsilon: 1e-5,
                silu,
            };
            let image = draw("image", 24 * pixels);
            let image: Vec<f32> = image.into_iter().map(|x| 4.0 * x + offset).collect();
            let mut outputs = vec![f32::NAN; image.len()];
            norm.write(&image, &mut outputs);
            for (output, defined) in outputs.iter().zip(defined(&norm, &image)) {
                let error = (f64::from(*output) - defined).abs();
                // Single precision cannot tell values apart more finely so far from zero.
                let bound = 2e-6 + 1e-6 * f64::from(offset);
                assert!(error < bound, "{offset}: {output}, not {defined}");
            }
        }
    }

    #[test]
    fn the_width_of_the_vectors_does_not_change_a_byte() {
        // No multiple of any width nor of the lanes that sums are kept in.
        let (channels, pixels) = (3, 4321);
        let draw = |name: &str, num: usize| {
            let draws = standard_normal(1, name, 0, (1, 1, num));
            draws.into_raw_vec_and_offset().0
        };
        let (image, weight, bias) = (
            draw("image", channels * pixels),
            draw("weight", channels),
            draw("bias", channels),
        );
        for silu in [false, true] {
            let by = |vectors: Vectors| {
                let group = Group {
                    image: &image,
                    weight: &weight,
                    bias: &bias,
                    epsilon: 1e-5,
                    silu,
                };
                let mut outputs = vec![f32::NAN; image.len()];
                vectors.arch().unwrap().dispatch(WriteGroup {
                    group,
                    outputs: &mut outputs,
                });
                outputs
            };
            let scalar = by(Vectors::Scalar);
            for vectors in Vectors::of_this_processor() {
                assert!(by(vectors) == scalar, "{}, {silu}", vectors.as_str());
            }
        }
    }

    #[test]
    #[should_panic(expected = "is_multiple_of")]
    fn channels_that_are_no_whole_groups_are_not_normalised() {
        let norm = GroupNorm {
            weight: vec![1.0; 6],
            bias: vec![0.0; 6],
            num_groups: 4,
            epsilon: 1e-5,
            silu: false,
        };
        norm.write(&[1.0; 12], &mut [0.0; 12]);
    }

    #[test]
    fn silu_is_accurate_at_both_ends() {
        for i in -2000..=2000 {
            let x = 0.05 * i as f32;
            let exact = f64::from(x) / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(silu(x)) - exact).abs();
            // The exponent is rounded, the more the larger it is, and larger ones than 126 become that.
            let beyond = f64::from(x.abs()) * 126_f64.exp2().recip();
            let bound = 2e-7 * f64::from(1.0 + x.abs()) * exact.abs() + beyond;
            assert!(error <= bound, "{x}: {error:e}");
        }
    }
}
