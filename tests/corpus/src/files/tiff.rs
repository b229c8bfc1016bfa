//! TIFF files of one strip, not compressed.

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// Returns an RGB picture `(height, width, 3)` of 8 bits as a TIFF, with an orientation if one is given.
#[must_use]
pub fn rgb(width: u32, height: u32, pixels: &[u8], orientation: Option<u16>) -> Vec<u8> {
    let bits_at = 8_u32;
    let pixels_at = bits_at + 6;
    let size = u32::try_from(pixels.len()).unwrap();
    let directory_at = (pixels_at + size).next_multiple_of(2);
    let mut entries: Vec<(u16, u16, u32, u32)> = vec![
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 3, bits_at),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 2),
        (273, LONG, 1, pixels_at),
        (277, SHORT, 1, 3),
        (278, LONG, 1, height),
        (279, LONG, 1, size),
    ];
    if let Some(value) = orientation {
        entries.insert(6, (274, SHORT, 1, u32::from(value)));
    }
    let mut file = b"II*\0".to_vec();
    file.extend_from_slice(&directory_at.to_le_bytes());
    for _ in 0..3 {
        file.extend_from_slice(&8_u16.to_le_bytes());
    }
    file.extend_from_slice(pixels);
    file.resize(directory_at as usize, 0);
    file.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend_from_slice(&tag.to_le_bytes());
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&count.to_le_bytes());
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(&0_u32.to_le_bytes());
    file
}
