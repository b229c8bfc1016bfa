//! Labels whose encoding the settings state: they are read as stated, or refused.

use shared::dataset::entry::LabelKind;

use super::colours::share_of_other_colours;
use super::histogram::Histogram;
use super::ids::{Ids, is_strange};
use super::{Label, Read, Reader, expected};
use crate::decode::label_file::{LabelPixels, Pixels};
use crate::decode::raw_pixels::colour_at;
use crate::error::InputError;
use crate::labels::cityscapes;

impl Reader<'_> {
    /// Returns the label as the settings state it.
    pub(super) fn read_as_stated(mut self, LabelPixels { pixels, .. }: LabelPixels) -> Read {
        let label = match (self.reading.kind, pixels) {
            (LabelKind::PaletteIds | LabelKind::LabelIds, Pixels::Indices(ids, palette)) => {
                Label::Ids(Ids::Label, ids, Some(palette))
            }
            (LabelKind::LabelIds, Pixels::Levels(ids)) => Label::Ids(Ids::Label, ids, None),
            (LabelKind::TrainIds, Pixels::Indices(ids, palette)) => {
                Label::Ids(Ids::Train, ids, Some(palette))
            }
            (LabelKind::TrainIds, Pixels::Levels(ids)) => Label::Ids(Ids::Train, ids, None),
            (LabelKind::Colour, Pixels::Indices(indices, palette)) => {
                let is_other =
                    |index| cityscapes::label_id_of_colour(colour_at(&palette, index)).is_none();
                self.tell_meaningless(Histogram::of(&indices).share(is_other));
                let ids = self.ids_of_colours(&indices, &palette);
                Label::Ids(Ids::Label, ids, Some(cityscapes::palette()))
            }
            (LabelKind::Colour, Pixels::Colours(colours)) => Label::Colours(colours),
            (LabelKind::PaletteIds, Pixels::Levels(_) | Pixels::Colours(_))
            | (LabelKind::LabelIds | LabelKind::TrainIds, Pixels::Colours(_))
            | (LabelKind::Colour, Pixels::Levels(_))
            | (
                LabelKind::SynthiaIds
                | LabelKind::CarlaTags
                | LabelKind::OldCarlaTags
                | LabelKind::TableIds
                | LabelKind::TableFirstChannel
                | LabelKind::TableColours,
                _,
            ) => {
                return Err(InputError::LabelFormat {
                    name: self.name.to_owned(),
                    expected: expected(self.reading.kind),
                    found: self.described,
                });
            }
        };
        let meaningless = match &label {
            Label::Ids(ids, values, _) => Histogram::of(values).share(|id| is_strange(*ids, id)),
            Label::Colours(colours) => share_of_other_colours(colours),
            // A table tells by itself what it does not name.
            Label::Mapped(_) => 0.0,
        };
        self.tell_meaningless(meaningless);
        Ok((label, self.warnings))
    }
}
