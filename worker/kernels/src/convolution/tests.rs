//! Convolutions beside a slow one in double precision.

use pulp::{Scalar, Simd, WithSimd};

use super::blocking::{INPUT_PANEL, INPUTS_STRIDE, SUMS_STRIDE, WEIGHTS_STRIDE};
use super::inputs::TransformInputs;
use super::outputs::TransformOutputs;
use super::points::POINTS;
use super::product::AddProducts;
use super::weights::TransformWeights;
use super::*;
use crate::bf16::{Operands, dot_products};
use crate::random::standard_normal;

/// Inputs, outputs, height, width.
type Shape = [usize; 4];

struct Case {
    shape: Shape,
    image: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Case {
    fn random(shape: Shape) -> Self {
        let [inputs, outputs, height, width] = shape;
        let draw = |name: &str, num: usize| {
            let draws = standard_normal(1, name, 0, (1, 1, num));
            draws.into_raw_vec_and_offset().0
        };
        let scale = 1.0 / (9.0 * inputs as f32).sqrt();
        let weights = draw("weights", outputs * inputs * 9);
        Self {
            shape,
            image: draw("image", inputs * height * width),
            weights: weights.into_iter().map(|weight| scale * weight).collect(),
            bias: draw("bias", outputs),
        }
    }

    fn written(&self) -> Vec<f32> {
        let [inputs, outputs, height, width] = self.shape;
        let mut written = vec![f32::NAN; outputs * height * width];
        let convolution = Convolution::new(&self.weights, self.bias.clone(), inputs);
        let image = Image {
            pixels: &self.image,
            height,
            width,
        };
        convolution.write(&image, Accum::Replace, &mut written);
        // What is there makes no difference but itself.
        let mut added = vec![0.5; written.len()];
        convolution.write(&image, Accum::Add, &mut added);
        let sums = written.iter().map(|written| written + 0.5);
        assert!(sums.eq(added));
        written
    }

    /// Computes the sums as they are defined, in double precision.
    fn defined(&self) -> Vec<f64> {
        let [inputs, outputs, height, width] = self.shape;
        let pixel = |input: usize, y: usize, x: usize| -> f64 {
            let is_there = (1..=height).contains(&y) && (1..=width).contains(&x);
            let place = || (input * height + y - 1) * width + x - 1;
            if is_there {
                f64::from(self.image[place()])
            } else {
                0.0
            }
        };
        let mut defined = Vec::new();
        for output in 0..outputs {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let mut sum = f64::from(self.bias[output]);
                for input in 0..inputs {
                    for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                        let weight = self.weights[((output * inputs + input) * 3 + i) * 3 + j];
                        sum += f64::from(weight) * pixel(input, y + i, x + j);
                    }
                }
                defined.push(sum);
            }
        }
        defined
    }
}

#[test]
fn outputs_are_the_sums_that_define_a_convolution() {
    for shape in [
        [1, 1, 1, 1],
        [5, 7, 9, 14],
        [3, 33, 33, 37],
        [16, 40, 8, 64],
        [150, 36, 4, 8],
        [300, 33, 12, 16],
        [2, 3, 2, 300],
        [2, 3, 300, 2],
    ] {
        let case = Case::random(shape);
        assert_close(&case.written(), &case, 2e-5);
    }
}

fn assert_close(written: &[f32], case: &Case, bound: f64) {
    for (place, (written, defined)) in written.iter().zip(case.defined()).enumerate() {
        let error = (f64::from(*written) - defined).abs();
        assert!(
            error < bound,
            "{:?}, output {place}: {written}, not {defined}",
            case.shape
        );
    }
}

#[test]
fn a_normalisation_before_it_makes_the_bytes_that_it_makes_on_its_own() {
    for (shape, num_groups, silu) in [
        ([150, 36, 13, 70], 5, true),
        ([6, 3, 1, 1], 2, false),
        ([20, 40, 9, 300], 4, true),
    ] {
        let case = Case::random(shape);
        let [inputs, outputs, height, width] = shape;
        let norm = || GroupNorm {
            weight: case.weights[..inputs].to_vec(),
            bias: (0..inputs).map(|i| 0.1 + i as f32).collect(),
            num_groups,
            epsilon: 1e-5,
            silu,
        };
        let convolution = || Convolution::new(&case.weights, case.bias.clone(), inputs);
        let written = |convolution: Convolution, pixels: &[f32]| {
            let image = Image {
                pixels,
                height,
                width,
            };
            let mut written = vec![f32::NAN; outputs * height * width];
            convolution.write(&image, Accum::Replace, &mut written);
            written
        };
        let mut normalised = vec![f32::NAN; case.image.len()];
        norm().write(&case.image, &mut normalised);
        let both = written(convolution().after_normalisation(norm()), &case.image);
        assert!(both == written(convolution(), &normalised), "{shape:?}");
    }
}

#[test]
fn an_upsampling_before_it_makes_the_sums_of_an_image_that_was_upsampled() {
    for shape in [
        [1, 1, 1, 1],
        [150, 36, 5, 34],
        [6, 3, 3, 2],
        [20, 40, 9, 150],
    ] {
        let case = Case::random(shape);
        let [inputs, outputs, height, width] = shape;
        let mut upsampled = vec![0.0; 4 * case.image.len()];
        for (place, pixel) in upsampled.iter_mut().enumerate() {
            let (row, column) = (place / (2 * width), place % (2 * width));
            *pixel = case.image[row / 2 * width + column / 2];
        }
        let convolution = Convolution::new(&case.weights, case.bias.clone(), inputs);
        let convolution = convolution.after_upsampling();
        let image = Image {
            pixels: &case.image,
            height,
            width,
        };
        let mut written = vec![f32::NAN; outputs * 4 * height * width];
        convolution.write(&image, Accum::Replace, &mut written);
        let case = Case {
            shape: [inputs, outputs, 2 * height, 2 * width],
            image: upsampled,
            ..case
        };
        // The points of upsampled images cost a few more roundings.
        assert_close(&written, &case, 4e-5);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    for shape in [[70, 70, 20, 60], [130, 40, 16, 300], [260, 33, 42, 64]] {
        let case = Case::random(shape);
        for layout in [Layout::Single, Layout::Rounded, Layout::Pairs] {
            if layout == Layout::Pairs && !dot_products::are_here() {
                continue;
            }
            let written = || match layout {
                Layout::Single => case.written(),
                Layout::Rounded | Layout::Pairs => bf16_of(&case, layout),
            };
            let by = |num_threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
                pool.build().unwrap().install(written)
            };
            let one = by(1);
            for num_threads in [3, 7, 16, 64] {
                assert!(
                    by(num_threads) == one,
                    "{shape:?}, {layout:?}, {num_threads}"
                );
            }
        }
    }
}

/// One block, with one instruction set.
struct ByInstructions<'a>(&'a Case);

impl ByInstructions<'_> {
    fn written<S: Simd>(&self, simd: S) -> Vec<f32> {
        fn by<S: Simd>(simd: S, op: impl WithSimd<Output = ()>) {
            simd.vectorize(op);
        }
        let [_, _, height, width] = self.0.shape;
        let tiles = Tiles { height, width };
        let groups = tiles.groups(0..tiles.num());
        let [group] = groups.as_slice() else {
            panic!("one group of tiles is enough");
        };
        let mut inputs = vec![0.0; INPUT_PANEL];
        by(
            simd,
            TransformInputs {
                planes: &self.0.image,
                height,
                width,
                reading: Reading::Plain,
                group,
                inputs: &mut inputs,
            },
        );
        let num_inputs = self.0.shape[0];
        let weights = Weights::pack(&self.0.weights, self.0.shape[1], num_inputs);
        let panel = weights.panel(0);
        let mut room = Vec::new();
        let weights = panel.inputs(0..num_inputs, &mut room);
        let mut at = vec![0.0; POINTS * WEIGHTS_STRIDE];
        by(
            simd,
            TransformWeights {
                weights,
                points: Points::OfAny,
                at: &mut at,
            },
        );
        let mut sums = vec![0.0; POINTS * SUMS_STRIDE];
        for point in 0..POINTS {
            by(
                simd,
                AddProducts {
                    inputs: &inputs[point * INPUTS_STRIDE..][..self.0.shape[0] * NR],
                    weights: &at[point * WEIGHTS_STRIDE..][..self.0.shape[0] * MC],
                    sums: &mut sums[point * SUMS_STRIDE..][..SUMS_STRIDE],
                    num_outputs: self.0.shape[1],
                    is_first: true,
                },
            );
        }
        let mut outputs = vec![0.0; self.0.shape[1] * height * width];
        let mut planes: Vec<_> = outputs.chunks_exact_mut(height * width).collect();
        by(
            simd,
            TransformOutputs {
                sums: &sums,
                points: Points::OfAny,
                tiles,
                group,
                bias: &self.0.bias,
                accum: Accum::Replace,
                planes: &mut planes,
                top: 0,
            },
        );
        outputs
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_width_of_the_vectors_does_not_change_a_byte() {
    let case = Case::random([70, 32, 14, 30]);
    let by = ByInstructions(&case);
    let scalar = by.written(Scalar);
    assert!(case.written() == scalar, "this CPU's");
    if let Some(simd) = pulp::x86::V3::try_new() {
        assert!(by.written(simd) == scalar, "AVX2");
    }
    if let Some(simd) = pulp::x86::V4::try_new() {
        assert!(by.written(simd) == scalar, "AVX-512");
    }
}

fn bf16_of(case: &Case, layout: Layout) -> Vec<f32> {
    let [inputs, outputs, height, width] = case.shape;
    let mut written = vec![f32::NAN; outputs * height * width];
    let convolution = Convolution::new(&case.weights, case.bias.clone(), inputs).of_bf16();
    let image = Image {
        pixels: &case.image,
        height,
        width,
    };
    convolution.write_laid_out(layout, &image, Accum::Replace, &mut written);
    written
}

#[test]
fn pairs_make_the_bytes_of_numbers_that_are_rounded_one_by_one() {
    // An odd number of channels; more than are summed at a time.
    for shape in [[5, 7, 9, 14], [150, 36, 4, 8], [301, 33, 12, 16]] {
        let case = Case::random(shape);
        let rounded = bf16_of(&case, Layout::Rounded);
        let [inputs, outputs, height, width] = shape;
        let convolution = Convolution::new(&case.weights, case.bias.clone(), inputs).of_bf16();
        let image = Image {
            pixels: &case.image,
            height,
            width,
        };
        let mut here = vec![f32::NAN; outputs * height * width];
        convolution.write(&image, Accum::Replace, &mut here);
        assert!(here == rounded, "{shape:?}, this CPU's");
        if dot_products::are_here() {
            assert!(bf16_of(&case, Layout::Pairs) == rounded, "{shape:?}");
        }
    }
}

#[test]
fn rounded_values_at_points_cost_a_hundredth_of_an_image() {
    let case = Case::random([320, 32, 16, 16]);
    let (mut of_errors, mut of_all) = (0.0, 0.0);
    let written = bf16_of(&case, Operands::Bf16.layout());
    for (place, (written, defined)) in written.iter().zip(case.defined()).enumerate() {
        let bias = f64::from(case.bias[place / 256]);
        of_errors += (f64::from(*written) - defined).powi(2);
        of_all += (defined - bias).powi(2);
    }
    let error = (of_errors / of_all).sqrt();
    // Of pixels and weights that are rounded themselves, and convolved as is defined, it is 0.0023.
    assert!(error < 0.012, "{error:e}");
}
