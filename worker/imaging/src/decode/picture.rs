//! Image files to pixels.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader,
    ImageResult, Limits,
};
use ndarray::Array3;

use super::exif::{self, Told};
use super::formats::{self, Format, Recognised};
use super::orientation::Oriented;
use super::uncompressed::Uncompressed;
use super::{bmp, jpeg, png_file, tiff, tiff_pixels, webp};
use crate::error::InputError;
use crate::labels::label_file::{self, Pixels};
use crate::prepare::NamedBytes;
use shared::warning::{ItemWarning, WarningKind};

/// The most pixels of an image: far more than a camera's, far less than a decompression bomb's.
pub(crate) const MAX_PIXELS: u64 = 1 << 25;

/// [`png_file::MAX_METADATA_BYTES`], for messages.
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
        Recognised::Read(Format::Jpeg) => jpeg(file),
        Recognised::Read(Format::Other(format)) => other(file, format),
        Recognised::Unread(found) => Err(InputError::UnreadFormat { name, found }),
        Recognised::Nothing => Err(InputError::NoImage { name, expected }),
    }
}

fn jpeg(file: NamedBytes<'_>) -> Result<Picture, InputError> {
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

fn other(file: NamedBytes<'_>, format: ImageFormat) -> Result<Picture, InputError> {
    let expected = match format {
        ImageFormat::Png => "PNG file",
        ImageFormat::WebP => "WebP file",
        ImageFormat::Tiff => "TIFF file",
        ImageFormat::Bmp => "BMP file",
        _ => formats::READ,
    };
    check_kind(file, format)?;
    let refused = |error: ImageError| match error {
        ImageError::Unsupported(_) if format == ImageFormat::Tiff => unread_tiff(file),
        error => undecodable(file, expected, error.into()),
    };
    let bytes = match format {
        ImageFormat::Png => png_file::for_decoder(file.bytes),
        ImageFormat::WebP => {
            let still = webp::still(file.bytes);
            still.map_err(|found| unread_kind(file, found.to_owned(), SINGLE_PICTURE))?
        }
        _ => Cow::Borrowed(file.bytes),
    };
    let mut decoder = decoder(&bytes, format).map_err(refused)?;
    let (width, height) = decoder.dimensions();
    check_not_too_large(file, width, height)?;
    let colour = decoder.color_type();
    if matches!(colour, ColorType::Rgb32F | ColorType::Rgba32F) {
        // The decoder takes integers of 32 bits for such numbers.
        return Err(if tiff::is_floating_point(file.bytes) {
            InputError::FloatingPoint {
                name: file.name.to_owned(),
            }
        } else {
            unread_tiff(file)
        });
    }
    let complete = match format {
        ImageFormat::Tiff => tiff_pixels::check(file.bytes),
        ImageFormat::Bmp => bmp::check(file.bytes),
        _ => Ok(()),
    };
    complete.map_err(|reason| undecodable(file, expected, reason.into()))?;
    let told = told(file.bytes, format);
    let profile = match format {
        ImageFormat::Png => decoder.icc_profile().unwrap_or_default().map(Cow::Owned),
        ImageFormat::WebP => webp::profile(file.bytes).map(Cow::Borrowed),
        ImageFormat::Tiff => tiff::bytes(file.bytes, tiff::ICC_PROFILE).map(Cow::Borrowed),
        _ => None,
    };
    let mut warnings = lost(file, colour);
    match decoder.original_color_type() {
        ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 => warnings.push(cmyk(file)),
        _ => warnings.extend(unapplied(file, profile.as_deref())),
    }
    if format == ImageFormat::Png {
        let colours = png_file::other_colours(file.bytes);
        warnings.extend(colours.map(|change| warning(file, WarningKind::ColourSpace, &change)));
        if png_file::has_too_large_profile(file.bytes) {
            let change =
                format!("has a colour profile of more than {MAX_METADATA}, which was not applied");
            warnings.push(warning(file, WarningKind::ColourSpace, &change));
        }
    }
    warnings.extend(unturned(file, &told));
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    if format == ImageFormat::WebP {
        let is_same = |bytes: &[u8]| {
            let other = self::decoder(bytes, format).and_then(DynamicImage::from_decoder);
            other.is_ok_and(|other| other.as_bytes() == image.as_bytes())
        };
        let lost = if webp::ends_in_a_hole(&bytes, is_same) {
            Some(jpeg::JpegError::Incomplete)
        } else {
            webp::hides_a_loss(&bytes, is_same).then_some(jpeg::JpegError::Hole)
        };
        if let Some(reason) = lost {
            return Err(undecodable(file, expected, reason.into()));
        }
    }
    if format == ImageFormat::Tiff && tiff::is_premultiplied(file.bytes) && !is_opaque(&image) {
        let found = "colours that were multiplied with their alpha (ExtraSamples 1)";
        return Err(InputError::UnreadTiff {
            name: file.name.to_owned(),
            found: found.to_owned(),
        });
    }
    let uncompressed = match format {
        ImageFormat::Tiff => tiff_pixels::uncompressed(file.bytes),
        ImageFormat::Bmp => bmp::uncompressed(file.bytes),
        _ => None,
    };
    warnings.extend(uncompressed.and_then(|pixels| trailing_zeros(file, &pixels)));
    Ok(Picture {
        image,
        orientation: told.orientation,
        warnings,
    })
}

/// What is expected of a file that holds several pictures.
const SINGLE_PICTURE: &str = "a single picture, store the one that is meant alone";

/// Refuses a file of a kind that is not read, or that decoders read otherwise than it is meant.
fn check_kind(file: NamedBytes<'_>, format: ImageFormat) -> Result<(), InputError> {
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

fn unread_kind(file: NamedBytes<'_>, found: String, expected: &'static str) -> InputError {
    InputError::UnreadKind {
        name: file.name.to_owned(),
        found,
        expected,
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

/// Says that a part of a picture may have been lost.
fn trailing_zeros(file: NamedBytes<'_>, pixels: &Uncompressed<'_>) -> Option<ItemWarning> {
    let percent = pixels.percent_of_zeros()?;
    let change = format!(
        "is not compressed and has zeros alone in the last {percent} % of its pixels: an edge, or a part that was lost"
    );
    Some(warning(file, WarningKind::TrailingZeros, &change))
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

fn unread_tiff(file: NamedBytes<'_>) -> InputError {
    InputError::UnreadTiff {
        name: file.name.to_owned(),
        found: tiff::describe(file.bytes),
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

/// Says what becomes of an image that is not RGB of 8 bits.
fn lost(file: NamedBytes<'_>, colour: ColorType) -> Vec<ItemWarning> {
    let mut warnings = Vec::new();
    if !colour.has_color() {
        warnings.push(greyscale(file));
    }
    if colour.has_alpha() {
        let change = "has an alpha channel, which was dropped";
        warnings.push(warning(file, WarningKind::AlphaDropped, change));
    }
    if colour.bytes_per_pixel() > colour.channel_count() {
        let change = "has more than 8 bits per channel and was scaled to 8";
        warnings.push(warning(file, WarningKind::DepthReduced, change));
    }
    warnings
}

fn greyscale(file: NamedBytes<'_>) -> ItemWarning {
    let change = "is greyscale and was converted to RGB";
    warning(file, WarningKind::Greyscale, change)
}

fn cmyk(file: NamedBytes<'_>) -> ItemWarning {
    let change = "is CMYK and was converted to RGB without a colour profile";
    warning(file, WarningKind::ColourSpace, change)
}

/// Says that a picture was not turned as its file may mean it.
fn unturned(file: NamedBytes<'_>, told: &Told) -> Option<ItemWarning> {
    let change = told.unapplied.as_deref()?;
    Some(warning(file, WarningKind::Orientation, change))
}

/// Says that a colour profile was not applied, unless it is that of sRGB by its description.
fn unapplied(file: NamedBytes<'_>, profile: Option<&[u8]>) -> Option<ItemWarning> {
    let wide: Vec<u8> = "sRGB".bytes().flat_map(|letter| [0, letter]).collect();
    let names = |profile: &[u8], text: &[u8]| profile.windows(text.len()).any(|at| at == text);
    let profile = profile.filter(|it| !it.is_empty())?;
    let is_srgb = names(profile, b"sRGB") || names(profile, &wide);
    (!is_srgb).then(|| {
        let change = "has a colour profile other than sRGB, which was not applied";
        warning(file, WarningKind::ColourSpace, change)
    })
}

fn warning(file: NamedBytes<'_>, kind: WarningKind, change: &str) -> ItemWarning {
    ItemWarning {
        kind,
        text: format!("{} {change}", file.name),
    }
}

pub(crate) fn check_not_empty(file: NamedBytes<'_>) -> Result<(), InputError> {
    if file.bytes.is_empty() {
        return Err(InputError::Empty {
            name: file.name.to_owned(),
        });
    }
    Ok(())
}

pub(crate) fn check_not_too_large(
    file: NamedBytes<'_>,
    width: u32,
    height: u32,
) -> Result<(), InputError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(InputError::TooLarge {
            name: file.name.to_owned(),
            width,
            height,
            max_pixels: MAX_PIXELS,
        });
    }
    Ok(())
}

pub(crate) fn undecodable(
    file: NamedBytes<'_>,
    expected: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> InputError {
    InputError::Undecodable {
        name: file.name.to_owned(),
        expected,
        source,
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
