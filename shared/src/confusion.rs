//! What a segmenter predicts, beside what a label says: pixels counted by both, and the figures that they give.
//!
//! Counts are integers, so a sum over items is exact in any order; figures are made from sums, never from figures.

use std::ops::AddAssign;

use crate::dataset::classes::NUM_CLASSES;

/// The columns: a prediction is one of the classes, or a class of the segmenter that is none of them.
pub const NUM_PREDICTIONS: usize = NUM_CLASSES + 1;

/// Pixels by the class of their label (19 rows) and by what was predicted for them (19 columns, and one for what is none of
/// the classes). Pixels whose label is none of the classes are not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion(Box<[u64; NUM_CLASSES * NUM_PREDICTIONS]>);

/// The confusions of an output and of its content, both against the label that they share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelAgreement {
    /// Of the output.
    pub output: Confusion,
    /// Of the content.
    pub content: Confusion,
}

/// The figures of a confusion, each 0 to 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelFigures {
    /// Its [`Confusion::pixel_accuracy`].
    pub accuracy: Option<f64>,
    /// Its [`Confusion::mean_iou`].
    pub mean_iou: Option<f64>,
    /// Its [`Confusion::ious`].
    pub ious: [Option<f64>; NUM_CLASSES],
}

/// The figures of the confusions of an output and of its content.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgreementFigures {
    /// Of the output.
    pub output: LabelFigures,
    /// Of the content.
    pub content: LabelFigures,
}

impl Default for Confusion {
    fn default() -> Self {
        Self(Box::new([0; NUM_CLASSES * NUM_PREDICTIONS]))
    }
}

impl Confusion {
    /// Counts the pixels of a label and of a prediction, both train ids `(height, width)` in the same order. Any id above 18
    /// is none of the classes.
    ///
    /// # Panics
    ///
    /// If one has more pixels than the other.
    #[must_use]
    pub fn of(label: &[u8], predicted: &[u8]) -> Self {
        assert_eq!(label.len(), predicted.len(), "a label and a prediction");
        let mut confusion = Self::default();
        for (&class, &predicted) in label.iter().zip(predicted) {
            let predicted = usize::from(predicted).min(NUM_CLASSES);
            if usize::from(class) < NUM_CLASSES {
                confusion.0[usize::from(class) * NUM_PREDICTIONS + predicted] += 1;
            }
        }
        confusion
    }

    /// Returns what was counted, row by row; none if it is not of 19 x 20 numbers, or of more pixels than can be.
    #[must_use]
    pub fn from_counts(counts: &[u64]) -> Option<Self> {
        let counts: Box<[u64; NUM_CLASSES * NUM_PREDICTIONS]> =
            counts.to_vec().into_boxed_slice().try_into().ok()?;
        counts
            .iter()
            .try_fold(0_u64, |sum, &count| sum.checked_add(count))?;
        Some(Self(counts))
    }

    /// Returns the counts, row by row.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        self.0.as_slice()
    }

    fn row(&self, class: usize) -> &[u64] {
        &self.0[class * NUM_PREDICTIONS..][..NUM_PREDICTIONS]
    }

    fn right(&self, class: usize) -> u64 {
        self.row(class)[class]
    }

    /// Returns the number of pixels.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Returns the pixels of a class as labels say.
    #[must_use]
    pub fn labelled(&self, class: usize) -> u64 {
        let row = self.row(class).iter();
        row.fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Returns the share of pixels that were predicted as labelled, 0 to 1; none of no pixels.
    #[must_use]
    pub fn pixel_accuracy(&self) -> Option<f64> {
        let right =
            (0..NUM_CLASSES).fold(0_u64, |sum, class| sum.saturating_add(self.right(class)));
        share(right, self.pixels())
    }

    /// Returns the intersection over union of a class, 0 to 1; none if no label shows it: what is taken for it is missing
    /// elsewhere.
    #[must_use]
    pub fn iou(&self, class: usize) -> Option<f64> {
        let labelled = self.labelled(class);
        if labelled == 0 {
            return None;
        }
        let predicted = (0..NUM_CLASSES).fold(0_u64, |sum, label| {
            sum.saturating_add(self.row(label)[class])
        });
        let right = self.right(class);
        share(right, labelled.saturating_add(predicted - right))
    }

    /// Returns [`Self::iou`] of each class, by train id.
    #[must_use]
    pub fn ious(&self) -> [Option<f64>; NUM_CLASSES] {
        std::array::from_fn(|class| self.iou(class))
    }

    /// Returns the mean of [`Self::iou`] over the classes that labels show, 0 to 1; none if they show none.
    #[must_use]
    pub fn mean_iou(&self) -> Option<f64> {
        mean(&self.ious())
    }

    /// Returns all of its figures.
    #[must_use]
    pub fn figures(&self) -> LabelFigures {
        let ious = self.ious();
        LabelFigures {
            accuracy: self.pixel_accuracy(),
            mean_iou: mean(&ious),
            ious,
        }
    }
}

fn mean(ious: &[Option<f64>]) -> Option<f64> {
    let shown: Vec<f64> = ious.iter().copied().flatten().collect();
    let sum: f64 = shown.iter().sum();
    (!shown.is_empty()).then(|| sum / shown.len() as f64)
}

fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

impl AddAssign<&Confusion> for Confusion {
    fn add_assign(&mut self, other: &Confusion) {
        for (sum, count) in self.0.iter_mut().zip(other.counts()) {
            *sum = sum.saturating_add(*count);
        }
    }
}

impl AddAssign<&LabelAgreement> for LabelAgreement {
    fn add_assign(&mut self, other: &LabelAgreement) {
        self.output += &other.output;
        self.content += &other.content;
    }
}

impl LabelAgreement {
    /// Returns the figures of both.
    #[must_use]
    pub fn figures(&self) -> AgreementFigures {
        AgreementFigures {
            output: self.output.figures(),
            content: self.content.figures(),
        }
    }

    /// Returns the mean IoU of the output as a share of the content's own; none where the content has none: nothing was
    /// lost that was there.
    #[must_use]
    pub fn kept(&self) -> Option<f64> {
        let before = self.content.mean_iou().filter(|&iou| iou > 0.0)?;
        Some(self.output.mean_iou()? / before)
    }

    /// Returns whether less than `least` of the content's own agreement was kept.
    #[must_use]
    pub fn is_doubtful(&self, least: f64) -> bool {
        self.kept().is_some_and(|kept| kept < least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::classes::UNKNOWN;

    #[test]
    fn figures_are_those_of_the_counted_pixels() {
        // Two pixels of road, one taken for sidewalk; one of sidewalk, taken for nothing; one without a class.
        let confusion = Confusion::of(&[0, 0, 1, UNKNOWN], &[0, 1, UNKNOWN, 0]);
        assert_eq!(confusion.pixels(), 3);
        assert_eq!(confusion.pixel_accuracy(), Some(1.0 / 3.0));
        assert_eq!(confusion.iou(0), Some(0.5));
        assert_eq!(confusion.iou(1), Some(0.0));
        assert_eq!(confusion.iou(2), None);
        assert_eq!(confusion.mean_iou(), Some(0.25));
        let figures = confusion.figures();
        assert_eq!(figures.accuracy, confusion.pixel_accuracy());
        assert_eq!(figures.mean_iou, confusion.mean_iou());
        assert_eq!(figures.ious, confusion.ious());
        assert_eq!(Confusion::default().mean_iou(), None);
        assert_eq!(Confusion::default().pixel_accuracy(), None);
    }

    #[test]
    fn a_sum_is_that_of_all_pixels_and_no_mean_of_means() {
        let mut sum = Confusion::of(&[0; 9], &[0; 9]);
        sum += &Confusion::of(&[0], &[1]);
        assert_eq!(sum.iou(0), Some(0.9));
        assert_eq!(Confusion::from_counts(sum.counts()), Some(sum));
        assert_eq!(Confusion::from_counts(&[0; 361]), None);
        assert_eq!(Confusion::from_counts(&[u64::MAX; 380]), None);
    }

    #[test]
    fn an_output_is_doubtful_that_keeps_less_than_was_asked_of_what_was_there() {
        let half = LabelAgreement {
            output: Confusion::of(&[0, 0], &[0, 1]),
            content: Confusion::of(&[0, 0], &[0, 0]),
        };
        assert_eq!(half.kept(), Some(0.5));
        assert!(half.is_doubtful(0.6) && !half.is_doubtful(0.5));
        let nothing = LabelAgreement {
            output: Confusion::of(&[0], &[1]),
            content: Confusion::of(&[0], &[1]),
        };
        assert!(!nothing.is_doubtful(1.0));
    }
}
