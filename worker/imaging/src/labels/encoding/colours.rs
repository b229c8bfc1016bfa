//! Labels of class colours.

use ndarray::{Array3, Axis};
use shared::dataset::entry::LabelKind;

use super::ids::promised_ids;
use super::{Label, MAX_MEANINGLESS, MEANINGLESS_TOLD, Reader};
use crate::error::InputError;
use crate::labels::cityscapes;

impl Reader<'_> {
    /// Returns the label that colours are.
    pub(super) fn colours(&mut self, colours: Array3<u8>) -> Result<Label, InputError> {
        let meaningless = share_of_other_colours(&colours);
        if meaningless > MAX_MEANINGLESS {
            let mut swapped = colours;
            swapped.invert_axis(Axis(2));
            let is_swapped = share_of_other_colours(&swapped) < MEANINGLESS_TOLD;
            let hint = if is_swapped {
                " (but they are with red and blue exchanged)"
            } else {
                ""
            };
            return Err(self.untold(format!(
                "{:.0} % of its pixels have colours that are not those of Cityscapes{hint}",
                100.0 * meaningless
            )));
        }
        if self.reading.kind != LabelKind::Colour {
            self.warn(format!(
                "it has class colours where {} were expected: the colours were believed",
                promised_ids(self.reading.kind).name()
            ));
        }
        self.tell_meaningless(meaningless);
        Ok(Label::Colours(colours))
    }
}

/// Returns the share of pixels whose colours are not those of Cityscapes.
pub(super) fn share_of_other_colours(colours: &Array3<u8>) -> f64 {
    let mut known = ([0; 3], true);
    let mut others = 0_u64;
    for pixel in colours.lanes(Axis(2)) {
        let colour = [pixel[0], pixel[1], pixel[2]];
        // Neighbours mostly have one colour.
        if known.0 != colour {
            known = (colour, cityscapes::label_id_of_colour(colour).is_some());
        }
        others += u64::from(!known.1);
    }
    others as f64 / (colours.len() / 3).max(1) as f64
}
