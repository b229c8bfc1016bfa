//! Labels whose ids or colours a table maps to classes: that of a layout with ids of its own, or one of the settings.
//!
//! Nothing is guessed: an id is what the table says. What it does not name is unlabelled, and told if there is much of it.
//! Of a layout that names all of its ids, a file in which many are others is another file.
//!
//! - `synthia`, `carla`: the tables of these layouts; `frame`: whether a frame of CARLA has tags or colours

mod carla;
mod frame;
mod synthia;

use ndarray::{Array2, Array3, ArrayView3, Zip};
use shared::dataset::ClassTable;
use shared::dataset::classes::UNKNOWN;
use shared::dataset::entry::LabelKind;

use self::frame::Frame;
use super::{Label, MAX_MEANINGLESS, MEANINGLESS_TOLD, Read, Reader, expected};
use crate::decode::label_file::too_deep;
use crate::decode::raw_pixels::RawPixels;
use crate::error::InputError;
use crate::files::LabelFile;

/// A label as its file has it, with the class of each pixel.
#[derive(Debug)]
pub(crate) struct MappedLabel {
    /// What the file holds.
    pub(crate) pixels: RawPixels,
    /// `(height, width)`.
    pub(crate) train_ids: Array2<u8>,
    /// How it was read, if it is a frame of CARLA.
    frame: Option<Frame>,
}

impl MappedLabel {
    /// Returns what `cut` leaves of its pixels, as they are stored: read by themselves they show what they show here.
    pub(crate) fn stored(&self, cut: impl FnOnce(ArrayView3<u8>) -> Array3<u8>) -> RawPixels {
        let pixels = RawPixels {
            format: self.pixels.format.clone(),
            bytes: cut(self.pixels.bytes.view()),
            described: self.pixels.described.clone(),
        };
        match self.frame {
            Some(frame) => frame.read_alike(pixels),
            None => pixels,
        }
    }
}

/// What says which class a pixel is.
pub(super) enum Mapping<'a> {
    /// SYNTHIA's classes.
    Synthia,
    /// CARLA's tags, of which this gives the train id, or its colours.
    Carla(fn(u8) -> Option<u8>),
    /// A table of the settings.
    Table(&'a ClassTable),
}

impl<'a> Mapping<'a> {
    /// Returns what says which class a pixel of a label is; none if they are of Cityscapes' kinds.
    pub(super) fn of(label: &LabelFile<'a>) -> Result<Option<Self>, InputError> {
        match label.reading.kind {
            LabelKind::PaletteIds
            | LabelKind::LabelIds
            | LabelKind::TrainIds
            | LabelKind::Colour => Ok(None),
            LabelKind::SynthiaIds => Ok(Some(Self::Synthia)),
            LabelKind::CarlaTags => Ok(Some(Self::Carla(carla::train_id))),
            LabelKind::OldCarlaTags => Ok(Some(Self::Carla(carla::train_id_of_old))),
            LabelKind::TableIds | LabelKind::TableFirstChannel | LabelKind::TableColours => {
                match label.classes {
                    Some(table) => Ok(Some(Self::Table(table))),
                    None => Err(InputError::NoClassTable {
                        name: label.file.name.to_owned(),
                    }),
                }
            }
        }
    }
}

/// Pixels with their classes, and how many have none because nothing names what they show.
struct Classified {
    train_ids: Array2<u8>,
    unnamed: f64,
    /// The first that nothing names, as people write it.
    first: Option<String>,
}

impl Classified {
    fn of_ids(ids: &Array2<u8>, train_id: impl Fn(u8) -> Option<u8>) -> Self {
        let table: [Option<u8>; 256] = std::array::from_fn(|id| train_id(id as u8));
        let mut counts = [0_u64; 256];
        ids.iter().for_each(|&id| counts[usize::from(id)] += 1);
        let of_unnamed = counts.iter().zip(&table).enumerate();
        let of_unnamed = of_unnamed.filter(|(_, (count, named))| **count > 0 && named.is_none());
        let unnamed: Vec<(usize, u64)> = of_unnamed.map(|(id, (count, _))| (id, *count)).collect();
        let num_unnamed: u64 = unnamed.iter().map(|(_, count)| count).sum();
        Self {
            train_ids: ids.mapv(|id| table[usize::from(id)].unwrap_or(UNKNOWN)),
            unnamed: share(num_unnamed, ids.len()),
            first: unnamed.first().map(|(id, _)| format!("id {id}")),
        }
    }

    fn of_colours(colours: ArrayView3<u8>, train_id: impl Fn([u8; 3]) -> Option<u8>) -> Self {
        let (height, width, _) = colours.dim();
        let mut train_ids = Array2::from_elem((height, width), UNKNOWN);
        // Neighbours mostly have one colour.
        let mut known = ([0; 3], train_id([0; 3]));
        let (mut num_unnamed, mut first) = (0_u64, None);
        Zip::from(&mut train_ids)
            .and(colours.rows())
            .for_each(|found, pixel| {
                let colour = [pixel[0], pixel[1], pixel[2]];
                if known.0 != colour {
                    known = (colour, train_id(colour));
                }
                if let Some(train_id) = known.1 {
                    *found = train_id;
                } else {
                    num_unnamed += 1;
                    first.get_or_insert(colour);
                }
            });
        let shown = |[red, green, blue]: [u8; 3]| format!("colour {red},{green},{blue}");
        Self {
            unnamed: share(num_unnamed, height * width),
            first: first.map(shown),
            train_ids,
        }
    }

    fn shows_a_class(&self) -> bool {
        self.train_ids.iter().any(|&train_id| train_id != UNKNOWN)
    }
}

fn share(part: u64, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl Reader<'_> {
    /// Returns the label that pixels are by what says which class each is.
    pub(super) fn mapped(mut self, pixels: RawPixels, mapping: &Mapping<'_>) -> Read {
        let (classified, frame) = match mapping {
            Mapping::Synthia => {
                let ids = self.first(&pixels)?;
                (Classified::of_ids(&ids, synthia::train_id), None)
            }
            Mapping::Carla(train_id) => {
                let read = Frame::read(&pixels, *train_id);
                let (frame, classified) = read.ok_or_else(|| self.deep())?;
                (classified, Some(frame))
            }
            Mapping::Table(table) => (self.by_table(&pixels, table)?, None),
        };
        let Classified {
            train_ids,
            unnamed,
            first,
        } = classified;
        if let Some(first) = first.filter(|_| unnamed > MEANINGLESS_TOLD) {
            let percent = 100.0 * unnamed;
            match mapping {
                Mapping::Table(_) => self.warn(format!(
                    "{percent:.1} % of its pixels show what the table of classes does not name, such as {first}, and \
                     count as unlabelled: name it, as \"ignore\" if it is no class"
                )),
                // What is stored was believed, and the part that is left of a file may have a larger share.
                Mapping::Synthia | Mapping::Carla(_)
                    if unnamed > MAX_MEANINGLESS && !self.reading.stated =>
                {
                    return Err(self.untold(format!(
                        "{percent:.0} % of its pixels show what this dataset does not have, such as {first}"
                    )));
                }
                Mapping::Synthia | Mapping::Carla(_) => self.warn(format!(
                    "{percent:.1} % of its pixels show what this dataset does not have, such as {first}, and count as \
                     unlabelled"
                )),
            }
        }
        let label = Label::Mapped(MappedLabel {
            pixels,
            train_ids,
            frame,
        });
        Ok((label, self.warnings))
    }

    fn by_table(&self, pixels: &RawPixels, table: &ClassTable) -> Result<Classified, InputError> {
        match self.reading.kind {
            LabelKind::TableColours => {
                let colours = pixels.colours().ok_or_else(|| self.deep())?;
                Ok(Classified::of_colours(colours.view(), |colour| {
                    table.train_id_of_colour(colour)
                }))
            }
            LabelKind::TableFirstChannel => {
                let ids = self.first(pixels)?;
                Ok(Classified::of_ids(&ids, |id| table.train_id_of_id(id)))
            }
            LabelKind::PaletteIds
            | LabelKind::LabelIds
            | LabelKind::TrainIds
            | LabelKind::Colour
            | LabelKind::SynthiaIds
            | LabelKind::CarlaTags
            | LabelKind::OldCarlaTags
            | LabelKind::TableIds => {
                let ids = pixels.values().ok_or_else(|| self.no_values(pixels))?;
                Ok(Classified::of_ids(&ids, |id| table.train_id_of_id(id)))
            }
        }
    }

    fn first(&self, pixels: &RawPixels) -> Result<Array2<u8>, InputError> {
        pixels.first_channel().ok_or_else(|| self.deep())
    }

    fn deep(&self) -> InputError {
        too_deep(self.name, expected(self.reading.kind), &self.described)
    }

    /// Says why pixels are no ids of one channel.
    fn no_values(&self, pixels: &RawPixels) -> InputError {
        if pixels.first_channel().is_none() {
            return self.deep();
        }
        InputError::LabelFormat {
            name: self.name.to_owned(),
            expected: expected(self.reading.kind),
            found: format!("{} that is not grey", self.described),
        }
    }
}
