//! Kinds of files of a format that is read that are refused, since decoders read them otherwise than they are meant.

use image::ImageFormat;

use super::refusals::{undecodable, unread_kind};
use crate::decode::label_file::{self, Pixels};
use crate::decode::{bmp, png_file, tiff};
use crate::error::InputError;
use crate::files::NamedBytes;

/// What is expected of a file that holds several pictures.
pub(super) const SINGLE_PICTURE: &str = "a single picture, store the one that is meant alone";

/// Refuses a file of a kind that is not read, or that decoders read otherwise than it is meant.
pub(super) fn check_kind(file: NamedBytes<'_>, format: ImageFormat) -> Result<(), InputError> {
    match format {
        ImageFormat::Png => {
            check_png_kind(file)?;
            check_indices(file)
        }
        ImageFormat::Bmp => match bmp::unread(file.bytes) {
            Some(found) => {
                let expected = "colours or palette indices, save it as a BMP of 24 bits or a PNG";
                Err(unread_kind(file, found, expected))
            }
            None => Ok(()),
        },
        ImageFormat::Tiff => {
            let more = tiff::num_more_pages(file.bytes);
            if more > 0 {
                let found = format!("a TIFF of {} pages", more + 1);
                return Err(unread_kind(file, found, SINGLE_PICTURE));
            }
            match tiff::unread(file.bytes) {
                Some(found) => Err(InputError::UnreadTiff {
                    name: file.name.to_owned(),
                    found,
                }),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Refuses a PNG of a kind that is not read.
pub(crate) fn check_png_kind(file: NamedBytes<'_>) -> Result<(), InputError> {
    match png_file::unread(file.bytes) {
        Some(found) => Err(unread_kind(
            file,
            found.to_owned(),
            "a plain PNG of a single picture, store it as one",
        )),
        None => Ok(()),
    }
}

/// Refuses a palette PNG with indices that have no colour: the decoder makes them black. Other PNGs have none.
fn check_indices(file: NamedBytes<'_>) -> Result<(), InputError> {
    const COLOUR_TYPE_AT: usize = 25;
    const INDEXED: u8 = png::ColorType::Indexed as u8;
    if file.bytes.get(COLOUR_TYPE_AT) != Some(&INDEXED) {
        return Ok(());
    }
    if let Pixels::Indices(indices, palette) = label_file::read(file)?.pixels {
        let (highest, colours) = (indices.iter().max(), palette.len() / 3);
        if let Some(&index) = highest.filter(|&&index| usize::from(index) >= colours) {
            let reason = format!("a pixel has colour {index} of a palette of {colours} colours");
            return Err(undecodable(file, "PNG file", reason.into()));
        }
    }
    Ok(())
}
