//! WebP files, chunk by chunk.

use image::ExtendedColorType;
use image::codecs::webp::WebPEncoder;

/// Returns an RGB picture `(height, width, 3)` as a WebP without loss.
#[must_use]
pub fn rgb(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut file);
    encoder
        .encode(pixels, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    file
}

/// Returns such a picture with EXIF data.
#[must_use]
pub fn with_exif(width: u32, height: u32, pixels: &[u8], exif: &[u8]) -> Vec<u8> {
    const HAS_EXIF: u8 = 0x08;
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let extended = [vec![HAS_EXIF, 0, 0, 0], side(width), side(height)].concat();
    let plain = rgb(width, height, pixels);
    let picture = plain[12..].to_vec();
    let body = [chunk(b"VP8X", &extended), picture, chunk(b"EXIF", exif)].concat();
    let size = u32::try_from(body.len() + 4).unwrap();
    [b"RIFF", &size.to_le_bytes()[..], b"WEBP", &body].concat()
}

/// Returns a picture of one chunk whose data are cut to a share and go on with zeros.
#[must_use]
pub fn zeroed(webp: &[u8], share: f64) -> Vec<u8> {
    const DATA: usize = 20;
    let mut zeroed = webp.to_vec();
    let kept = ((webp.len() - DATA) as f64 * share) as usize;
    zeroed[DATA + kept..].fill(0);
    zeroed
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    let mut chunk = [&kind[..], &size.to_le_bytes(), data].concat();
    if data.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}
