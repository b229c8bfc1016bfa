//! The encoder of PNG files. The same pixels always make the same bytes.

use std::io;

use ndarray::{ArrayView2, ArrayView3};
use png::{BitDepth, ColorType, Compression, EncodingError, Filter};

use crate::decode::raw_pixels::PixelFormat;
use crate::error::InputError;

/// Returns an RGB image `(height, width, 3)` as a PNG, compressed quickly.
///
/// # Errors
///
/// [`InputError::Encode`] if the image is empty, or larger than a PNG can be.
pub fn encode_png(image: ArrayView3<u8>) -> Result<Vec<u8>, InputError> {
    let (height, width, _) = image.dim();
    let mut encoded = Vec::new();
    let mut encoder = encoder(&mut encoded, width, height)?;
    let pixels: Vec<u8> = image.iter().copied().collect();
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fast);
    write(encoder, &pixels)?;
    Ok(encoded)
}

/// Returns ids `(height, width)` as a PNG, with the given palette or as greyscale.
pub(crate) fn encode_ids(
    ids: ArrayView2<u8>,
    palette: Option<&[u8]>,
) -> Result<Vec<u8>, InputError> {
    let (height, width) = ids.dim();
    let mut encoded = Vec::new();
    let mut encoder = encoder(&mut encoded, width, height)?;
    let pixels: Vec<u8> = ids.iter().copied().collect();
    match palette {
        Some(palette) => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(palette);
        }
        None => encoder.set_color(ColorType::Grayscale),
    }
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::NoFilter);
    write(encoder, &pixels)?;
    Ok(encoded)
}

/// Returns pixels `(height, width, bytes of a pixel)` as a PNG that stores them so.
pub(crate) fn encode_pixels(
    format: &PixelFormat,
    pixels: ArrayView3<u8>,
) -> Result<Vec<u8>, InputError> {
    let (height, width, _) = pixels.dim();
    let mut encoded = Vec::new();
    let mut encoder = encoder(&mut encoded, width, height)?;
    let pixels: Vec<u8> = pixels.iter().copied().collect();
    encoder.set_color(format.colour);
    encoder.set_depth(format.depth);
    if let Some(palette) = format.palette.as_deref() {
        encoder.set_palette(palette);
    }
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::NoFilter);
    write(encoder, &pixels)?;
    Ok(encoded)
}

fn encoder(
    encoded: &mut Vec<u8>,
    width: usize,
    height: usize,
) -> Result<png::Encoder<'_, &mut Vec<u8>>, InputError> {
    let side = |side: usize| {
        u32::try_from(side).map_err(|error| InputError::Encode(io::Error::other(error).into()))
    };
    let mut encoder = png::Encoder::new(encoded, side(width)?, side(height)?);
    encoder.set_depth(BitDepth::Eight);
    Ok(encoder)
}

fn write(encoder: png::Encoder<'_, &mut Vec<u8>>, pixels: &[u8]) -> Result<(), InputError> {
    let write = || -> Result<(), EncodingError> {
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels)?;
        writer.finish()
    };
    write().map_err(InputError::Encode)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn an_image_wider_than_a_png_can_be_is_refused_before_it_is_copied() {
        let pixel = Array3::<u8>::zeros((1, 1, 3));
        let wide = pixel.broadcast((1, 1 << 32, 3)).unwrap();
        assert!(matches!(encode_png(wide), Err(InputError::Encode(_))));
    }
}
