//! BMP files: of 24 bits, and of indices into a palette.

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

/// Returns a BMP of 8 bits, compressed (1) or not (0), with a grey palette of some colours and any data behind it.
#[must_use]
pub fn indexed(
    width: u32,
    height: u32,
    compression: u32,
    num_colours: u32,
    data: &[u8],
) -> Vec<u8> {
    let pixels_at = 54 + 4 * num_colours;
    let size = u32::try_from(data.len()).unwrap();
    let mut file = b"BM".to_vec();
    for number in [pixels_at + size, 0, pixels_at, 40, width, height] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&8_u16.to_le_bytes());
    for number in [compression, size, 2835, 2835, num_colours, 0] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    for colour in 0..num_colours {
        let level = (colour * 8) as u8;
        file.extend([level, level, level, 0]);
    }
    file.extend_from_slice(data);
    file
}

/// Returns indices `(height, width)` as run-length codes of 8 bits, a row at a time and the lowest first.
#[must_use]
pub fn run_lengths(width: u32, indices: &[u8]) -> Vec<Vec<u8>> {
    let rows = indices.chunks(width as usize).rev();
    let runs = |row: &[u8]| {
        let runs = row.chunk_by(|a, b| a == b);
        let codes = runs.flat_map(|run| [u8::try_from(run.len()).unwrap(), run[0]]);
        codes.chain([0, 0]).collect()
    };
    rows.map(runs).collect()
}
