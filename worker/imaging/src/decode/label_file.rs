//! The decoder of label files: to ids or colours, whatever these mean, or to pixels as they are stored.

use std::ffi::OsStr;
use std::io::Cursor;
use std::path::Path;

use ndarray::{Array2, Array3};
use png::{BitDepth, ColorType};

use crate::decode::formats::{self, Format, Recognised};
use crate::decode::picture::{
    MAX_DECODER_BYTES, check_not_empty, check_not_too_large, check_png_kind, guarded, undecodable,
};
use crate::decode::png_file;
use crate::decode::raw_pixels::{PixelFormat, RawPixels};
use crate::error::InputError;
use crate::files::NamedBytes;
use shared::dataset::LabelKind;
use shared::dataset::classes::{UNKNOWN, train_id_of_colour};

const PNG: &str = "PNG file";

/// Returns what a label file outside any dataset promises to be, by its name and by how its PNG stores pixels.
///
/// A name that ends in `TrainIds` or `labelIds` says it; else RGB is class colours, and what is left label ids. What is no
/// PNG is refused when it is decoded.
#[must_use]
pub fn label_kind_of_file(path: &Path, bytes: &[u8]) -> LabelKind {
    let stem = path.file_stem().map(OsStr::to_string_lossy);
    let ends_with = |ending: &str| stem.as_ref().is_some_and(|stem| stem.ends_with(ending));
    if ends_with("TrainIds") {
        return LabelKind::TrainIds;
    }
    if ends_with("labelIds") {
        return LabelKind::LabelIds;
    }
    // Of the header alone: what follows it may unpack to anything.
    let colour_type = || {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.read_header_info().ok().map(|info| info.color_type)
    };
    match shared::guarded::decode(colour_type) {
        Ok(Some(png::ColorType::Rgb | png::ColorType::Rgba)) => LabelKind::Colour,
        Ok(
            Some(
                png::ColorType::Grayscale
                | png::ColorType::GrayscaleAlpha
                | png::ColorType::Indexed,
            )
            | None,
        )
        | Err(_) => LabelKind::PaletteIds,
    }
}

/// The pixels of a label file.
pub(crate) enum Pixels {
    /// Indices `(height, width)` into a palette.
    Indices(Array2<u8>, Vec<u8>),
    /// Grey levels `(height, width)`.
    Levels(Array2<u8>),
    /// Colours `(height, width, 3)`.
    Colours(Array3<u8>),
}

/// A label file whose pixels are known, but not what they mean.
pub(crate) struct LabelPixels {
    pub(crate) pixels: Pixels,
    /// How the file stores them, for messages.
    pub(crate) described: String,
}

/// Returns the pixels of a label file.
///
/// Levels of 16 bits are brought to 8 where nothing is lost: they are below 256, or levels of 8 bits spread out.
/// RGB that is grey everywhere is grey levels.
///
/// # Errors
///
/// [`InputError`] if the file is damaged, no PNG, or has levels that 8 bits do not hold.
pub(crate) fn read(file: NamedBytes<'_>) -> Result<LabelPixels, InputError> {
    read_as(file, decode)
}

/// Returns the pixels of a label file as it stores them.
///
/// # Errors
///
/// [`InputError`] if the file is damaged, or no PNG.
pub(crate) fn read_raw(file: NamedBytes<'_>) -> Result<RawPixels, InputError> {
    read_as(file, raw)
}

fn read_as<T>(
    file: NamedBytes<'_>,
    decode: impl FnOnce(NamedBytes<'_>) -> Result<T, InputError>,
) -> Result<T, InputError> {
    check_is_png(file)?;
    check_png_kind(file)?;
    guarded(file, PNG, || decode(file))
}

fn raw(file: NamedBytes<'_>) -> Result<RawPixels, InputError> {
    let failed = |error: png::DecodingError| undecodable(file, PNG, error.into());
    let limits = png::Limits {
        bytes: MAX_DECODER_BYTES,
    };
    let bytes = png_file::for_decoder(file.bytes);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(&*bytes), limits);
    // What a label means is in its pixels.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(failed)?;
    check_not_too_large(file, header.width, header.height)?;
    let (height, width) = (header.height as usize, header.width as usize);
    let (colour_type, depth) = (header.color_type, header.bit_depth);
    let described = format!("{}-bit {}", depth as u8, describe(colour_type));
    if colour_type == ColorType::Grayscale && (depth as u8) < 8 {
        // A level of few bits stands for the level of 8 bits that it is shown as.
        decoder.set_transformations(png::Transformations::EXPAND);
    }
    let mut reader = decoder.read_info().map_err(failed)?;
    let palette = reader.info().palette.as_ref().map(|it| it.to_vec());
    check_palette(palette.as_deref()).map_err(|reason| undecodable(file, PNG, reason.into()))?;
    let num_bytes = reader
        .output_buffer_size()
        .ok_or_else(|| undecodable(file, PNG, "its pixels do not fit into memory".into()))?;
    let mut bytes = vec![0; num_bytes];
    let info = reader.next_frame(&mut bytes).map_err(failed)?;
    bytes.truncate(info.buffer_size());
    let format = if colour_type == ColorType::Indexed {
        bytes = unpacked(&bytes, info.line_size, width, depth);
        let palette = palette.ok_or_else(|| {
            undecodable(file, PNG, "it has palette indices and no palette".into())
        })?;
        PixelFormat {
            colour: ColorType::Indexed,
            depth: BitDepth::Eight,
            palette: Some(palette),
        }
    } else {
        PixelFormat {
            colour: info.color_type,
            depth: info.bit_depth,
            palette: None,
        }
    };
    let shape = (height, width, format.bytes_of_pixel());
    let bytes = Array3::from_shape_vec(shape, bytes)
        .map_err(|error| undecodable(file, PNG, error.into()))?;
    Ok(RawPixels {
        format,
        bytes,
        described,
    })
}

fn decode(file: NamedBytes<'_>) -> Result<LabelPixels, InputError> {
    let RawPixels {
        format,
        bytes,
        described,
    } = raw(file)?;
    let (height, width, _) = bytes.dim();
    let mut bytes = bytes.into_raw_vec_and_offset().0;
    let mismatch = |error: ndarray::ShapeError| undecodable(file, PNG, error.into());
    if let Some(palette) = format.palette {
        let indices = Array2::from_shape_vec((height, width), bytes).map_err(mismatch)?;
        return Ok(LabelPixels {
            pixels: Pixels::Indices(indices, palette),
            described,
        });
    }
    if format.depth == BitDepth::Sixteen {
        let too_deep = || too_deep(file.name, LABEL_OF_CITYSCAPES, &described);
        bytes = of_8_bits(&bytes).ok_or_else(too_deep)?;
    }
    let channels = format.colour.samples();
    let mut pixels = bytes.chunks_exact(channels);
    let is_level = |pixel: &[u8]| {
        let grey = [pixel[0]; 3];
        // A few classes have grey colours, which are no ids.
        pixel[..3] == grey && train_id_of_colour(grey) == UNKNOWN
    };
    let is_grey = channels < 3 || pixels.all(is_level);
    let pixels = bytes.chunks_exact(channels);
    let pixels = if is_grey {
        let levels = pixels.map(|pixel| pixel[0]).collect();
        Pixels::Levels(Array2::from_shape_vec((height, width), levels).map_err(mismatch)?)
    } else {
        let colours = pixels.flat_map(|pixel| &pixel[..3]).copied().collect();
        Pixels::Colours(Array3::from_shape_vec((height, width, 3), colours).map_err(mismatch)?)
    };
    Ok(LabelPixels { pixels, described })
}

/// What a label of Cityscapes' kinds must be.
const LABEL_OF_CITYSCAPES: &str = "values that are label ids, train ids or class colours";

/// Returns that a file has levels that 8 bits do not hold.
pub(crate) fn too_deep(name: &str, expected: &'static str, described: &str) -> InputError {
    InputError::LabelFormat {
        name: name.to_owned(),
        expected,
        found: format!("{described} with levels that 8 bits do not hold"),
    }
}

/// Says what is wrong with a palette. The decoder takes for granted that its colours are whole and not too many.
fn check_palette(palette: Option<&[u8]>) -> Result<(), String> {
    let bytes = palette.map_or(0, <[u8]>::len);
    if bytes.is_multiple_of(3) && bytes <= 3 * 256 {
        return Ok(());
    }
    Err(format!(
        "its palette has {bytes} bytes, which is no number of whole colours up to 256"
    ))
}

/// Returns the width and the height of a label file, of which nothing else is decoded.
pub(crate) fn size(file: NamedBytes<'_>) -> Result<(usize, usize), InputError> {
    check_is_png(file)?;
    guarded(file, PNG, || {
        let mut decoder = png::Decoder::new(Cursor::new(file.bytes));
        let header = decoder.read_header_info();
        let header = header.map_err(|error| undecodable(file, PNG, error.into()))?;
        Ok((header.width as usize, header.height as usize))
    })
}

fn check_is_png(file: NamedBytes<'_>) -> Result<(), InputError> {
    check_not_empty(file)?;
    let found = match formats::recognise(file.bytes) {
        Recognised::Read(Format::Jpeg) => "a JPEG",
        Recognised::Read(Format::Other(image::ImageFormat::WebP)) => "a WebP",
        Recognised::Read(Format::Other(image::ImageFormat::Tiff)) => "a TIFF",
        Recognised::Read(Format::Other(image::ImageFormat::Bmp)) => "a BMP",
        // What begins like nothing known is left to the decoder, which says why it is no PNG.
        Recognised::Read(Format::Other(_)) | Recognised::Nothing => return Ok(()),
        Recognised::Unread(found) => found,
    };
    Err(InputError::LabelNotPng {
        name: file.name.to_owned(),
        found,
    })
}

/// Returns levels of 16 bits as levels of 8; none if some would be lost.
fn of_8_bits(bytes: &[u8]) -> Option<Vec<u8>> {
    let levels = || bytes.chunks_exact(2);
    if levels().all(|level| level[0] == 0) {
        Some(levels().map(|level| level[1]).collect())
    } else if levels().all(|level| level[0] == level[1]) {
        Some(levels().map(|level| level[0]).collect())
    } else {
        None
    }
}

/// Returns one index per byte; small palettes are stored with several in one.
fn unpacked(lines: &[u8], line_size: usize, width: usize, depth: BitDepth) -> Vec<u8> {
    let bits = depth as usize;
    let per_byte = 8 / bits;
    let mask = u8::MAX >> (8 - bits);
    let lines = lines.chunks_exact(line_size.max(1));
    let indices = lines.flat_map(|line| {
        (0..width).map(move |x| {
            let shift = 8 - bits * (x % per_byte + 1);
            (line[x / per_byte] >> shift) & mask
        })
    });
    indices.collect()
}

fn describe(colour_type: ColorType) -> &'static str {
    match colour_type {
        ColorType::Grayscale => "greyscale",
        ColorType::GrayscaleAlpha => "greyscale with alpha",
        ColorType::Indexed => "palette indices",
        ColorType::Rgb => "RGB",
        ColorType::Rgba => "RGBA",
    }
}
