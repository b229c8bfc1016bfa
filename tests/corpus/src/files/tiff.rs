//! TIFF files: of one strip that is not compressed, and of several that may be.

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

/// An entry of a directory that has one number: its tag, 3 for a short or 4 for a long, and the number.
pub type Entry = (u16, u16, u32);

/// Returns a TIFF of 8 bits a sample whose strips are packed already, with entries beside or in place of the usual ones;
/// its strips have equally many rows, but for the last.
#[must_use]
pub fn of_strips(
    (width, height): (u32, u32),
    compression: u16,
    strips: &[Vec<u8>],
    more: &[Entry],
) -> Vec<u8> {
    let count = u32::try_from(strips.len()).unwrap();
    let mut file = vec![0; 8];
    let places = strips.iter().map(|strip| {
        let at = u32::try_from(file.len()).unwrap();
        file.extend_from_slice(strip);
        (at, u32::try_from(strip.len()).unwrap())
    });
    let (offsets, lengths): (Vec<u32>, Vec<u32>) = places.unzip();
    let mut entries = std::collections::BTreeMap::from([
        (256, (LONG, 1, width)),
        (257, (LONG, 1, height)),
        (258, (SHORT, 1, 8)),
        (259, (SHORT, 1, u32::from(compression))),
        (262, (SHORT, 1, 2)),
        (277, (SHORT, 1, 3)),
        (278, (LONG, 1, height.div_ceil(count))),
    ]);
    for (tag, numbers) in [(273, offsets), (279, lengths)] {
        let value = match numbers[..] {
            [number] => number,
            _ => {
                let at = u32::try_from(file.len()).unwrap();
                file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
                at
            }
        };
        entries.insert(tag, (LONG, count, value));
    }
    let more = more
        .iter()
        .map(|&(tag, kind, value)| (tag, (kind, 1, value)));
    entries.extend(more);
    let directory_at = u32::try_from(file.len()).unwrap();
    file[..4].copy_from_slice(b"II*\0");
    file[4..8].copy_from_slice(&directory_at.to_le_bytes());
    push_directory(&mut file, entries, 0);
    file
}

fn push_directory(
    file: &mut Vec<u8>,
    entries: std::collections::BTreeMap<u16, (u16, u32, u32)>,
    next: u32,
) {
    file.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_le_bytes());
    for (tag, (kind, count, value)) in entries {
        file.extend_from_slice(&tag.to_le_bytes());
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&count.to_le_bytes());
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(&next.to_le_bytes());
}

/// Returns a TIFF, whose last bytes lead to no other page, with a page of 8x4 behind it: of a kind of subfile, 0 for a
/// picture of its own and 1 for a thumbnail.
#[must_use]
pub fn with_page(mut file: Vec<u8>, subfile: u32) -> Vec<u8> {
    let pixels_at = u32::try_from(file.len()).unwrap();
    let link = file.len() - 4;
    file.extend([90; 8 * 4 * 3]);
    let directory_at = u32::try_from(file.len()).unwrap();
    file[link..link + 4].copy_from_slice(&directory_at.to_le_bytes());
    let entries = std::collections::BTreeMap::from([
        (254, (LONG, 1, subfile)),
        (256, (LONG, 1, 8)),
        (257, (LONG, 1, 4)),
        (258, (SHORT, 1, 8)),
        (262, (SHORT, 1, 2)),
        (273, (LONG, 1, pixels_at)),
        (277, (SHORT, 1, 3)),
        (279, (LONG, 1, 8 * 4 * 3)),
    ]);
    push_directory(&mut file, entries, 0);
    file
}

/// Returns bytes as PackBits codes.
#[must_use]
pub fn pack_bits(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for part in bytes.chunks(128) {
        packed.push(u8::try_from(part.len() - 1).unwrap());
        packed.extend_from_slice(part);
    }
    packed
}

/// Returns bytes as LZW codes.
///
/// **Source:** TIFF 6.0, section 13.
#[must_use]
pub fn lzw(bytes: &[u8]) -> Vec<u8> {
    const CLEAR: u32 = 256;
    const END: u32 = 257;
    const MOST: u32 = 4094;
    let mut table = std::collections::HashMap::<Vec<u8>, u32>::new();
    let mut next = END + 1;
    let mut bits: Vec<bool> = Vec::new();
    let mut push = |code: u32, next: u32| {
        let width = match next {
            ..512 => 9,
            512..1024 => 10,
            1024..2048 => 11,
            _ => 12,
        };
        bits.extend((0..width).rev().map(|bit| code >> bit & 1 == 1));
    };
    let code_of = |table: &std::collections::HashMap<Vec<u8>, u32>, known: &[u8]| match known {
        [byte] => u32::from(*byte),
        known => table[known],
    };
    push(CLEAR, next);
    let mut known: Vec<u8> = Vec::new();
    for &byte in bytes {
        let longer = [&known[..], &[byte]].concat();
        if longer.len() == 1 || table.contains_key(&longer) {
            known = longer;
            continue;
        }
        push(code_of(&table, &known), next);
        table.insert(longer, next);
        next += 1;
        if next == MOST {
            push(CLEAR, next);
            table.clear();
            next = END + 1;
        }
        known = vec![byte];
    }
    if !known.is_empty() {
        push(code_of(&table, &known), next);
        next += 1;
    }
    push(END, next);
    let byte = |bits: &[bool]| {
        let joined = bits
            .iter()
            .fold(0_u32, |sum, &bit| sum << 1 | u32::from(bit));
        (joined << (8 - bits.len())) as u8
    };
    bits.chunks(8).map(byte).collect()
}
