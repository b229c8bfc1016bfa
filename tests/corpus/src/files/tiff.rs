//! TIFF files of one strip, not compressed.

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// What is unusual about the samples of a TIFF.
#[derive(Debug, Clone, Copy)]
pub struct Samples {
    /// Samples of a pixel, three at most.
    pub channels: u16,
    /// Bits of each.
    pub bits: u16,
    /// 2 RGB, 3 palette, 6 YCbCr, 8 CIE L*a*b*.
    pub photometric: u16,
    /// 1 unsigned, 2 signed, 3 floating point; none where nothing is said.
    pub format: Option<u16>,
}

/// Returns a TIFF of zeros whose samples are of any kind.
#[must_use]
pub fn of_samples(width: u32, height: u32, samples: Samples) -> Vec<u8> {
    let pixel = u32::from(samples.channels * samples.bits / 8);
    file(
        (width, height),
        &vec![0; (width * height * pixel) as usize],
        samples,
        None,
    )
}

/// Returns an RGB picture `(height, width, 3)` of 8 bits as a TIFF, with an orientation if one is given: its type, 1 a byte,
/// 3 a short, 4 a long, and its value.
#[must_use]
pub fn rgb(width: u32, height: u32, pixels: &[u8], orientation: Option<(u16, u16)>) -> Vec<u8> {
    let samples = Samples {
        channels: 3,
        bits: 8,
        photometric: 2,
        format: None,
    };
    file((width, height), pixels, samples, orientation)
}

fn file(
    (width, height): (u32, u32),
    pixels: &[u8],
    samples: Samples,
    orientation: Option<(u16, u16)>,
) -> Vec<u8> {
    let bits_at = 8_u32;
    let pixels_at = bits_at + 6;
    let size = u32::try_from(pixels.len()).unwrap();
    let directory_at = (pixels_at + size).next_multiple_of(2);
    let mut entries: Vec<(u16, u16, u32, u32)> = vec![
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, u32::from(samples.photometric)),
        (273, LONG, 1, pixels_at),
        (277, SHORT, 1, u32::from(samples.channels)),
        (278, LONG, 1, height),
        (279, LONG, 1, size),
    ];
    entries.push(match samples.channels {
        1 => (258, SHORT, 1, u32::from(samples.bits)),
        channels => (258, SHORT, u32::from(channels), bits_at),
    });
    if let Some((kind, value)) = orientation {
        entries.push((274, kind, 1, u32::from(value)));
    }
    if let Some(format) = samples.format {
        entries.push((339, SHORT, 1, u32::from(format)));
    }
    entries.sort_unstable();
    let mut file = b"II*\0".to_vec();
    file.extend_from_slice(&directory_at.to_le_bytes());
    for _ in 0..3 {
        file.extend_from_slice(&samples.bits.to_le_bytes());
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
