//! What a segmenter predicts for outputs and for their contents, counted over items.

use shared::confusion::LabelAgreement;
use shared::manifest::Quality;

/// Sums over some items. All are of whole numbers, so their order is of no matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgreementFold {
    /// Pixels of outputs and of their contents; those of a content once for each of its outputs.
    pub pixels: LabelAgreement,
    /// Number of items that have any.
    pub items: usize,
    /// Number of items that are doubtful.
    pub doubtful: usize,
}

impl AgreementFold {
    /// Adds an item.
    pub(super) fn add(&mut self, quality: &Quality) {
        self.doubtful += usize::from(quality.is_doubtful);
        if let Some(agreement) = &quality.agreement {
            self.pixels += agreement;
            self.items += 1;
        }
    }

    /// Adds the items of other sums.
    pub fn add_all(&mut self, others: &Self) {
        self.pixels += &others.pixels;
        self.items += others.items;
        self.doubtful += others.doubtful;
    }

    /// Returns whether no segmenter has said anything of any item.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.items == 0 && self.doubtful == 0
    }
}

#[cfg(test)]
mod tests {
    use shared::confusion::Confusion;

    use super::*;

    fn item(output: &[u8], is_doubtful: bool) -> Quality {
        Quality {
            agreement: Some(LabelAgreement {
                output: Confusion::of(&[0, 0, 1, 1], output),
                content: Confusion::of(&[0, 0, 1, 1], &[0, 0, 1, 1]),
            }),
            is_doubtful,
            ..Quality::default()
        }
    }

    #[test]
    fn sums_are_those_of_all_pixels_in_any_order_and_in_any_parts() {
        let items = [
            item(&[0, 0, 1, 1], false),
            item(&[0, 1, 1, 1], false),
            item(&[1, 1, 0, 0], true),
            Quality::default(),
        ];
        let mut forth = AgreementFold::default();
        items.iter().for_each(|item| forth.add(item));
        let mut back = AgreementFold::default();
        for item in items.iter().rev() {
            let mut one = AgreementFold::default();
            one.add(item);
            back.add_all(&one);
        }
        assert_eq!(forth, back);
        assert_eq!((forth.items, forth.doubtful), (3, 1));
        assert_eq!(forth.pixels.output.pixels(), 12);
        // 3 of the 6 pixels of road are found, and 2 others are taken for it; a mean of means would be another figure.
        assert_eq!(forth.pixels.output.iou(0), Some(3.0 / 8.0));
        assert_eq!(forth.pixels.content.mean_iou(), Some(1.0));
        assert!(!forth.is_nothing() && AgreementFold::default().is_nothing());
    }
}
