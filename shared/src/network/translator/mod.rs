//! What a translator takes and gives: a content's image or label, a photograph and noise, and an image of the same size.

#[cfg(test)]
mod tests;

use serde::Deserialize;

use super::{Network, NetworkContract};
use crate::dataset::classes::NUM_CLASSES;
use crate::model::sizes::{MAX_PIXELS, MAX_SIDE};
use crate::model::{ContractError, Dimension, ImageSize, PIXELS_PER_LATENT, TensorContract};
use crate::wording::{one_line, shortened};

/// What a graph of a translator gives: an image `(batch, 3, height, width)`.
pub const TRANSLATOR_OUTPUT: &str = "output";

/// The batch of a tensor, where it is free.
const BATCH: &str = "batch";
/// Structural similarity looks at windows of eleven pixels, and labels of latents are an eighth as large.
const MIN_SIDE: usize = 16;
/// Numbers in the noise of an item.
const MAX_NOISE: usize = 1 << 26;
/// How far from 0 black and white may be.
const FARTHEST: f32 = 65_535.0;
/// The least value of white: bytes are told apart in between.
const LEAST_WHITE: f32 = 0.001;
/// Bytes of a name that a message shows.
const MOST_NAME_BYTES: usize = 60;

crate::enumerated! {
    /// What a graph of a translator may take, each with a batch before it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum TranslatorInput {
        /// The content, `(3, height, width)`.
        Image,
        /// Its label, one-hot, `(classes, height, width)`.
        Label,
        /// The photograph, `(3, height, width)`.
        Style,
        /// Independent normal draws of the item, `(numbers)` or `(channels, height, width)`.
        Noise,
    }
}

impl TranslatorInput {
    /// Returns its name in the graph.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Label => "label",
            Self::Style => "style",
            Self::Noise => "noise",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|input| input.as_str() == name)
    }
}

/// What the numbers of a translator mean.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Translation {
    /// The range of images that it takes.
    pub input_range: ValueRange,
    /// The range of images that it gives; what is beyond is black or white.
    pub output_range: ValueRange,
    /// What a pixel of no known class is in a label; none of a translator that takes no label.
    pub unknown: Option<UnknownPixels>,
}

/// The values of black and of white.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(from = "[f32; 2]")]
pub struct ValueRange {
    /// That of byte 0.
    pub black: f32,
    /// That of byte 255.
    pub white: f32,
}

impl From<[f32; 2]> for ValueRange {
    fn from([black, white]: [f32; 2]) -> Self {
        Self { black, white }
    }
}

/// What a pixel of no known class is in a one-hot label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownPixels {
    /// It is zero in the channels of all classes.
    Zeros,
    /// It has a channel of its own after those of the classes.
    Channel,
}

impl UnknownPixels {
    /// Returns the channels of a label.
    #[must_use]
    pub fn num_channels(self) -> usize {
        match self {
            Self::Zeros => NUM_CLASSES,
            Self::Channel => NUM_CLASSES + 1,
        }
    }
}

impl Network {
    /// Returns which range of a translator is out of its bounds, if one is.
    pub(super) fn check_translation(&self) -> Result<(), String> {
        let Some(translation) = &self.translation else {
            return Ok(());
        };
        for (key, range) in [
            ("input_range", translation.input_range),
            ("output_range", translation.output_range),
        ] {
            let ValueRange { black, white } = range;
            let is_black = (-FARTHEST..=0.0).contains(&black);
            if !is_black || !(LEAST_WHITE..=FARTHEST).contains(&white) {
                return Err(format!(
                    "has {key} {black} to {white}, which must be from {} to 0 and from {LEAST_WHITE} to {FARTHEST}; \
                     export the network again",
                    -FARTHEST
                ));
            }
        }
        Ok(())
    }
}

/// What a translator takes, and the sizes of that and of what it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct TranslatorShapes {
    /// Height and width of images and labels.
    pub image: (usize, usize),
    /// Whether it takes the content's image.
    pub takes_image: bool,
    /// What a pixel of no known class is in the content's label; none if it takes no label.
    pub label: Option<UnknownPixels>,
    /// Whether it takes the photograph.
    pub takes_style: bool,
    /// The shape of an item's noise, of one length or of three; none if it takes no noise.
    pub noise: Option<Vec<usize>>,
    /// What its numbers mean.
    pub translation: Translation,
}

impl TranslatorShapes {
    /// Returns those of a contract.
    ///
    /// # Errors
    ///
    /// [`ContractError`] if it has tensors that no translator has, or of sizes that do not fit together.
    pub fn of(contract: &NetworkContract) -> Result<Self, ContractError> {
        let shapes = Self::read(&contract.network);
        shapes.map_err(|reason| contract.refuse(format!("{reason}; export the network again")))
    }

    /// Returns the size of outputs. Labels are made as small as for a model, so that the same inputs are refused.
    #[must_use]
    pub fn size(&self) -> ImageSize {
        let (height, width) = self.image;
        ImageSize {
            width,
            height,
            latent_width: width / PIXELS_PER_LATENT,
            latent_height: height / PIXELS_PER_LATENT,
        }
    }

    /// Returns whether the outputs of a content differ from style to style.
    #[must_use]
    pub fn differs_by_style(&self) -> bool {
        self.takes_style || self.noise.is_some()
    }

    /// Returns those of a contract, or what is wrong with it.
    fn read(network: &Network) -> Result<Self, String> {
        let translation = network.translation;
        let translation = translation.ok_or("does not say what its numbers mean (translation)")?;
        let graph = &network.graph;
        let only_output = match graph.outputs.as_slice() {
            [output] if output.name == TRANSLATOR_OUTPUT => Some(output),
            _ => None,
        };
        let output = only_output
            .ok_or_else(|| format!("must give {TRANSLATOR_OUTPUT}, and nothing beside it"))?;
        let &[3, height, width] = item_shape(output)?.as_slice() else {
            return Err(format!(
                "must give {TRANSLATOR_OUTPUT} as (batch, 3, height, width)"
            ));
        };
        check_size(width, height)?;
        let mut shapes = Self {
            image: (height, width),
            takes_image: false,
            label: None,
            takes_style: false,
            noise: None,
            translation,
        };
        for (at, tensor) in graph.inputs.iter().enumerate() {
            let mut before = graph.inputs[..at].iter();
            if before.any(|other| other.name == tensor.name) {
                return Err(format!("has the input {} twice", shown(&tensor.name)));
            }
            shapes.take(tensor)?;
        }
        if !shapes.takes_image && shapes.label.is_none() {
            let told = "takes neither image nor label, and outputs have to show their content";
            return Err(told.to_owned());
        }
        Ok(shapes)
    }

    /// Notes an input, or returns what is wrong with it.
    fn take(&mut self, tensor: &TensorContract) -> Result<(), String> {
        let Some(input) = TranslatorInput::named(&tensor.name) else {
            return Err(format!(
                "takes {}, which is none of {}",
                shown(&tensor.name),
                TranslatorInput::ALL.map(TranslatorInput::as_str).join(", ")
            ));
        };
        let found = item_shape(tensor)?;
        let (height, width) = self.image;
        let of_output = |num_channels: usize| {
            if found == [num_channels, height, width] {
                return Ok(());
            }
            Err(format!(
                "takes {} as {found:?} and gives images of {width}x{height}, for which it must be [{num_channels}, {height}, \
                 {width}]: a translator gives images of the size that it takes",
                tensor.name
            ))
        };
        match input {
            TranslatorInput::Image => {
                of_output(3)?;
                self.takes_image = true;
            }
            TranslatorInput::Style => {
                of_output(3)?;
                self.takes_style = true;
            }
            TranslatorInput::Label => {
                let unknown = self.translation.unknown;
                let unknown = unknown.ok_or(
                    "takes label, and does not say what a pixel of no known class is in it (translation.unknown)",
                )?;
                of_output(unknown.num_channels())?;
                self.label = Some(unknown);
            }
            TranslatorInput::Noise => {
                let numbers = found
                    .iter()
                    .try_fold(1_usize, |all, &length| all.checked_mul(length));
                if !matches!(found.len(), 1 | 3) || numbers.is_none_or(|all| all > MAX_NOISE) {
                    return Err(format!(
                        "takes noise as {found:?}, which must be one length or three, of {MAX_NOISE} numbers at most"
                    ));
                }
                self.noise = Some(found);
            }
        }
        Ok(())
    }
}

/// Returns the lengths of one item of a tensor, which are those after its batch.
fn item_shape(tensor: &TensorContract) -> Result<Vec<usize>, String> {
    let name = shown(&tensor.name);
    if tensor.dtype != "float32" {
        return Err(format!(
            "has {name} as {}, which must be float32",
            shown(&tensor.dtype)
        ));
    }
    let item = tensor.shape.split_first().and_then(|(batch, lengths)| {
        let is_batch = match batch {
            Dimension::Fixed(length) => *length == 1,
            Dimension::Free(name) => name == BATCH,
        };
        let lengths = lengths.iter().map(|length| match length {
            Dimension::Fixed(length) => usize::try_from(*length).ok(),
            Dimension::Free(_) => None,
        });
        lengths.collect::<Option<Vec<usize>>>().filter(|_| is_batch)
    });
    item.ok_or_else(|| {
        format!("must have {name} with a batch of one, or a free one named {BATCH}, and numbers after it")
    })
}

fn check_size(width: usize, height: usize) -> Result<(), String> {
    let are_sides = [width, height]
        .iter()
        .all(|side| (MIN_SIDE..=MAX_SIDE).contains(side));
    if are_sides && width * height <= MAX_PIXELS {
        return Ok(());
    }
    Err(format!(
        "gives images of {width}x{height}, which must have sides of {MIN_SIDE} to {MAX_SIDE} and {MAX_PIXELS} pixels at most"
    ))
}

/// Returns a name of a file as a message shows it.
fn shown(name: &str) -> String {
    shortened(&one_line(name), MOST_NAME_BYTES)
}
