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

/// A frame of an animation: the columns and rows before it, its size, and its pixels.
pub type Frame<'a> = ((u32, u32), (u32, u32), &'a [u8]);

/// Returns frames as an animation on a canvas of a size.
#[must_use]
pub fn animation((width, height): (u32, u32), frames: &[Frame<'_>]) -> Vec<u8> {
    const IS_ANIMATED: u8 = 0x02;
    let three = |number: u32| number.to_le_bytes()[..3].to_vec();
    let canvas = [three(width - 1), three(height - 1)].concat();
    let extended = [vec![IS_ANIMATED, 0, 0, 0], canvas].concat();
    let mut body = [chunk(b"VP8X", &extended), chunk(b"ANIM", &[0; 6])].concat();
    for &((left, top), (width, height), pixels) in frames {
        let numbers = [left / 2, top / 2, width - 1, height - 1, 100];
        let header = numbers.map(three).concat();
        let picture = rgb(width, height, pixels);
        body.extend(chunk(
            b"ANMF",
            &[&header[..], &[0], &picture[12..]].concat(),
        ));
    }
    let size = u32::try_from(body.len() + 4).unwrap();
    [b"RIFF", &size.to_le_bytes()[..], b"WEBP", &body].concat()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    let mut chunk = [&kind[..], &size.to_le_bytes(), data].concat();
    if data.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}
