//! BMP files of 24 bits.

/// Returns an RGB picture `(height, width, 3)` as a BMP.
#[must_use]
pub fn rgb(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let line = 3 * width as usize;
    let padded = line.next_multiple_of(4);
    let size = u32::try_from(padded * height as usize).unwrap();
    let mut file = b"BM".to_vec();
    for number in [54 + size, 0, 54, 40, width, height] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&24_u16.to_le_bytes());
    for number in [0, size, 2835, 2835, 0, 0] {
        file.extend_from_slice(&u32::to_le_bytes(number));
    }
    for row in pixels.chunks(line).rev() {
        let swapped = row
            .chunks(3)
            .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]);
        file.extend(swapped);
        file.extend(std::iter::repeat_n(0, padded - line));
    }
    file
}
