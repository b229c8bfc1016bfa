//! Labels of levels: label ids or train ids, whichever the levels that occur can be.

use shared::dataset::classes::UNKNOWN;
use shared::dataset::entry::LabelKind;

use super::histogram::Histogram;
use super::ids::{Ids, is_strange, promised_ids};
use super::{MAX_MEANINGLESS, MEANINGLESS_TOLD, Reader};
use crate::error::InputError;
use crate::labels::cityscapes::LAST_LABEL_ID;

/// What levels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LevelIds {
    /// They are these.
    Are(Ids),
    /// They could be both, and the dataset's other labels are these.
    AreAsOthers(Ids),
    /// They are classes as ids of either kind.
    LookAlike,
    /// Some say one thing and some another.
    Untold,
}

impl Reader<'_> {
    /// Returns the kind of ids that levels are, and says if it is not what was promised.
    pub(super) fn levels(&mut self, histogram: &Histogram) -> Result<Ids, InputError> {
        let promised = promised_ids(self.reading.kind);
        let neither = |level: u8| is_strange(Ids::Label, level) && level != UNKNOWN;
        if histogram.share(neither) > MAX_MEANINGLESS
            && let Some(level) = histogram.values().find(|&level| neither(level))
        {
            return Err(self.untold(format!(
                "level {level} is no label id, no train id and no class colour"
            )));
        }
        let level_ids = self.level_ids(histogram);
        let (ids, look_alike) = match level_ids {
            LevelIds::Are(ids) | LevelIds::AreAsOthers(ids) => (ids, false),
            LevelIds::LookAlike => (promised, true),
            LevelIds::Untold => {
                return Err(self.untold(
                    "its levels could be label ids as well as train ids: none is 20 to 34"
                        .to_owned(),
                ));
            }
        };
        let is_levels_promised =
            matches!(self.reading.kind, LabelKind::LabelIds | LabelKind::TrainIds);
        if look_alike && !is_levels_promised {
            self.warn(format!(
                "its levels could be label ids as well as train ids: none is 20 to 34; it was read as {}, and \
                 labels = \"label-ids\" or \"train-ids\" in the settings of a run of another name (transfer: \
                 --content-labels, --style-labels) says what it is",
                ids.name()
            ));
        } else if ids != promised && level_ids == LevelIds::AreAsOthers(ids) {
            self.warn(format!(
                "its levels could be label ids as well as train ids, and other labels of the dataset are {}: it was read \
                 as {}",
                ids.name(),
                ids.name()
            ));
        } else if ids != promised {
            self.warn(format!(
                "its levels are {} where {} were expected: it was read as {}",
                ids.name(),
                promised.name(),
                ids.name()
            ));
        } else if self.reading.kind == LabelKind::Colour {
            self.warn(format!(
                "it has {} where class colours were expected: it was read as such",
                ids.name()
            ));
        }
        self.tell_meaningless(histogram.share(|id| is_strange(ids, id)));
        Ok(ids)
    }

    /// Returns what levels are.
    pub(super) fn level_ids(&self, histogram: &Histogram) -> LevelIds {
        if let Some(ids) = sure_ids(histogram) {
            return LevelIds::Are(ids);
        }
        let others = self.reading.look_alikes.map(Ids::from);
        if promised_ids(self.reading.kind) == Ids::Train && others != Some(Ids::Label) {
            return LevelIds::Are(Ids::Train);
        }
        if let Some(ids) = others {
            return LevelIds::AreAsOthers(ids);
        }
        if !has_train_ids_only(histogram) && !histogram.has(UNKNOWN) {
            return LevelIds::LookAlike;
        }
        // A file that is named for its label ids may be one of a test set, which shows nothing.
        let is_class = |level: u8| Ids::Label.train_id(level) != UNKNOWN;
        let is_named = self.reading.kind == LabelKind::LabelIds;
        if is_named && !histogram.values().any(is_class) {
            LevelIds::Are(Ids::Label)
        } else {
            LevelIds::Untold
        }
    }
}

/// Returns what levels are that could be nothing else.
pub(super) fn sure_ids(histogram: &Histogram) -> Option<Ids> {
    if has_label_ids_only(histogram) {
        Some(Ids::Label)
    } else if has_train_ids_only(histogram) && histogram.has(UNKNOWN) {
        Some(Ids::Train)
    } else {
        None
    }
}

/// Returns whether there are levels that are label ids and no train ids. A few such levels may be what a smooth edge between
/// two others left.
fn has_label_ids_only(histogram: &Histogram) -> bool {
    histogram.share(|level| (20..=LAST_LABEL_ID).contains(&level)) > MEANINGLESS_TOLD
}

/// Returns whether there are levels that are a class as train ids and none as label ids.
fn has_train_ids_only(histogram: &Histogram) -> bool {
    let is_class = |ids: Ids, level: u8| ids.train_id(level) != UNKNOWN;
    let mut levels = histogram.values().filter(|&level| level != 0);
    levels.any(|level| is_class(Ids::Train, level) && !is_class(Ids::Label, level))
}
