//! The two kinds of ids that a pixel may have.

use shared::dataset::classes::{UNKNOWN, train_id_of_label_id, train_id_of_train_id};
use shared::dataset::entry::{IdKind, LabelKind};

use crate::labels::cityscapes::LAST_LABEL_ID;

/// What ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    Label,
    Train,
}

impl Ids {
    /// Returns the train id of an id.
    pub(crate) fn train_id(self, id: u8) -> u8 {
        match self {
            Self::Label => train_id_of_label_id(id),
            Self::Train => train_id_of_train_id(id),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Label => "label ids",
            Self::Train => "train ids",
        }
    }

    pub(super) fn kind(self) -> IdKind {
        match self {
            Self::Label => IdKind::LabelIds,
            Self::Train => IdKind::TrainIds,
        }
    }
}

impl From<IdKind> for Ids {
    fn from(kind: IdKind) -> Self {
        match kind {
            IdKind::LabelIds => Self::Label,
            IdKind::TrainIds => Self::Train,
        }
    }
}

/// Returns what ids are if a file has any.
pub(super) fn promised_ids(kind: LabelKind) -> Ids {
    match kind {
        LabelKind::TrainIds => Ids::Train,
        LabelKind::PaletteIds
        | LabelKind::LabelIds
        | LabelKind::Colour
        | LabelKind::SynthiaIds
        | LabelKind::CarlaTags
        | LabelKind::OldCarlaTags
        | LabelKind::TableIds
        | LabelKind::TableFirstChannel
        | LabelKind::TableColours => Ids::Label,
    }
}

/// Returns whether an id is none that any dataset has.
pub(super) fn is_strange(ids: Ids, id: u8) -> bool {
    match ids {
        Ids::Label => id > LAST_LABEL_ID && id != UNKNOWN,
        Ids::Train => id > 19 && id != UNKNOWN,
    }
}
