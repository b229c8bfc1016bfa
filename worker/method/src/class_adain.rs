//! Class-wise AdaIN: each semantic class takes the statistics of the same class in the style.
//!
//! For each class that both label maps show, over the positions of that class:
//! `(content - mean(content)) * scale + mean(style)`; every other position stays as it is.
//!
//! **Source:** Chigot et al. 2025, section 3.2 (arXiv:2505.16360).
//! **Differs:** the released code scales by `(1 + std(style)) / (1 + std(content))` where the paper
//! has `std(style) / std(content)`, and erodes the class masks first; both are settings.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};

use super::adain::{AdainError, Statistics, check_channels};
use shared::dataset::classes::NUM_CLASSES;

/// How the spread of a class follows the style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassScale {
    /// `(1 + std(style)) / (1 + std(content))`
    ReleasedCode,
    /// `std(style) / std(content)`
    Paper,
}

impl ClassScale {
    fn of(self, content: Statistics, style: Statistics) -> f64 {
        match self {
            ClassScale::ReleasedCode => (1.0 + style.std) / (1.0 + content.std),
            ClassScale::Paper => style.std / content.std,
        }
    }
}

/// A latent and its labels.
#[derive(Clone, Copy, Debug)]
pub struct LabelledLatent<'a> {
    /// `(channels, height, width)`
    pub latent: ArrayView3<'a, f32>,
    /// Train ids `(height, width)`; anything that is no class is left alone.
    pub labels: ArrayView2<'a, u8>,
}

/// Class-wise AdaIN in one of its readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassAdain {
    /// How the spread of a class follows the style.
    pub scale: ClassScale,
    /// Whether a class mask loses its border first.
    pub erode: bool,
}

impl ClassAdain {
    /// Returns `content` with the statistics of `style`, class by class.
    ///
    /// # Errors
    ///
    /// [`AdainError`] if the channel counts differ or a label map is not of its latent's size.
    pub fn apply(
        &self,
        content: LabelledLatent<'_>,
        style: LabelledLatent<'_>,
    ) -> Result<Array3<f32>, AdainError> {
        check_channels(content.latent, style.latent)?;
        content.check_size()?;
        style.check_size()?;

        let mut output = content.latent.to_owned();
        for (mask, style_mask) in self.shared_masks(content.labels, style.labels) {
            Zip::from(output.axis_iter_mut(Axis(0)))
                .and(style.latent.axis_iter(Axis(0)))
                .for_each(|mut channel, style| {
                    let from = masked(channel.view(), &mask);
                    let to = masked(style, &style_mask);
                    let scale = self.scale.of(from, to);
                    let shift = to.mean - from.mean * scale;
                    let (scale, shift) = (scale as f32, shift as f32);
                    Zip::from(&mut channel)
                        .and(&mask)
                        .for_each(|value, &inside| {
                            if inside {
                                *value = *value * scale + shift;
                            }
                        });
                });
        }
        Ok(output)
    }

    /// Returns the number of classes that [`ClassAdain::apply`] would change for these labels.
    pub fn num_shared_classes(
        &self,
        content_labels: ArrayView2<u8>,
        style_labels: ArrayView2<u8>,
    ) -> usize {
        self.shared_masks(content_labels, style_labels).count()
    }

    fn shared_masks(
        &self,
        content_labels: ArrayView2<u8>,
        style_labels: ArrayView2<u8>,
    ) -> impl Iterator<Item = (Array2<bool>, Array2<bool>)> {
        (0..=u8::MAX).take(NUM_CLASSES).filter_map(move |class| {
            let content = self.mask(content_labels, class)?;
            let style = self.mask(style_labels, class)?;
            Some((content, style))
        })
    }

    /// Returns where `labels` show `class`, or nothing if they do not.
    fn mask(&self, labels: ArrayView2<u8>, class: u8) -> Option<Array2<bool>> {
        let mask = labels.mapv(|label| label == class);
        let mask = if self.erode { eroded(&mask) } else { mask };
        mask.iter().any(|&inside| inside).then_some(mask)
    }
}

/// Returns the positions whose four neighbours are set as well; outside counts as not set.
pub(super) fn eroded(mask: &Array2<bool>) -> Array2<bool> {
    let inside = |y: Option<usize>, x: Option<usize>| {
        let position = y.zip(x);
        position.is_some_and(|position| mask.get(position) == Some(&true))
    };
    Array2::from_shape_fn(mask.raw_dim(), |(y, x)| {
        mask[(y, x)]
            && inside(y.checked_sub(1), Some(x))
            && inside(Some(y + 1), Some(x))
            && inside(Some(y), x.checked_sub(1))
            && inside(Some(y), Some(x + 1))
    })
}

/// Returns the biased statistics of the positions in `mask`, of which there is at least one.
pub(super) fn masked(channel: ArrayView2<f32>, mask: &Array2<bool>) -> Statistics {
    let values = channel.iter().zip(mask).filter(|&(_, &inside)| inside);
    Statistics::of(values.map(|(&value, _)| value), 0)
}

impl LabelledLatent<'_> {
    pub(super) fn check_size(&self) -> Result<(), AdainError> {
        let (_, height, width) = self.latent.dim();
        if self.labels.dim() != (height, width) {
            return Err(AdainError::Labels {
                labels: self.labels.dim(),
                latent: (height, width),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    const PAPER: ClassAdain = ClassAdain {
        scale: ClassScale::Paper,
        erode: false,
    };

    #[test]
    fn only_classes_that_both_images_show_are_changed() {
        let content = array![[[0.0_f32, 2.0, 5.0, 7.0, 9.0]]];
        let style = array![[[10.0_f32, 14.0, 1.0, 1.0, 3.0]]];
        let content_labels = array![[0, 0, 1, 255, 255]];
        let style_labels = array![[0, 0, 2, 255, 255]];
        let content = LabelledLatent {
            latent: content.view(),
            labels: content_labels.view(),
        };
        let style = LabelledLatent {
            latent: style.view(),
            labels: style_labels.view(),
        };
        let output = PAPER.apply(content, style).unwrap();
        let expected = array![[[10.0_f32, 14.0, 5.0, 7.0, 9.0]]];
        let worst = (&output - &expected).fold(0.0, |worst: f32, x| worst.max(x.abs()));
        assert!(worst < 1e-4, "{output}");
        let shared = PAPER.num_shared_classes(content_labels.view(), style_labels.view());
        assert_eq!(shared, 1);
    }

    #[test]
    fn erosion_keeps_positions_with_four_neighbours_of_their_class() {
        let labels = array![[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]];
        let eroding = ClassAdain {
            erode: true,
            ..PAPER
        };
        let mask = eroding.mask(labels.view(), 0).unwrap();
        let expected = array![
            [false, false, false, false],
            [false, true, false, false],
            [false, false, false, false]
        ];
        assert_eq!(mask, expected);
        assert_eq!(eroding.mask(labels.view(), 1), None);
    }

    #[test]
    fn labels_of_another_size_are_refused() {
        let latent = Array3::<f32>::zeros((4, 2, 3));
        let labels = Array2::<u8>::zeros((3, 2));
        let image = LabelledLatent {
            latent: latent.view(),
            labels: labels.view(),
        };
        let refused = PAPER.apply(image, image);
        assert_eq!(
            refused,
            Err(AdainError::Labels {
                labels: (3, 2),
                latent: (2, 3)
            })
        );
    }
}
