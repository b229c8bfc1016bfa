//! Adaptive instance normalisation (AdaIN) of latents.
//!
//! Gives `content` the channel statistics of `style`:
//! `std(style) * (content - mean(content)) / std(content) + mean(style)`,
//! with `std = sqrt(variance + 1e-5)`.
//!
//! **Source:** Huang and Belongie 2017, eq. 8 (arXiv:1703.06868).
//! **Differs:** the variance is unbiased, as in the released CACTIF code.

use ndarray::{Array3, ArrayView3, Axis, Zip};
use thiserror::Error;

/// Keeps a flat channel from dividing by zero.
const EPSILON: f64 = 1e-5;

/// Arrays that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AdainError {
    /// Content and style are latents of different models.
    #[error("content has {content} channels and style has {style}")]
    Channels {
        /// The channels of the content.
        content: usize,
        /// The channels of the style.
        style: usize,
    },
    /// A channel without a variance.
    #[error("a latent of {height}x{width} has too few positions for a variance")]
    TooSmall {
        /// The height of the latent.
        height: usize,
        /// The width of the latent.
        width: usize,
    },
    /// A label map of another size than its latent.
    #[error("labels of {labels:?} do not lie on a latent of {latent:?} (height, width)")]
    Labels {
        /// The shape of the label map.
        labels: (usize, usize),
        /// The shape of the latent.
        latent: (usize, usize),
    },
}

/// The mean and spread of some positions of one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistics {
    pub(super) mean: f64,
    pub(super) std: f64,
}

impl Statistics {
    /// Returns the statistics of `values`, dividing the squares by `count - lost` for `count` values.
    pub(super) fn of(values: impl Iterator<Item = f32> + Clone, lost: usize) -> Self {
        let count = values.clone().count();
        let mean = values.clone().map(f64::from).sum::<f64>() / count as f64;
        let squares: f64 = values.map(|value| (f64::from(value) - mean).powi(2)).sum();
        Self {
            mean,
            std: (squares / (count - lost) as f64 + EPSILON).sqrt(),
        }
    }

    /// Returns the factor and the summand that take these statistics to `other`.
    pub(super) fn to(self, other: Self) -> (f32, f32) {
        let factor = other.std / self.std;
        (factor as f32, (other.mean - self.mean * factor) as f32)
    }
}

/// Returns `content` with the mean and spread of `style`, per channel.
///
/// Both are latents of shape `(channels, height, width)`; heights and widths may differ.
///
/// # Errors
///
/// [`AdainError::Channels`] if the channel counts differ; [`AdainError::TooSmall`] if either has
/// fewer than two positions.
pub fn adain(content: ArrayView3<f32>, style: ArrayView3<f32>) -> Result<Array3<f32>, AdainError> {
    check_channels(content, style)?;
    for latent in [content, style] {
        let (_, height, width) = latent.dim();
        if height * width < 2 {
            return Err(AdainError::TooSmall { height, width });
        }
    }
    let mut output = content.to_owned();
    Zip::from(output.axis_iter_mut(Axis(0)))
        .and(style.axis_iter(Axis(0)))
        .for_each(|mut channel, style| {
            let from = Statistics::of(channel.iter().copied(), 1);
            let (factor, summand) = from.to(Statistics::of(style.iter().copied(), 1));
            channel.mapv_inplace(|value| value * factor + summand);
        });
    Ok(output)
}

pub(super) fn check_channels(
    content: ArrayView3<f32>,
    style: ArrayView3<f32>,
) -> Result<(), AdainError> {
    let (content, style) = (content.dim().0, style.dim().0);
    if content != style {
        return Err(AdainError::Channels { content, style });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, array};

    // c, s = torch.tensor([0., 1., 2.]), torch.tensor([10., 14.])
    // (c - c.mean()) / (c.var() + 1e-5).sqrt() * (s.var() + 1e-5).sqrt() + s.mean()
    #[test]
    fn the_content_takes_mean_and_unbiased_spread_of_the_style() {
        let content = array![[[0.0, 1.0, 2.0]]];
        let style = array![[[10.0, 14.0]]];
        let output = adain(content.view(), style.view()).unwrap();
        let expected = [9.171_587, 12.0, 14.828_413];
        for (value, expected) in output.iter().zip(expected) {
            let value: f32 = *value;
            assert!((value - expected).abs() < 1e-5, "{output}");
        }
    }

    #[test]
    fn other_channels_or_a_single_position_are_refused() {
        let zeros = |shape| Array::<f32, _>::zeros(shape);
        assert_eq!(
            adain(zeros((4, 2, 2)).view(), zeros((3, 2, 2)).view()),
            Err(AdainError::Channels {
                content: 4,
                style: 3
            })
        );
        assert_eq!(
            adain(zeros((4, 2, 2)).view(), zeros((4, 1, 1)).view()),
            Err(AdainError::TooSmall {
                height: 1,
                width: 1
            })
        );
    }
}
