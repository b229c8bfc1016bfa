//! A JPEG file as a picture.

use image::DynamicImage;

use super::Picture;
use super::refusals::{check_not_too_large, undecodable, unread_kind};
use super::warnings::{cmyk, greyscale, unapplied, unturned};
use crate::decode::{exif, jpeg};
use crate::error::InputError;
use crate::files::NamedBytes;

/// Returns a JPEG as its file has it.
pub(super) fn from_jpeg(file: NamedBytes<'_>) -> Result<Picture, InputError> {
    if let Some(found) = jpeg::unread(file.bytes) {
        let expected = "a baseline or progressive JPEG of 8 bits per channel, save it as one";
        return Err(unread_kind(file, found, expected));
    }
    let undecodable = |error: jpeg::JpegError| undecodable(file, "JPEG file", error.into());
    let (width, height) = jpeg::size(file.bytes).map_err(undecodable)?;
    check_not_too_large(file, width as u32, height as u32)?;
    let jpeg = jpeg::decode(file.bytes).map_err(undecodable)?;
    let mut warnings = Vec::new();
    if jpeg.is_grey {
        warnings.push(greyscale(file));
    }
    if jpeg.is_cmyk {
        warnings.push(cmyk(file));
    } else {
        warnings.extend(unapplied(file, jpeg.profile.as_deref()));
    }
    let told = exif::orientation(jpeg.exif, jpeg.xmp);
    warnings.extend(unturned(file, &told));
    let (width, height) = (jpeg.width as u32, jpeg.height as u32);
    let image = image::RgbImage::from_raw(width, height, jpeg.pixels)
        .ok_or_else(|| undecodable(jpeg::JpegError::Incomplete))?;
    Ok(Picture {
        image: DynamicImage::ImageRgb8(image),
        orientation: told.orientation,
        warnings,
    })
}
