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
//!
//! The class of a pixel depends on the file and on what the plan says of it, so that every command reads a label of a run
//! alike. What is stored follows the promise, and is of one kind for all contents of a run ([`super::stored`]).

use ndarray::{Array2, Array3, Axis};
use shared::dataset::entry::{IdKind, LabelKind, LabelReading};

use super::cityscapes::{self, LAST_LABEL_ID, UNLABELLED};
use super::label_file::{self, LabelPixels, Pixels};
use crate::error::InputError;
use crate::prepare::{LabelFile, NamedBytes};
use shared::dataset::classes::{
    UNKNOWN, train_id_of_colour, train_id_of_label_id, train_id_of_train_id,
};
use shared::warning::{ItemWarning, WarningKind};

/// The share of pixels that may mean nothing before a label is taken for something else. Edges that were smoothed when
/// a label was resized are some percent; a label that was a JPEG once is mostly such pixels.
const MAX_MEANINGLESS: f64 = 0.2;

/// The share of pixels that may mean nothing without a word.
const MEANINGLESS_TOLD: f64 = 0.01;

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

    fn name(self) -> &'static str {
        match self {
            Self::Label => "label ids",
            Self::Train => "train ids",
        }
    }

    fn kind(self) -> IdKind {
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

/// What a label tells of the ids of its dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdEvidence {
    /// Whether it has levels, which may be ids of either kind.
    pub has_levels: bool,
    /// What its ids surely are, by themselves or by their colours; none if they could be both, or it has none.
    pub ids: Option<IdKind>,
}

/// What levels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LevelIds {
    /// They are these.
    Are(Ids),
    /// They could be both, and the dataset's other labels are these.
    AreAsOthers(Ids),
    /// They are classes as ids of either kind.
    LookAlike,
    /// Some say one thing and some another.
    Untold,
}

/// A label whose meaning is known.
#[derive(Debug)]
pub(crate) enum Label {
    /// Ids `(height, width)`, and the palette of a palette image.
    Ids(Ids, Array2<u8>, Option<Vec<u8>>),
    /// Class colours `(height, width, 3)`.
    Colours(Array3<u8>),
}

impl Label {
    /// Returns the width and the height.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (height, width) = match self {
            Label::Ids(_, ids, _) => ids.dim(),
            Label::Colours(colours) => (colours.dim().0, colours.dim().1),
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
    let pixels = label_file::read(label.file)?;
    let reader = Reader {
        name: label.file.name,
        described: pixels.described.clone(),
        reading: label.reading,
        warnings: Vec::new(),
    };
    if label.reading.stated {
        reader.read_as_stated(pixels)
    } else {
        reader.by_content(pixels)
    }
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

/// Returns what levels are that could be nothing else.
fn sure_ids(histogram: &Histogram) -> Option<Ids> {
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

/// Returns whether the indices that occur have colours that name the same classes as ids of a kind, and there are some.
fn agree(histogram: &Histogram, ids: Ids, colour: impl Fn(u8) -> [u8; 3]) -> bool {
    let agrees = |index: u8| says_the_same(ids, index, colour(index));
    let is_class = |index: u8| ids.train_id(index) != UNKNOWN;
    histogram.values().all(agrees) && histogram.values().any(is_class)
}

/// Returns whether the palette of an image of levels is the ramp of greys that tools give to one.
fn is_ramp(histogram: &Histogram, colour: impl Fn(u8) -> [u8; 3]) -> bool {
    histogram.values().all(|index| colour(index) == [index; 3])
}

struct Reader<'a> {
    name: &'a str,
    described: String,
    reading: LabelReading,
    warnings: Vec<ItemWarning>,
}

type Read = Result<(Label, Vec<ItemWarning>), InputError>;

impl Reader<'_> {
    fn read_as_stated(mut self, LabelPixels { pixels, .. }: LabelPixels) -> Read {
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
            | (LabelKind::Colour, Pixels::Levels(_)) => {
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
        };
        self.tell_meaningless(meaningless);
        Ok((label, self.warnings))
    }

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

    fn palette(&mut self, indices: Array2<u8>, palette: Vec<u8>) -> Result<Label, InputError> {
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
    fn ids_of_colours(&self, indices: &Array2<u8>, palette: &[u8]) -> Array2<u8> {
        let label_id = |index: u8| {
            let colour = colour_at(palette, index);
            cityscapes::label_id_of_colour(colour).unwrap_or(UNLABELLED)
        };
        let table: [u8; 256] = std::array::from_fn(|index| label_id(index as u8));
        indices.mapv(|index| table[usize::from(index)])
    }

    fn levels(&mut self, histogram: &Histogram) -> Result<Ids, InputError> {
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
        let is_levels_promised = match self.reading.kind {
            LabelKind::LabelIds | LabelKind::TrainIds => true,
            LabelKind::PaletteIds | LabelKind::Colour => false,
        };
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
    fn level_ids(&self, histogram: &Histogram) -> LevelIds {
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

    fn colours(&mut self, colours: Array3<u8>) -> Result<Label, InputError> {
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
        }
    }
}

/// Returns what ids are if a file has any.
fn promised_ids(kind: LabelKind) -> Ids {
    match kind {
        LabelKind::TrainIds => Ids::Train,
        LabelKind::PaletteIds | LabelKind::LabelIds | LabelKind::Colour => Ids::Label,
    }
}

/// Returns whether the colours of a palette that occur are greys that are ids, some of them of a class. The greys of
/// labels that are no class are colours of their own indices.
fn are_grey_ids(histogram: &Histogram, colour: impl Fn(u8) -> [u8; 3]) -> bool {
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

/// Returns whether an id is none that any dataset has.
fn is_strange(ids: Ids, id: u8) -> bool {
    match ids {
        Ids::Label => id > LAST_LABEL_ID && id != UNKNOWN,
        Ids::Train => id > 19 && id != UNKNOWN,
    }
}

fn share_of_other_colours(colours: &Array3<u8>) -> f64 {
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

fn colour_at(palette: &[u8], index: u8) -> [u8; 3] {
    let at = 3 * usize::from(index);
    let colour = palette.get(at..at + 3);
    colour.map_or([0; 3], |colour| [colour[0], colour[1], colour[2]])
}

fn shown([red, green, blue]: [u8; 3]) -> String {
    format!("{red},{green},{blue}")
}

fn class_name(label_id: u8) -> &'static str {
    let train_id = train_id_of_label_id(label_id);
    let class = shared::dataset::classes::CLASSES.get(usize::from(train_id));
    class.map_or("no class", |class| class.name)
}

/// What a label of each kind must be.
pub(crate) fn expected(kind: LabelKind) -> &'static str {
    match kind {
        LabelKind::PaletteIds => "palette indices that are Cityscapes label ids",
        LabelKind::LabelIds => "8-bit greyscale Cityscapes label ids",
        LabelKind::TrainIds => "8-bit greyscale Cityscapes train ids",
        LabelKind::Colour => "8-bit RGB or RGBA Cityscapes class colours",
    }
}

/// How many pixels have each value.
struct Histogram([u64; 256]);

impl Histogram {
    fn of(values: &Array2<u8>) -> Self {
        let mut counts = [0; 256];
        values
            .iter()
            .for_each(|&value| counts[usize::from(value)] += 1);
        Self(counts)
    }

    /// Returns the values that occur.
    fn values(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|&value| self.0[usize::from(value)] > 0)
    }

    /// Returns whether a value occurs.
    fn has(&self, value: u8) -> bool {
        self.0[usize::from(value)] > 0
    }

    /// Returns the share of pixels whose values are so.
    fn share(&self, is_so: impl Fn(u8) -> bool) -> f64 {
        let all: u64 = self.0.iter().sum();
        let so = self.values().filter(|&value| is_so(value));
        let so: u64 = so.map(|value| self.0[usize::from(value)]).sum();
        so as f64 / all.max(1) as f64
    }
}
