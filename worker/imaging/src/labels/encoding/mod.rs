//! What the pixels of a label mean: the one reader of labels.
//!
//! A file says what it is, and what its name, its layout or a sibling promises counts only where the file alone does
//! not tell. What the settings state (`labels = "..."`) is not questioned.
//!
//! - **Palette images.** For the pixels that occur, the class that an index is as a label id must be the class of its
//!   colour; a colour that several labels share counts for each. Then the indices are label ids (or train ids, where
//!   those are promised and the same holds for them). If the two contradict each other and the colours are
//!   Cityscapes', the colours are believed. If the colours are not, it cannot be told and the file is refused. A grey
//!   ramp, which tools give to images of levels, says nothing: the indices are levels. Other greys that are ids are what
//!   an optimiser made of such an image: they are the levels.
//! - **Levels.** Those of 20 to 34 are label ids, and no street is without them (vegetation, sky, cars). Where there are
//!   none and train ids are not promised either, 255 and ids that are a class as train ids only make them train ids;
//!   one of the two alone leaves it untold. With neither, ids of both kinds look alike and the promise holds, with a
//!   warning where that was a palette or colours: levels are not what was promised, so there may be more that is not.
//! - **Levels of a dataset.** Where a file alone does not tell, the dataset's other labels may: if all of a sample of
//!   them that tell are of one kind, those that do not are as well ([`id_evidence`]). It is taken once, when a run is
//!   planned, and written into the plan beside each label, so that neither shards nor machines nor their order decide.
//!   If the sample tells of both kinds, or of none, a file is read as if it were alone.
//! - **Colours.** Class colours, if no more than a share of the pixels has others.
//! - **Other datasets.** Where the layout has ids of its own, or the settings have a table of ids or colours, a table says
//!   the class of each, and nothing is guessed.
//!
//! The class of a pixel depends on the file and on what the plan says of it, so that every command reads a label of a run
//! alike. What is stored follows the promise, and is of one kind for all contents of a run ([`super::stored`]).
//!
//! - `ids`: what ids are; `histogram`: which of them occur
//! - `stated`: a label read as the settings state
//! - `palette`, `levels`, `colours`: a label read by what it shows
//! - `mapped`: a label read by a table of a layout or of the settings
//! - `evidence`: what a label tells of its dataset

mod colours;
mod evidence;
mod histogram;
mod ids;
mod levels;
mod mapped;
mod palette;
mod stated;

use ndarray::{Array2, Array3};
use shared::dataset::entry::{LabelKind, LabelReading};
use shared::warning::{ItemWarning, WarningKind};

pub use self::evidence::{IdEvidence, id_evidence};
use self::histogram::Histogram;
pub(crate) use self::ids::Ids;
use self::mapped::{MappedLabel, Mapping};
use crate::decode::label_file::{self, LabelPixels, Pixels};
use crate::error::InputError;
use crate::files::LabelFile;

/// The share of pixels that may mean nothing before a label is taken for something else. Edges that were smoothed when
/// a label was resized are some percent; a label that was a JPEG once is mostly such pixels.
const MAX_MEANINGLESS: f64 = 0.2;

/// The share of pixels that may mean nothing without a word.
const MEANINGLESS_TOLD: f64 = 0.01;

/// A label whose meaning is known.
#[derive(Debug)]
pub(crate) enum Label {
    /// Ids `(height, width)`, and the palette of a palette image.
    Ids(Ids, Array2<u8>, Option<Vec<u8>>),
    /// Class colours `(height, width, 3)`.
    Colours(Array3<u8>),
    /// What a table maps to classes.
    Mapped(MappedLabel),
}

impl Label {
    /// Returns the width and the height.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (height, width) = match self {
            Label::Ids(_, ids, _) => ids.dim(),
            Label::Colours(colours) => (colours.dim().0, colours.dim().1),
            Label::Mapped(mapped) => mapped.train_ids.dim(),
        };
        (width, height)
    }
}

/// Returns a label, and what was found other than promised.
///
/// # Errors
///
/// [`InputError`] if the file is damaged, is not what the settings state, or it cannot be told what it is.
pub(crate) fn read(label: LabelFile<'_>) -> Result<(Label, Vec<ItemWarning>), InputError> {
    let reader = |described: &str| Reader {
        name: label.file.name,
        described: described.to_owned(),
        reading: label.reading,
        warnings: Vec::new(),
    };
    if let Some(mapping) = Mapping::of(&label)? {
        let pixels = label_file::read_raw(label.file)?;
        return reader(&pixels.described).mapped(pixels, &mapping);
    }
    let pixels = label_file::read(label.file)?;
    let reader = reader(&pixels.described);
    if label.reading.stated {
        reader.read_as_stated(pixels)
    } else {
        reader.by_content(pixels)
    }
}

/// A label that is being read.
struct Reader<'a> {
    name: &'a str,
    described: String,
    reading: LabelReading,
    warnings: Vec<ItemWarning>,
}

type Read = Result<(Label, Vec<ItemWarning>), InputError>;

impl Reader<'_> {
    /// Returns the label that the pixels show.
    fn by_content(mut self, LabelPixels { pixels, .. }: LabelPixels) -> Read {
        let label = match pixels {
            Pixels::Indices(indices, palette) => self.palette(indices, palette)?,
            Pixels::Levels(levels) => {
                let ids = self.levels(&Histogram::of(&levels))?;
                Label::Ids(ids, levels, None)
            }
            Pixels::Colours(colours) => self.colours(colours)?,
        };
        Ok((label, self.warnings))
    }

    fn tell_meaningless(&mut self, share: f64) {
        if share > MEANINGLESS_TOLD {
            self.warn(format!(
                "{:.1} % of its pixels are neither an id nor a colour of Cityscapes and count as unlabelled",
                100.0 * share
            ));
        }
    }

    fn warn(&mut self, found: String) {
        self.warnings.push(ItemWarning {
            kind: WarningKind::LabelEncoding,
            text: format!("{} is {}: {found}", self.name, self.described),
        });
    }

    fn untold(&self, found: String) -> InputError {
        InputError::LabelUntold {
            name: self.name.to_owned(),
            described: self.described.clone(),
            found,
            expected: expected(self.reading.kind),
            helps: helps(self.reading.kind),
        }
    }
}

/// What can say what a label is that was to be of a kind and cannot be told.
fn helps(kind: LabelKind) -> &'static str {
    match kind {
        LabelKind::PaletteIds | LabelKind::LabelIds | LabelKind::TrainIds | LabelKind::Colour => {
            "labels = \"label-ids\", \"train-ids\" or \"colour\" in the settings of a run of another name (transfer: \
             --content-labels, --style-labels)"
        }
        LabelKind::SynthiaIds
        | LabelKind::CarlaTags
        | LabelKind::OldCarlaTags
        | LabelKind::TableIds
        | LabelKind::TableFirstChannel
        | LabelKind::TableColours => {
            "another layout, or `[content.classes]` in the settings of a run of another name (transfer: --content-classes, \
             --style-classes)"
        }
    }
}

/// What a label of each kind must be.
pub(crate) fn expected(kind: LabelKind) -> &'static str {
    match kind {
        LabelKind::PaletteIds => "palette indices that are Cityscapes label ids",
        LabelKind::LabelIds => "8-bit greyscale Cityscapes label ids",
        LabelKind::TrainIds => "8-bit greyscale Cityscapes train ids",
        LabelKind::Colour => "8-bit RGB or RGBA Cityscapes class colours",
        LabelKind::SynthiaIds => "SYNTHIA's class ids, 0 to 22, in the first channel",
        LabelKind::CarlaTags => {
            "CARLA's tags as from 0.9.14 on, 0 to 29, in the first channel, or the colours of its palette"
        }
        LabelKind::OldCarlaTags => {
            "CARLA's tags as up to 0.9.13, 0 to 22, in the first channel, or the colours of its palette"
        }
        LabelKind::TableIds => "ids in one channel, of which the table of classes names some",
        LabelKind::TableFirstChannel => {
            "ids in the first channel, of which the table of classes names some"
        }
        LabelKind::TableColours => "colours of which the table of classes names some",
    }
}
