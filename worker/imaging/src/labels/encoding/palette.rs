//! Labels with a palette: indices that are ids if their colours agree, and else what the colours say.

use ndarray::Array2;
use shared::dataset::classes::{CLASSES, UNKNOWN, train_id_of_colour, train_id_of_label_id};
use shared::dataset::entry::LabelKind;

use super::histogram::Histogram;
use super::ids::{Ids, is_strange, promised_ids};
use super::levels::LevelIds;
use super::{Label, MAX_MEANINGLESS, Reader};
use crate::decode::raw_pixels::colour_at;
use crate::error::InputError;
use crate::labels::cityscapes::{self, UNLABELLED};

impl Reader<'_> {
    /// Returns the label that indices and their palette are.
    pub(super) fn palette(
        &mut self,
        indices: Array2<u8>,
        palette: Vec<u8>,
    ) -> Result<Label, InputError> {
        let histogram = Histogram::of(&indices);
        let colour = |index: u8| colour_at(&palette, index);
        let agrees = |ids: Ids| agree(&histogram, ids, colour);
        let promised = promised_ids(self.reading.kind);
        if let Some(ids) = [promised, Ids::Label].into_iter().find(|&ids| agrees(ids)) {
            if ids == Ids::Label && self.level_ids(&histogram) == LevelIds::Are(Ids::Train) {
                return Err(self.untold(
                    "its palette is that of label ids, but 255 is none and 20 to 34 do not occur"
                        .to_owned(),
                ));
            }
            if ids != promised {
                self.warn(format!(
                    "its indices and its palette are those of {} where {} were expected",
                    ids.name(),
                    promised.name()
                ));
            }
            let strange = histogram.share(|id| is_strange(ids, id));
            self.tell_meaningless(strange);
            return Ok(Label::Ids(ids, indices, Some(palette)));
        }
        if is_ramp(&histogram, colour) {
            let ids = self.levels(&histogram)?;
            return Ok(Label::Ids(ids, indices, Some(palette)));
        }
        if are_grey_ids(&histogram, colour) {
            self.warn(
                "its palette is grey and its indices are no ids: the greys were read as levels"
                    .to_owned(),
            );
            let levels = indices.mapv(|index| colour(index)[0]);
            let ids = self.levels(&Histogram::of(&levels))?;
            return Ok(Label::Ids(ids, levels, None));
        }
        let label_id = |index: u8| cityscapes::label_id_of_colour(colour(index));
        let is_class = |index: u8| train_id_of_colour(colour(index)) != UNKNOWN;
        let meaningless = histogram.share(|index| label_id(index).is_none());
        let mut contradicting = histogram
            .values()
            .filter(|&index| !says_the_same(Ids::Label, index, colour(index)));
        let Some(first) = contradicting.next() else {
            // Neither names any class.
            return Ok(Label::Ids(Ids::Label, indices, Some(palette)));
        };
        let class_elsewhere = is_class(first) || contradicting.any(is_class);
        if !class_elsewhere || meaningless > MAX_MEANINGLESS {
            return Err(self.untold(format!(
                "index {first} has the colour {}, which is not that of {} as a label id",
                shown(colour(first)),
                class_name(first)
            )));
        }
        if self.reading.kind != LabelKind::Colour {
            let found = if agrees(Ids::Train) {
                "its indices are train ids"
            } else {
                "its indices are not label ids"
            };
            self.warn(format!(
                "its palette has Cityscapes colours and {found}: the colours were believed"
            ));
        }
        self.tell_meaningless(meaningless);
        let ids = self.ids_of_colours(&indices, &palette);
        Ok(Label::Ids(Ids::Label, ids, Some(cityscapes::palette())))
    }

    /// Returns the label ids of palette indices by their colours.
    pub(super) fn ids_of_colours(&self, indices: &Array2<u8>, palette: &[u8]) -> Array2<u8> {
        let label_id = |index: u8| {
            let colour = colour_at(palette, index);
            cityscapes::label_id_of_colour(colour).unwrap_or(UNLABELLED)
        };
        let table: [u8; 256] = std::array::from_fn(|index| label_id(index as u8));
        indices.mapv(|index| table[usize::from(index)])
    }
}

/// Returns whether the indices that occur have colours that name the same classes as ids of a kind, and there are some.
pub(super) fn agree(histogram: &Histogram, ids: Ids, colour: impl Fn(u8) -> [u8; 3]) -> bool {
    let agrees = |index: u8| says_the_same(ids, index, colour(index));
    let is_class = |index: u8| ids.train_id(index) != UNKNOWN;
    histogram.values().all(agrees) && histogram.values().any(is_class)
}

/// Returns whether the palette of an image of levels is the ramp of greys that tools give to one.
pub(super) fn is_ramp(histogram: &Histogram, colour: impl Fn(u8) -> [u8; 3]) -> bool {
    histogram.values().all(|index| colour(index) == [index; 3])
}

/// Returns whether the colours of a palette that occur are greys that are ids, some of them of a class. The greys of
/// labels that are no class are colours of their own indices.
pub(super) fn are_grey_ids(histogram: &Histogram, colour: impl Fn(u8) -> [u8; 3]) -> bool {
    let is_class = |id: u8| {
        let is_class = |ids: Ids| ids.train_id(id) != UNKNOWN;
        id != 0 && (is_class(Ids::Label) || is_class(Ids::Train))
    };
    let is_grey_id = |index: u8| {
        let [level, ..] = colour(index);
        // A few classes have grey colours, which are no ids.
        let is_grey = colour(index) == [level; 3] && train_id_of_colour([level; 3]) == UNKNOWN;
        is_grey && !is_strange(Ids::Label, level)
    };
    let is_own = |index: u8| cityscapes::has_colour(index, colour(index));
    histogram.values().all(is_grey_id)
        && histogram.values().any(|index| is_class(colour(index)[0]))
        && !histogram.values().all(is_own)
}

/// Returns whether an id and its colour in a palette name the same class, or both none.
fn says_the_same(ids: Ids, id: u8, colour: [u8; 3]) -> bool {
    let shares = ids == Ids::Label && cityscapes::has_colour(id, colour);
    shares || ids.train_id(id) == train_id_of_colour(colour)
}

fn shown([red, green, blue]: [u8; 3]) -> String {
    format!("{red},{green},{blue}")
}

fn class_name(label_id: u8) -> &'static str {
    let train_id = train_id_of_label_id(label_id);
    let class = CLASSES.get(usize::from(train_id));
    class.map_or("no class", |class| class.name)
}
