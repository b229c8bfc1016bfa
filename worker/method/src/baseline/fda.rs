//! Fourier domain adaptation: the amplitudes of the content's low frequencies become the style's, and phases stay.
//!
//! Low are the frequencies up to `floor(beta * min(height, width))` in both directions, the mean included. The rest of the
//! spectrum stays as it is, so that the difference alone is transformed back: of rows and of the few columns that it has.
//!
//! **Source:** Yang and Soatto 2020, FDA (arXiv:2004.05498), eqs. 1 to 3, with the window of the released code, which is a
//! square.
//! **Differs:** amplitudes are those of a pixel, so that images may differ in size; levels are rounded.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlannerScalar};

use super::level;

/// Amplitudes of low frequencies, of each channel.
#[derive(Debug, Clone)]
pub(super) struct Amplitudes {
    reach: usize,
    /// `(reach + 1, 2 * reach + 1)` of horizontal and vertical frequencies: the others are those of the opposite one.
    channels: Vec<Array2<f64>>,
}

impl Amplitudes {
    /// Returns those of an image.
    pub(super) fn of(image: ArrayView3<u8>, beta: f64) -> Self {
        let (height, width, _) = image.dim();
        let side = height.min(width);
        let reach = ((side as f64 * beta) as usize).min(side / 2);
        let transform = Transform::new((height, width), reach);
        let of_pixel = 1.0 / (height * width) as f64;
        let channels = image.axis_iter(Axis(2));
        Self {
            reach,
            channels: channels
                .map(|channel| transform.low(channel).mapv(|value| value.norm() * of_pixel))
                .collect(),
        }
    }

    /// Returns a content with these.
    pub(super) fn lent_to(&self, content: ArrayView3<u8>) -> Array3<u8> {
        let (height, width, _) = content.dim();
        let reach = self.reach.min(height.min(width) / 2);
        let transform = Transform::new((height, width), reach);
        let num_pixels = (height * width) as f64;
        let mut output = Array3::zeros(content.dim());
        let channels = output
            .axis_iter_mut(Axis(2))
            .zip(content.axis_iter(Axis(2)));
        for ((mut output, content), amplitudes) in channels.zip(&self.channels) {
            let mut change = transform.low(content);
            for ((kx, ky), value) in change.indexed_iter_mut() {
                let amplitude = num_pixels * amplitudes[(kx, ky + self.reach - reach)];
                // What is nothing has the phase 0.
                let norm = value.norm();
                let phase = if norm > 0.0 {
                    *value / norm
                } else {
                    Complex::new(1.0, 0.0)
                };
                *value = phase * amplitude - *value;
            }
            let change = transform.back(&change);
            Zip::from(&mut output)
                .and(content)
                .and(&change)
                .for_each(|output, &content, &change| *output = level(f64::from(content) + change));
        }
        output
    }
}

/// The Fourier transform of images of one size, of low frequencies alone. It computes with numbers one at a time, so that
/// bytes are the same on every CPU.
struct Transform {
    reach: usize,
    rows: Direction,
    columns: Direction,
}

/// The transform of a length there and back.
struct Direction {
    there: Arc<dyn Fft<f64>>,
    back: Arc<dyn Fft<f64>>,
}

impl Direction {
    fn new(length: usize) -> Self {
        let mut planner = FftPlannerScalar::new();
        Self {
            there: planner.plan_fft_forward(length),
            back: planner.plan_fft_inverse(length),
        }
    }

    fn length(&self) -> usize {
        self.there.len()
    }

    fn line(&self) -> Vec<Complex<f64>> {
        vec![Complex::default(); self.length()]
    }
}

impl Transform {
    fn new((height, width): (usize, usize), reach: usize) -> Self {
        Self {
            reach,
            rows: Direction::new(width),
            columns: Direction::new(height),
        }
    }

    /// Returns the places in a column's spectrum of the vertical frequencies from `-reach` to `reach`.
    fn vertical(&self) -> impl Iterator<Item = usize> + use<> {
        let (height, reach) = (self.columns.length(), self.reach);
        (0..=2 * reach).map(move |ky| (height + ky - reach) % height)
    }

    /// Returns the spectrum of a channel, `(reach + 1, 2 * reach + 1)` of horizontal and vertical frequencies.
    fn low(&self, channel: ArrayView2<u8>) -> Array2<Complex<f64>> {
        let height = self.columns.length();
        let mut columns = Array2::from_elem((self.reach + 1, height), Complex::default());
        let mut line = self.rows.line();
        for (y, row) in channel.outer_iter().enumerate() {
            for (to, &from) in line.iter_mut().zip(row) {
                *to = Complex::new(f64::from(from), 0.0);
            }
            self.rows.there.process(&mut line);
            let low = line.iter().take(self.reach + 1);
            columns
                .column_mut(y)
                .iter_mut()
                .zip(low)
                .for_each(|(to, &from)| *to = from);
        }
        let mut spectrum =
            Array2::from_elem((self.reach + 1, 2 * self.reach + 1), Complex::default());
        let mut line = self.columns.line();
        for (mut to, column) in spectrum.outer_iter_mut().zip(columns.outer_iter()) {
            line.iter_mut()
                .zip(column)
                .for_each(|(to, &from)| *to = from);
            self.columns.there.process(&mut line);
            to.iter_mut()
                .zip(self.vertical())
                .for_each(|(to, ky)| *to = line[ky]);
        }
        spectrum
    }

    /// Returns what has this spectrum and no other frequencies, `(height, width)`.
    fn back(&self, spectrum: &Array2<Complex<f64>>) -> Array2<f64> {
        let (height, width) = (self.columns.length(), self.rows.length());
        let mut columns = Array2::from_elem((self.reach + 1, height), Complex::default());
        let mut line = self.columns.line();
        for (mut column, from) in columns.outer_iter_mut().zip(spectrum.outer_iter()) {
            line.fill(Complex::default());
            from.iter()
                .zip(self.vertical())
                .for_each(|(&from, ky)| line[ky] = from);
            self.columns.back.process(&mut line);
            column
                .iter_mut()
                .zip(&line)
                .for_each(|(to, &from)| *to = from);
        }
        let mut channel = Array2::zeros((height, width));
        let mut line = self.rows.line();
        let of_pixel = 1.0 / (height * width) as f64;
        for (y, mut row) in channel.outer_iter_mut().enumerate() {
            line.fill(Complex::default());
            for (kx, &from) in columns.column(y).iter().enumerate() {
                // A frequency and its opposite add up to twice the real part, but for those that are their own opposite.
                let both = if kx == 0 || 2 * kx == width { 1.0 } else { 2.0 };
                line[kx] = from * both;
            }
            self.rows.back.process(&mut line);
            row.iter_mut()
                .zip(&line)
                .for_each(|(to, from)| *to = from.re * of_pixel);
        }
        channel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(height: usize, width: usize, factor: usize) -> Array3<u8> {
        Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
            ((factor * (y * y + 3 * x + 7 * c * x)) % 251) as u8
        })
    }

    #[test]
    fn an_image_that_takes_its_own_amplitudes_stays() {
        for (height, width) in [(16, 24), (17, 16), (9, 9)] {
            for beta in [0.0, 0.1, 0.5] {
                let image = image(height, width, 1);
                let output = Amplitudes::of(image.view(), beta).lent_to(image.view());
                assert_eq!(output, image, "{height} x {width} with {beta}");
            }
        }
    }

    #[test]
    fn without_a_window_the_mean_alone_is_taken() {
        // Its mean is 107.
        let content = Array3::from_shape_fn((8, 8, 3), |(y, _, _)| 100 + 2 * y as u8);
        // A style of another size lends the amplitudes of a pixel.
        for size in [(8, 8, 3), (40, 20, 3)] {
            let style = Array3::from_elem(size, 53);
            let output = Amplitudes::of(style.view(), 0.0).lent_to(content.view());
            assert_eq!(output, content.mapv(|value| value - 54));
        }
    }

    #[test]
    fn of_a_smaller_style_or_content_those_frequencies_are_taken_that_both_have() {
        let (large, small) = (image(24, 20, 1), image(10, 12, 2));
        for (style, content) in [(&large, &small), (&small, &large)] {
            let output = Amplitudes::of(style.view(), 0.5).lent_to(content.view());
            assert_eq!(output.dim(), content.dim());
        }
    }
}
