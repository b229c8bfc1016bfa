//! Hybrid class-wise AdaIN: the more of a class the content shows beside the style, the more of itself it keeps.
//!
//! For each class that both show, with `n` positions of the content and `k` of the style, the content's positions become
//! `b * x + (1 - b) * t`, where `t` has mean and spread of the style's and
//! `b = sigmoid(scale * (n - k) / (n + k + 1e-5))`. All other positions stay as they are.
//!
//! Both lose the border of a class first: the content at the size of latents, the style at that of images, where a thin
//! object survives.
//!
//! **Source:** Yao et al. 2026 (arXiv:2606.29286), the released code.
//! **Differs:** nothing.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};

use super::adain::{AdainError, check_channels};
use super::class_adain::{LabelledLatent, eroded, masked};
use shared::dataset::classes::NUM_CLASSES;

/// Keeps shares of nothing from being no number.
const EPSILON: f64 = 1e-5;

/// Hybrid class-wise AdaIN with its one setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HybridAdain {
    /// How sharply the shares of a class decide.
    pub scale: f32,
}

/// A latent of an image, and the class of each of its pixels.
#[derive(Clone, Copy, Debug)]
pub struct MappedLatent<'a> {
    /// `(channels, height, width)`
    pub latent: ArrayView3<'a, f32>,
    /// `(image height, image width)`, whole multiples of the latent's.
    pub class_map: ArrayView2<'a, u8>,
}

impl HybridAdain {
    /// Returns `content` with the statistics of `style`, as far as the shares of each class have it.
    ///
    /// # Errors
    ///
    /// [`AdainError`] if the channel counts differ, or a map does not fit its latent.
    pub fn apply(
        &self,
        content: LabelledLatent<'_>,
        style: MappedLatent<'_>,
    ) -> Result<Array3<f32>, AdainError> {
        check_channels(content.latent, style.latent)?;
        content.check_size()?;
        let (_, height, width) = style.latent.dim();
        let style_classes = inner_classes(style.class_map, (height, width))?;
        let mut output = content.latent.to_owned();
        for class in (0..=u8::MAX).take(NUM_CLASSES) {
            let mask = eroded(&content.labels.mapv(|label| label == class));
            let style_mask = style_classes.mapv(|shown| shown == Some(class));
            let (num, num_style) = (count(&mask), count(&style_mask));
            if num == 0 || num_style == 0 {
                continue;
            }
            let kept = self.kept_share(num, num_style);
            Zip::from(output.axis_iter_mut(Axis(0)))
                .and(style.latent.axis_iter(Axis(0)))
                .for_each(|mut channel, style| {
                    let from = masked(channel.view(), &mask);
                    let to = masked(style, &style_mask);
                    let (factor, summand) = from.to(to);
                    Zip::from(&mut channel)
                        .and(&mask)
                        .for_each(|value, &inside| {
                            if inside {
                                let taken = *value * factor + summand;
                                *value = kept * *value + (1.0 - kept) * taken;
                            }
                        });
                });
        }
        Ok(output)
    }

    /// Returns the number of classes that [`HybridAdain::apply`] would change for labels of a content and the class map of a
    /// style.
    ///
    /// # Errors
    ///
    /// [`AdainError::Labels`] if labels do not divide the map.
    pub fn num_shared_classes(
        &self,
        content_labels: ArrayView2<u8>,
        class_map: ArrayView2<u8>,
    ) -> Result<usize, AdainError> {
        let style_classes = inner_classes(class_map, content_labels.dim())?;
        let is_shared = |class: &u8| {
            let content = eroded(&content_labels.mapv(|label| label == *class));
            count(&content) > 0 && style_classes.iter().any(|shown| *shown == Some(*class))
        };
        Ok((0..=u8::MAX).take(NUM_CLASSES).filter(is_shared).count())
    }

    fn kept_share(self, num: usize, num_style: usize) -> f32 {
        let (num, num_style) = (num as f64, num_style as f64);
        let excess = (num - num_style) / (num + num_style + EPSILON);
        (1.0 / (1.0 + (-f64::from(self.scale) * excess).exp())) as f32
    }
}

fn count(mask: &Array2<bool>) -> usize {
    mask.iter().filter(|&&inside| inside).count()
}

/// Returns the class of each position of a latent of a size (height, width), that of the pixel in the middle of its cell, if
/// the four pixels about that show it too.
fn inner_classes(
    class_map: ArrayView2<u8>,
    (height, width): (usize, usize),
) -> Result<Array2<Option<u8>>, AdainError> {
    let side = class_map.nrows().checked_div(height).unwrap_or(0);
    if side == 0 || (side * height, side * width) != class_map.dim() {
        return Err(AdainError::Labels {
            labels: class_map.dim(),
            latent: (height, width),
        });
    }
    let at = |y: Option<usize>, x: Option<usize>| {
        let place = y.zip(x);
        place.and_then(|place| class_map.get(place)).copied()
    };
    Ok(Array2::from_shape_fn((height, width), |(y, x)| {
        let (y, x) = (y * side + side / 2, x * side + side / 2);
        let class = at(Some(y), Some(x));
        let about = [
            at(y.checked_sub(1), Some(x)),
            at(Some(y + 1), Some(x)),
            at(Some(y), x.checked_sub(1)),
            at(Some(y), Some(x + 1)),
        ];
        class.filter(|_| about.iter().all(|shown| *shown == class))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: HybridAdain = HybridAdain { scale: 8.0 };

    fn labels(class: u8) -> Array2<u8> {
        Array2::from_elem((4, 4), class)
    }

    #[test]
    fn a_class_that_the_style_has_little_of_stays_and_a_class_of_equal_shares_is_halfway() {
        let content = Array3::from_shape_fn((1, 4, 4), |(_, y, x)| (4 * y + x) as f32);
        let style = content.mapv(|x| 10.0 * x + 5.0);
        let label = labels(2);
        let mapped = |map: &Array2<u8>| {
            let content = LabelledLatent {
                latent: content.view(),
                labels: label.view(),
            };
            let style = MappedLatent {
                latent: style.view(),
                class_map: map.view(),
            };
            HYBRID.apply(content, style).unwrap()
        };
        // One pixel for each position: both lose the same border.
        let halfway = mapped(&labels(2));
        let expected = (content[(0, 1, 1)] + style[(0, 1, 1)]) / 2.0;
        assert!((halfway[(0, 1, 1)] - expected).abs() < 1e-3, "{halfway}");
        assert_eq!(halfway[(0, 0, 1)], content[(0, 0, 1)]);
        assert_eq!(mapped(&labels(3)), content);
        // At image size nothing of the style is lost: 16 positions beside 4, so that little of the content is kept.
        let taken = mapped(&Array2::from_elem((32, 32), 2))[(0, 1, 1)];
        assert!((taken - 23.94).abs() < 0.01, "{taken}");
    }

    #[test]
    fn classes_that_both_show_are_counted_and_maps_that_do_not_fit_refused() {
        let style = |map: &Array2<u8>| HYBRID.num_shared_classes(labels(2).view(), map.view());
        assert_eq!(style(&labels(2)), Ok(1));
        assert_eq!(style(&labels(255)), Ok(0));
        for size in [(4, 8), (6, 6), (0, 0), (2, 2)] {
            assert!(style(&Array2::zeros(size)).is_err(), "{size:?}");
        }
    }
}
