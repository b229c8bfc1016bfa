//! A PNG, WebP, TIFF or BMP file as a picture: the `image` crate decodes them, and what it passes over is checked here.

use std::borrow::Cow;
use std::io::Cursor;

use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader,
    ImageResult, Limits,
};
use shared::warning::ItemWarning;

use super::kinds::{SINGLE_PICTURE, check_kind};
use super::refusals::{check_not_too_large, undecodable, unread_kind, unread_tiff};
use super::warnings::{cmyk, lost, trailing_zeros, unapplied, unapplied_of_png, unturned};
use super::{MAX_DECODER_BYTES, MAX_METADATA, Picture};
use crate::decode::exif::{self, Told};
use crate::decode::jpeg::JpegError;
use crate::decode::{bmp, formats, png_file, tiff, tiff_pixels, webp};
use crate::error::InputError;
use crate::files::NamedBytes;

/// Returns a file of a format other than JPEG as it has its picture.
pub(super) fn from_other(file: NamedBytes<'_>, format: ImageFormat) -> Result<Picture, InputError> {
    OtherFile { file, format }.picture()
}

/// A file of a format other than JPEG.
#[derive(Clone, Copy)]
struct OtherFile<'a> {
    file: NamedBytes<'a>,
    format: ImageFormat,
}

impl<'a> OtherFile<'a> {
    fn picture(self) -> Result<Picture, InputError> {
        check_kind(self.file, self.format)?;
        let bytes = self.for_decoder()?;
        let mut decoder = decoder(&bytes, self.format).map_err(|error| self.refused(error))?;
        let (width, height) = decoder.dimensions();
        check_not_too_large(self.file, width, height)?;
        self.check_numbers(decoder.color_type())?;
        self.check_complete()?;
        let told = told(self.file.bytes, self.format);
        let mut warnings = self.warnings_of_colours(&mut decoder);
        warnings.extend(unturned(self.file, &told));
        let image = DynamicImage::from_decoder(decoder).map_err(|error| self.refused(error))?;
        self.check_nothing_is_lost(&bytes, &image)?;
        self.check_alpha(&image)?;
        warnings.extend(self.trailing_zeros());
        Ok(Picture {
            image,
            orientation: told.orientation,
            warnings,
        })
    }

    /// Returns what was expected of the file, for messages.
    fn expected(self) -> &'static str {
        match self.format {
            ImageFormat::Png => "PNG file",
            ImageFormat::WebP => "WebP file",
            ImageFormat::Tiff => "TIFF file",
            ImageFormat::Bmp => "BMP file",
            _ => formats::READ,
        }
    }

    /// Returns why the decoder refused the file.
    fn refused(self, error: ImageError) -> InputError {
        match error {
            ImageError::Unsupported(_) if self.format == ImageFormat::Tiff => {
                unread_tiff(self.file)
            }
            error => undecodable(self.file, self.expected(), error.into()),
        }
    }

    /// Returns the bytes that the decoder is given.
    fn for_decoder(self) -> Result<Cow<'a, [u8]>, InputError> {
        match self.format {
            ImageFormat::Png => Ok(png_file::for_decoder(self.file.bytes)),
            ImageFormat::WebP => {
                let still = webp::still(self.file.bytes);
                still.map_err(|found| unread_kind(self.file, found.to_owned(), SINGLE_PICTURE))
            }
            _ => Ok(Cow::Borrowed(self.file.bytes)),
        }
    }

    /// Refuses floating-point numbers, and integers of 32 bits, which the decoder takes for such.
    fn check_numbers(self, colour: ColorType) -> Result<(), InputError> {
        if !matches!(colour, ColorType::Rgb32F | ColorType::Rgba32F) {
            return Ok(());
        }
        Err(if tiff::is_floating_point(self.file.bytes) {
            InputError::FloatingPoint {
                name: self.file.name.to_owned(),
            }
        } else {
            unread_tiff(self.file)
        })
    }

    /// Refuses a file that has fewer pixels than it says.
    fn check_complete(self) -> Result<(), InputError> {
        let complete = match self.format {
            ImageFormat::Tiff => tiff_pixels::check(self.file.bytes),
            ImageFormat::Bmp => bmp::check(self.file.bytes),
            _ => Ok(()),
        };
        complete.map_err(|reason| undecodable(self.file, self.expected(), reason.into()))
    }

    /// Says what becomes of the colours.
    fn warnings_of_colours(self, decoder: &mut impl ImageDecoder) -> Vec<ItemWarning> {
        let profile = match self.format {
            ImageFormat::Png => decoder.icc_profile().unwrap_or_default().map(Cow::Owned),
            ImageFormat::WebP => webp::profile(self.file.bytes).map(Cow::Borrowed),
            ImageFormat::Tiff => tiff::bytes(self.file.bytes, tiff::ICC_PROFILE).map(Cow::Borrowed),
            _ => None,
        };
        let mut warnings = lost(self.file, decoder.color_type());
        match decoder.original_color_type() {
            ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 => warnings.push(cmyk(self.file)),
            _ => warnings.extend(unapplied(self.file, profile.as_deref())),
        }
        if self.format == ImageFormat::Png {
            warnings.extend(unapplied_of_png(self.file));
        }
        warnings
    }

    /// Refuses a WebP of which a part is made of zeros that stand in for what was lost.
    fn check_nothing_is_lost(self, bytes: &[u8], image: &DynamicImage) -> Result<(), InputError> {
        if self.format != ImageFormat::WebP {
            return Ok(());
        }
        let is_same = |bytes: &[u8]| {
            let other = decoder(bytes, self.format).and_then(DynamicImage::from_decoder);
            other.is_ok_and(|other| other.as_bytes() == image.as_bytes())
        };
        let lost = if webp::ends_in_a_hole(bytes, is_same) {
            Some(JpegError::Incomplete)
        } else {
            webp::hides_a_loss(bytes, is_same).then_some(JpegError::Hole)
        };
        match lost {
            Some(reason) => Err(undecodable(self.file, self.expected(), reason.into())),
            None => Ok(()),
        }
    }

    /// Refuses a TIFF whose colours were multiplied with an alpha that lets something shine through.
    fn check_alpha(self, image: &DynamicImage) -> Result<(), InputError> {
        let is_tiff = self.format == ImageFormat::Tiff;
        if !is_tiff || !tiff::is_premultiplied(self.file.bytes) || is_opaque(image) {
            return Ok(());
        }
        let found = "colours that were multiplied with their alpha (ExtraSamples 1)";
        Err(InputError::UnreadTiff {
            name: self.file.name.to_owned(),
            found: found.to_owned(),
        })
    }

    /// Says that a part of a picture that is not compressed may have been lost.
    fn trailing_zeros(self) -> Option<ItemWarning> {
        let uncompressed = match self.format {
            ImageFormat::Tiff => tiff_pixels::uncompressed(self.file.bytes),
            ImageFormat::Bmp => bmp::uncompressed(self.file.bytes),
            _ => None,
        };
        uncompressed.and_then(|pixels| trailing_zeros(self.file, &pixels))
    }
}

/// Returns whether nothing of a picture shines through.
fn is_opaque(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageRgba8(image) => image.pixels().all(|pixel| pixel.0[3] == u8::MAX),
        DynamicImage::ImageRgba16(image) => image.pixels().all(|pixel| pixel.0[3] == u16::MAX),
        _ => true,
    }
}

fn decoder(bytes: &[u8], format: ImageFormat) -> ImageResult<impl ImageDecoder> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES as u64);
    reader.limits(limits);
    reader.into_decoder()
}

/// Returns how a file's picture is to be turned. Metadata that cannot be read say nothing: viewers show such an image as
/// it is stored.
fn told(file: &[u8], format: ImageFormat) -> Told {
    match format {
        ImageFormat::Png => {
            let exif = png_file::exif(file);
            let taken = exif.taken.iter().map(|exif| &**exif);
            let told = exif::orientation(taken, png_file::xmp(file));
            let more =
                || format!("has EXIF data of more than {MAX_METADATA}, which were not looked at");
            Told {
                unapplied: told.unapplied.or_else(|| exif.has_more.then(more)),
                ..told
            }
        }
        ImageFormat::WebP => exif::orientation(webp::exif(file), webp::xmp(file)),
        ImageFormat::Tiff => exif::orientation([file], tiff::bytes(file, tiff::XMP)),
        _ => Told::NOTHING,
    }
}
