//! Pixels to PNG files. The same pixels always make the same bytes.

use ndarray::{ArrayView2, ArrayView3};
use png::{BitDepth, ColorType, Compression, EncodingError, Filter};

use super::error::InputError;

/// Returns an RGB image `(height, width, 3)` as a PNG, compressed quickly.
///
/// # Errors
///
/// [`InputError::Encode`] if the image is empty.
pub fn encode_png(image: ArrayView3<u8>) -> Result<Vec<u8>, InputError> {
    let (height, width, _) = image.dim();
    let pixels: Vec<u8> = image.iter().copied().collect();
    let mut encoded = Vec::new();
    let mut encoder = encoder(&mut encoded, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fast);
    write(encoder, &pixels)?;
    Ok(encoded)
}

/// Returns ids `(height, width)` as a PNG, with the given palette or as greyscale.
pub(super) fn encode_ids(
    ids: ArrayView2<u8>,
    palette: Option<&[u8]>,
) -> Result<Vec<u8>, InputError> {
    let (height, width) = ids.dim();
    let pixels: Vec<u8> = ids.iter().copied().collect();
    let mut encoded = Vec::new();
    let mut encoder = encoder(&mut encoded, width, height);
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

fn encoder(encoded: &mut Vec<u8>, width: usize, height: usize) -> png::Encoder<'_, &mut Vec<u8>> {
    // Sides beyond 32 bits become 0, which the encoder refuses.
    let side = |side: usize| u32::try_from(side).unwrap_or_default();
    let mut encoder = png::Encoder::new(encoded, side(width), side(height));
    encoder.set_depth(BitDepth::Eight);
    encoder
}

fn write(encoder: png::Encoder<'_, &mut Vec<u8>>, pixels: &[u8]) -> Result<(), InputError> {
    let write = || -> Result<(), EncodingError> {
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels)?;
        writer.finish()
    };
    write().map_err(InputError::Encode)
}
