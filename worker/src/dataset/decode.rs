//! Files to pixels.

use std::io::Cursor;

use image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::{Array2, Array3};

use super::error::InputError;
use super::prepare::NamedBytes;
use shared::listing::LabelKind;
use shared::warning::{ItemWarning, WarningKind};

/// The most pixels of an image: far more than a camera's, far less than a decompression bomb's.
const MAX_PIXELS: u64 = 1 << 25;

/// The most memory that a decoder may take.
const MAX_DECODER_BYTES: usize = 1 << 29;

const PNG_OR_JPEG: &str = "PNG or JPEG file";
const PNG: &str = "PNG file";

/// Returns an image file as RGB of 8 bits `(height, width, 3)`.
///
/// # Errors
///
/// [`InputError`] if the file is damaged or no PNG or JPEG.
pub fn decode_image(file: NamedBytes<'_>) -> Result<Array3<u8>, InputError> {
    image(file).map(|(pixels, _)| pixels)
}

/// Returns an image as RGB of 8 bits `(height, width, 3)`, and what was lost on the way.
pub(super) fn image(file: NamedBytes<'_>) -> Result<(Array3<u8>, Vec<ItemWarning>), InputError> {
    check_not_empty(file)?;
    let undecodable = |source| undecodable(file, PNG_OR_JPEG, source);
    let mut reader = ImageReader::new(Cursor::new(file.bytes))
        .with_guessed_format()
        .map_err(|error| undecodable(error.into()))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES as u64);
    reader.limits(limits);
    if reader.format() == Some(ImageFormat::Jpeg) && !is_complete_jpeg(file.bytes) {
        return Err(undecodable("the file ends before the image does".into()));
    }
    let decoder = reader
        .into_decoder()
        .map_err(|error| undecodable(error.into()))?;
    let (width, height) = decoder.dimensions();
    check_not_too_large(file, width, height)?;
    let warnings = lost(file, decoder.color_type());
    let decoded = image::DynamicImage::from_decoder(decoder)
        .map_err(|error| undecodable(error.into()))?
        .into_rgb8();
    let shape = (height as usize, width as usize, 3);
    let pixels = Array3::from_shape_vec(shape, decoded.into_raw())
        .map_err(|error| undecodable(error.into()))?;
    Ok((pixels, warnings))
}

/// Says what becomes of an image that is not RGB of 8 bits.
fn lost(file: NamedBytes<'_>, colour: ColorType) -> Vec<ItemWarning> {
    let mut changes = Vec::new();
    if !colour.has_color() {
        changes.push((
            WarningKind::Greyscale,
            "is greyscale and was converted to RGB",
        ));
    }
    if colour.has_alpha() {
        changes.push((
            WarningKind::AlphaDropped,
            "has an alpha channel, which was dropped",
        ));
    }
    if colour.bytes_per_pixel() > colour.channel_count() {
        changes.push((
            WarningKind::DepthReduced,
            "has more than 8 bits per channel and was scaled to 8",
        ));
    }
    let name = file.name;
    let warnings = changes.into_iter().map(|(kind, change)| ItemWarning {
        kind,
        text: format!("{name} {change}"),
    });
    warnings.collect()
}

/// Returns whether the last scan of a JPEG has an end; decoders fill up what is missing with grey.
fn is_complete_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|window| window == marker);
    let (scan, end) = (last([0xff, 0xda]), last([0xff, 0xd9]));
    scan.is_none() || end > scan
}

/// A label as its file has it.
#[derive(Debug)]
pub(super) enum Label {
    /// Ids `(height, width)`, and the palette they came with.
    Ids(Array2<u8>, Option<Vec<u8>>),
    /// Colours `(height, width, 3)`.
    Colours(Array3<u8>),
}

impl Label {
    /// Returns the width and the height.
    pub(super) fn size(&self) -> (usize, usize) {
        let (height, width) = match self {
            Label::Ids(ids, _) => ids.dim(),
            Label::Colours(colours) => (colours.dim().0, colours.dim().1),
        };
        (width, height)
    }
}

/// What a label of each kind must be.
pub(super) fn expected(kind: LabelKind) -> &'static str {
    match kind {
        LabelKind::PaletteIds => "palette indices that are Cityscapes label ids",
        LabelKind::LabelIds => "8-bit greyscale Cityscapes label ids",
        LabelKind::TrainIds => "8-bit greyscale Cityscapes train ids",
        LabelKind::Colour => "8-bit RGB or RGBA Cityscapes class colours",
    }
}

/// Returns a label as its file has it.
pub(super) fn label(file: NamedBytes<'_>, kind: LabelKind) -> Result<Label, InputError> {
    check_not_empty(file)?;
    let undecodable = |error: png::DecodingError| undecodable(file, PNG, error.into());
    let limits = png::Limits {
        bytes: MAX_DECODER_BYTES,
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file.bytes), limits);
    let header = decoder.read_header_info().map_err(undecodable)?;
    check_not_too_large(file, header.width, header.height)?;
    let shape = (header.height as usize, header.width as usize);
    let (colour_type, depth) = (header.color_type, header.bit_depth);
    let is_as_promised = match kind {
        LabelKind::PaletteIds => colour_type == png::ColorType::Indexed,
        LabelKind::LabelIds | LabelKind::TrainIds => {
            (colour_type, depth) == (png::ColorType::Grayscale, png::BitDepth::Eight)
        }
        LabelKind::Colour => {
            colour_type == png::ColorType::Indexed
                || depth == png::BitDepth::Eight
                    && matches!(colour_type, png::ColorType::Rgb | png::ColorType::Rgba)
        }
    };
    if !is_as_promised {
        return Err(InputError::LabelFormat {
            name: file.name.to_owned(),
            expected: expected(kind),
            found: format!("{}-bit {}", depth as u8, describe(colour_type)),
        });
    }

    if kind == LabelKind::Colour {
        decoder.set_transformations(png::Transformations::EXPAND);
    }
    let mut reader = decoder.read_info().map_err(undecodable)?;
    let palette = reader
        .info()
        .palette
        .as_ref()
        .map(|palette| palette.to_vec());
    let mut pixels = vec![0; reader.output_buffer_size().unwrap_or_default()];
    let info = reader.next_frame(&mut pixels).map_err(undecodable)?;
    pixels.truncate(info.buffer_size());
    let mismatch = |error: ndarray::ShapeError| self::undecodable(file, PNG, error.into());
    match kind {
        LabelKind::PaletteIds => {
            let ids = unpacked(&pixels, info.line_size, shape.1, depth);
            let ids = Array2::from_shape_vec(shape, ids).map_err(mismatch)?;
            Ok(Label::Ids(ids, palette))
        }
        LabelKind::LabelIds | LabelKind::TrainIds => {
            let ids = Array2::from_shape_vec(shape, pixels).map_err(mismatch)?;
            Ok(Label::Ids(ids, None))
        }
        LabelKind::Colour => {
            let channels = info.color_type.samples();
            let rgb = pixels.chunks_exact(channels).flat_map(|pixel| &pixel[..3]);
            let colours = Array3::from_shape_vec((shape.0, shape.1, 3), rgb.copied().collect());
            Ok(Label::Colours(colours.map_err(mismatch)?))
        }
    }
}

/// Returns one index per byte; small palettes are stored with several in one.
fn unpacked(lines: &[u8], line_size: usize, width: usize, depth: png::BitDepth) -> Vec<u8> {
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

fn describe(colour_type: png::ColorType) -> &'static str {
    match colour_type {
        png::ColorType::Grayscale => "greyscale",
        png::ColorType::GrayscaleAlpha => "greyscale with alpha",
        png::ColorType::Indexed => "palette indices",
        png::ColorType::Rgb => "RGB",
        png::ColorType::Rgba => "RGBA",
    }
}

fn check_not_empty(file: NamedBytes<'_>) -> Result<(), InputError> {
    if file.bytes.is_empty() {
        return Err(InputError::Empty {
            name: file.name.to_owned(),
        });
    }
    Ok(())
}

fn check_not_too_large(file: NamedBytes<'_>, width: u32, height: u32) -> Result<(), InputError> {
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

fn undecodable(
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
