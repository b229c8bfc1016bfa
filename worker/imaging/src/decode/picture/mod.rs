//! Image files to pixels.
//!
//! - `from_jpeg`, `from_other`: a picture of each format
//! - `kinds`: files of these formats that are refused all the same; `refusals`: messages about
//!   refused files
//! - `warnings`: messages about accepted ones

mod from_jpeg;
mod from_other;
mod kinds;
mod refusals;
mod warnings;

use image::DynamicImage;
use image::metadata::Orientation;
use ndarray::Array3;
use shared::warning::ItemWarning;

use self::from_jpeg::from_jpeg;
use self::from_other::from_other;
pub(crate) use self::kinds::check_png_kind;
pub(crate) use self::refusals::{check_not_empty, check_not_too_large, undecodable};
use super::formats::{self, Format, Recognised};
use super::orientation::Oriented;
use crate::error::InputError;
use crate::files::NamedBytes;

/// The most pixels of an image: far more than a camera's, far less than a decompression bomb's.
pub(crate) const MAX_PIXELS: u64 = 1 << 25;

/// [`super::png_file::MAX_METADATA_BYTES`], for messages.
const MAX_METADATA: &str = "4 MiB";

/// The most memory that a decoder may take.
pub(crate) const MAX_DECODER_BYTES: usize = 1 << 29;

/// Returns an image file as RGB of 8 bits `(height, width, 3)`, turned as its EXIF orientation says.
///
/// # Errors
///
/// [`InputError`] if the file is damaged or of a format that is not read.
pub fn decode_image(file: NamedBytes<'_>) -> Result<Array3<u8>, InputError> {
    let picture = picture(file)?.oriented(file.name, None)?;
    picture.into_pixels(file).map(|(pixels, _)| pixels)
}

/// An image as its file has it.
pub(crate) struct Picture {
    pub(crate) image: DynamicImage,
    pub(crate) orientation: Orientation,
    /// What was lost on the way.
    pub(crate) warnings: Vec<ItemWarning>,
}

/// Returns what decoders of others make of a file. One that panics met damage that its authors did not think of: that is
/// an error of the file, and of nothing else.
pub(crate) fn guarded<T>(
    file: NamedBytes<'_>,
    expected: &'static str,
    decode: impl FnOnce() -> Result<T, InputError>,
) -> Result<T, InputError> {
    shared::guarded::decode(decode).unwrap_or_else(|panicked| {
        let reason = format!("damaged: the decoder gave up, for {panicked}");
        Err(undecodable(file, expected, reason.into()))
    })
}

/// Returns an image as its file has it.
pub(crate) fn picture(file: NamedBytes<'_>) -> Result<Picture, InputError> {
    guarded(file, formats::READ, || decode(file))
}

fn decode(file: NamedBytes<'_>) -> Result<Picture, InputError> {
    check_not_empty(file)?;
    let (name, expected) = (file.name.to_owned(), formats::READ);
    match formats::recognise(file.bytes) {
        Recognised::Read(Format::Jpeg) => from_jpeg(file),
        Recognised::Read(Format::Other(format)) => from_other(file, format),
        Recognised::Unread(found) => Err(InputError::UnreadFormat { name, found }),
        Recognised::Nothing => Err(InputError::NoImage { name, expected }),
    }
}

impl Oriented {
    /// Returns RGB of 8 bits `(height, width, 3)`, and what was lost on the way.
    pub(crate) fn into_pixels(
        self,
        file: NamedBytes<'_>,
    ) -> Result<(Array3<u8>, Vec<ItemWarning>), InputError> {
        let pixels = self.image.into_rgb8();
        let shape = (pixels.height() as usize, pixels.width() as usize, 3);
        let pixels = Array3::from_shape_vec(shape, pixels.into_raw())
            .map_err(|error| undecodable(file, formats::READ, error.into()))?;
        Ok((pixels, self.warnings))
    }
}

#[cfg(test)]
mod tests {
    use shared::failure::chain;

    use super::*;

    #[test]
    fn a_decoder_that_panics_has_met_a_damaged_file() {
        let file = NamedBytes {
            name: "images/1.png",
            bytes: b"any",
        };
        let ended = guarded(file, "PNG file", || -> Result<(), InputError> {
            panic!("index out of bounds")
        });
        let told = chain(&ended.unwrap_err());
        for words in [
            "images/1.png cannot be decoded",
            "PNG file",
            "the decoder gave up",
        ] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
        assert!(guarded(file, "PNG file", || Ok(())).is_ok());
        let refused = guarded(file, "PNG file", || check_not_too_large(file, u32::MAX, 2));
        assert!(matches!(refused, Err(InputError::TooLarge { .. })));
    }
}
