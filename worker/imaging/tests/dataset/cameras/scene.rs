//! A picture and its label, as files.

use image::{Rgb, RgbImage};
use png::{BitDepth, ColorType};

use crate::files::png;

/// Returns a picture whose four quarters have other colours, so that every turn of it is another picture.
pub(super) fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x * 7 + y * 13) % 23;
        match (2 * x < width, 2 * y < height) {
            (true, true) => Rgb([200, 30, 30 + noise as u8]),
            (false, true) => Rgb([30, 200 - noise as u8, 30]),
            (true, false) => Rgb([30 + noise as u8, 30, 200]),
            (false, false) => Rgb([220, 220, 60 + noise as u8]),
        }
    })
}

/// Returns a label of road that is as large as said.
pub(super) fn road(width: u32, height: u32) -> Vec<u8> {
    let pixels = (width * height) as usize;
    png(
        (width, height),
        ColorType::Grayscale,
        BitDepth::Eight,
        &vec![7; pixels],
    )
}

/// Returns a TIFF of three 8-bit samples with an orientation, not compressed.
pub(super) fn tiff(image: &RgbImage, orientation: u8) -> Vec<u8> {
    const ENTRIES: u16 = 10;
    let pixels = image.as_raw();
    let after = 8 + 2 + 12 * u32::from(ENTRIES) + 4;
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend(ENTRIES.to_le_bytes());
    for (tag, count, value) in [
        (256_u16, 1_u32, image.width()),
        (257, 1, image.height()),
        (258, 3, after),
        (259, 1, 1),
        (262, 1, 2),
        (273, 1, after + 6),
        (274, 1, u32::from(orientation)),
        (277, 1, 3),
        (278, 1, image.height()),
        (279, 1, pixels.len() as u32),
    ] {
        let is_long = matches!(tag, 256 | 257 | 273 | 278 | 279);
        bytes.extend(tag.to_le_bytes());
        bytes.extend(if is_long { 4_u16 } else { 3 }.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend([8, 0, 8, 0, 8, 0]);
    bytes.extend(pixels);
    bytes
}

/// Asserts that two pictures differ by no more than a JPEG does.
pub(super) fn assert_alike(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let far = found
        .iter()
        .zip(expected)
        .filter(|(a, b)| a.abs_diff(**b) > 40);
    assert!(far.count() * 20 < found.len(), "{what}");
}
