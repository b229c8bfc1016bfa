//! What a label tells of the ids of its dataset, so that those of its labels that do not tell by themselves can be read.

use shared::dataset::entry::IdKind;

use super::histogram::Histogram;
use super::ids::Ids;
use super::levels::sure_ids;
use super::palette::{agree, are_grey_ids, is_ramp};
use crate::decode::label_file::{self, LabelPixels, Pixels};
use crate::decode::raw_pixels::colour_at;
use crate::files::NamedBytes;

/// What a label tells of the ids of its dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdEvidence {
    /// Whether it has levels, which may be ids of either kind.
    pub has_levels: bool,
    /// What its ids surely are, by themselves or by their colours; none if they could be both, or it has none.
    pub ids: Option<IdKind>,
}

/// Returns what a label tells of the ids of its dataset, whatever is promised of it. One that cannot be read tells nothing.
#[must_use]
pub fn id_evidence(file: NamedBytes<'_>) -> IdEvidence {
    let Ok(LabelPixels { pixels, .. }) = label_file::read(file) else {
        return IdEvidence::default();
    };
    match pixels {
        Pixels::Levels(levels) => evidence_of_levels(&Histogram::of(&levels)),
        Pixels::Indices(indices, palette) => {
            let histogram = Histogram::of(&indices);
            let colour = |index: u8| colour_at(&palette, index);
            let agree = |ids: Ids| agree(&histogram, ids, colour);
            match (agree(Ids::Label), agree(Ids::Train)) {
                (true, false) => evidence_of_palette(Ids::Label),
                (false, true) => evidence_of_palette(Ids::Train),
                (true, true) => IdEvidence::default(),
                (false, false) if is_ramp(&histogram, colour) => evidence_of_levels(&histogram),
                (false, false) if are_grey_ids(&histogram, colour) => {
                    let levels = indices.mapv(|index| colour(index)[0]);
                    evidence_of_levels(&Histogram::of(&levels))
                }
                (false, false) => IdEvidence::default(),
            }
        }
        Pixels::Colours(_) => IdEvidence::default(),
    }
}

fn evidence_of_palette(ids: Ids) -> IdEvidence {
    IdEvidence {
        has_levels: false,
        ids: Some(ids.kind()),
    }
}

fn evidence_of_levels(histogram: &Histogram) -> IdEvidence {
    IdEvidence {
        has_levels: true,
        ids: sure_ids(histogram).map(Ids::kind),
    }
}
