//! Colour transfer: each channel of the content takes mean and spread of the style's.
//!
//! `std(style) / std(content) * (content - mean(content)) + mean(style)` in CIELAB.
//!
//! **Source:** Reinhard et al. 2001, Color transfer between images, eqs. 10 and 11.
//! **Differs:** CIELAB in place of the logarithms of cone responses (`lαβ`), as implementations in the field have it. What
//! is beyond black, white and sRGB is cut off channel by channel. A channel that shows one value takes the
//! style's mean.

use ndarray::{Array3, ArrayView3, Zip};

use super::lab::{Lab, to_srgb};
use super::level;

/// Spread below which a channel shows one value: greys are up to 0.005 from zero in a and b, by the digits of the space's
/// numbers, and no eye sees as little.
const FLAT: f64 = 0.01;

/// Mean and standard deviation of lightness, a and b.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    mean: [f64; 3],
    spread: [f64; 3],
}

impl Moments {
    /// Returns those of an image.
    pub(super) fn of(image: ArrayView3<u8>) -> Self {
        let lab = Lab::new();
        Self::in_space(&lab, image)
    }

    /// As Welford sums them: what is far from zero loses nothing.
    fn in_space(lab: &Lab, image: ArrayView3<u8>) -> Self {
        let (mut mean, mut squares) = ([0.0; 3], [0.0; 3]);
        let mut count = 0.0;
        for pixel in image.rows() {
            count += 1.0;
            for (channel, value) in lab
                .of([pixel[0], pixel[1], pixel[2]])
                .into_iter()
                .enumerate()
            {
                let off = value - mean[channel];
                mean[channel] += off / count;
                squares[channel] += off * (value - mean[channel]);
            }
        }
        Self {
            mean,
            spread: squares.map(|sum: f64| (sum / f64::max(count, 1.0)).sqrt()),
        }
    }

    /// Returns a content with these.
    pub(super) fn lent_to(&self, content: ArrayView3<u8>) -> Array3<u8> {
        let lab = Lab::new();
        let own = Self::in_space(&lab, content);
        let scale: [f64; 3] = std::array::from_fn(|channel| {
            if own.spread[channel] > FLAT {
                self.spread[channel] / own.spread[channel]
            } else {
                0.0
            }
        });
        let mut output = Array3::zeros(content.dim());
        Zip::from(output.rows_mut())
            .and(content.rows())
            .for_each(|mut output, pixel| {
                let colour = lab.of([pixel[0], pixel[1], pixel[2]]);
                let mut taken: [f64; 3] = std::array::from_fn(|channel| {
                    scale[channel] * (colour[channel] - own.mean[channel]) + self.mean[channel]
                });
                taken[0] = taken[0].clamp(0.0, 100.0);
                for (output, value) in output.iter_mut().zip(to_srgb(taken)) {
                    *output = level(255.0 * value);
                }
            });
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_takes_its_own_moments_stays_and_one_of_a_single_colour_takes_the_mean() {
        let image = Array3::from_shape_fn((4, 5, 3), |(y, x, c)| (40 * y + 10 * x + c) as u8);
        let moments = Moments::of(image.view());
        assert_eq!(moments.lent_to(image.view()), image);
        let grey = Array3::from_elem((2, 3, 3), 90);
        let output = moments.lent_to(grey.view());
        assert_eq!(output.dim(), grey.dim());
        let first = output[(0, 0, 0)];
        assert!(first != 90 && output.rows().into_iter().all(|pixel| pixel[0] == first));
        let taken = Moments::of(grey.view()).lent_to(image.view());
        assert_eq!(taken, Array3::from_elem((4, 5, 3), 90));
    }

    #[test]
    fn a_content_of_greys_takes_the_mean_of_a_styles_colours_and_keeps_its_light() {
        let greys = Array3::from_shape_fn((8, 32, 3), |(y, x, _)| (32 * y + x) as u8);
        let style = Array3::from_shape_fn((4, 6, 3), |(y, x, channel)| match channel {
            0 => (60 + 12 * y + 8 * x) as u8,
            1 => (100 - 3 * y + 5 * x) as u8,
            _ => (90 + 10 * y + 2 * x) as u8,
        });
        let moments = Moments::of(style.view());
        assert!(moments.spread.iter().all(|spread| *spread > 3.0));
        let output = moments.lent_to(greys.view());
        let found = Moments::of(output.view());
        assert!((found.spread[0] - moments.spread[0]).abs() < 0.5);
        let lab = Lab::new();
        for pixel in output.rows() {
            let colour = lab.of([pixel[0], pixel[1], pixel[2]]);
            for (found, mean) in colour.into_iter().zip(moments.mean).skip(1) {
                assert!((found - mean).abs() < 3.0, "{pixel}: {found}, not {mean}");
            }
        }
    }
}
