//! The pixels of TIFF files: strips or tiles, each compressed by itself. Decoders read of each what they need and no more,
//! and so never come to the checksum behind it, to the bits that a JPEG lacks or to bytes that are too many.

use flate2::{Decompress, FlushDecompress, Status};

use super::jpeg;
use super::picture::{MAX_DECODER_BYTES, MAX_PIXELS};
use super::tiff::{self, Directory};
use super::uncompressed::Uncompressed;

/// Codes that fill up a strip make a few bytes at most, which decoders leave away.
const FILLING: u64 = 4;

/// Where the strips or tiles of a file lie, and what each holds.
struct Layout<'a> {
    compression: u32,
    /// What JPEG strips have in common.
    tables: Option<&'a [u8]>,
    /// The samples of a pixel in a strip or tile.
    samples: u64,
    /// Bits of a sample.
    bits: u64,
    width: u64,
    chunks: Vec<Chunk<'a>>,
}

/// A strip or tile.
struct Chunk<'a> {
    bytes: &'a [u8],
    /// The rows of the picture that it has.
    rows: u64,
    /// The rows that it has at most: some encoders fill up the last one.
    most_rows: u64,
}

impl<'a> Layout<'a> {
    /// Returns the layout of a file's first page; none if the file does not say, or says what it has not.
    fn of(file: &'a [u8]) -> Option<Self> {
        let directory = Directory::of(file)?;
        let value = |tag, otherwise| u64::from(directory.value(tag).unwrap_or(otherwise));
        let (width, height) = (value(tiff::WIDTH, 0), value(tiff::HEIGHT, 0));
        let samples = value(tiff::SAMPLES_PER_PIXEL, 1);
        let (planes, samples) = match directory.value(tiff::PLANES) {
            Some(tiff::PLANAR) => (samples, 1),
            Some(_) | None => (1, samples),
        };
        let is_tiled = directory.value(tiff::TILE_OFFSETS).is_some();
        let (offsets, lengths, chunk_width, chunk_height) = if is_tiled {
            let height = value(tiff::TILE_HEIGHT, 0);
            let width = value(tiff::TILE_WIDTH, 0);
            (tiff::TILE_OFFSETS, tiff::TILE_BYTES, width, height)
        } else {
            let height = value(tiff::ROWS_PER_STRIP, u32::MAX);
            (tiff::STRIP_OFFSETS, tiff::STRIP_BYTES, width, height)
        };
        if width == 0 || height == 0 || chunk_width == 0 || chunk_height == 0 {
            return None;
        }
        let (across, down) = (width.div_ceil(chunk_width), height.div_ceil(chunk_height));
        let (offsets, lengths) = (directory.values(offsets)?, directory.values(lengths)?);
        let places = offsets.into_iter().zip(lengths);
        let chunks = places.enumerate().map(|(index, (offset, length))| {
            let (start, length) = (offset as usize, length as usize);
            let start_row = index as u64 / across % down * chunk_height;
            Some(Chunk {
                bytes: file.get(start..start.checked_add(length)?)?,
                rows: chunk_height.min(height - start_row),
                most_rows: if is_tiled {
                    chunk_height
                } else {
                    chunk_height.min(height)
                },
            })
        });
        let chunks = chunks.collect::<Option<Vec<_>>>()?;
        let is_whole = chunks.len() as u64 == across * down * planes;
        // Blank ones may be one and the same; more of them that lie over each other would be read for ever.
        let all: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let is_bounded = all <= MAX_DECODER_BYTES.max(file.len());
        (is_whole && is_bounded).then_some(Self {
            compression: directory.value(tiff::COMPRESSION).unwrap_or(1),
            tables: tiff::bytes(file, tiff::JPEG_TABLES),
            samples,
            bits: value(tiff::BITS_PER_SAMPLE, 1),
            width: chunk_width,
            chunks,
        })
    }

    /// Returns the bytes of so many rows of a strip or tile, unpacked.
    fn num_bytes(&self, rows: u64) -> u64 {
        let bits = self.samples.saturating_mul(self.bits);
        let bits = self.width.saturating_mul(bits);
        bits.div_ceil(8).saturating_mul(rows)
    }

    /// Returns whether a strip or tile is whole.
    fn check(&self, chunk: &Chunk<'_>) -> Result<(), String> {
        if self.width.saturating_mul(chunk.most_rows) > MAX_PIXELS {
            let (width, height) = (self.width, chunk.most_rows);
            return Err(format!("is {width}x{height}, more than any picture"));
        }
        let least = self.num_bytes(chunk.rows);
        let most = self.num_bytes(chunk.most_rows);
        let found = match self.compression {
            tiff::UNCOMPRESSED => (chunk.bytes.len() as u64).min(most),
            tiff::LZW => lzw_length(chunk.bytes, most.saturating_add(FILLING))?,
            tiff::PACK_BITS => pack_bits_length(chunk.bytes, most.saturating_add(FILLING)),
            tiff::JPEG => return self.check_jpeg(chunk),
            compression if tiff::DEFLATE.contains(&compression) => {
                deflate_length(chunk.bytes, most.saturating_add(FILLING))?
            }
            // A decoder of another compression stops where its rows do.
            _ => return Ok(()),
        };
        if found < least {
            return Err(format!("has {found} of {least} bytes"));
        }
        if found > most.saturating_add(FILLING) {
            return Err(format!("has {found} bytes, expected {most}"));
        }
        Ok(())
    }

    fn check_jpeg(&self, chunk: &Chunk<'_>) -> Result<(), String> {
        let failed = |error: jpeg::JpegError| {
            let reason = shared::failure::chain(&error);
            format!("is a JPEG that cannot be decoded: {reason}")
        };
        let file = match self.tables {
            // Each begins like a JPEG and ends like one.
            Some([tables @ .., _, _]) => {
                let own = chunk.bytes.get(2..).unwrap_or_default();
                [tables, own].concat()
            }
            Some(_) | None => chunk.bytes.to_vec(),
        };
        let (width, height) = jpeg::size(&file).map_err(failed)?;
        let rows = chunk.rows..=chunk.most_rows;
        if width as u64 != self.width || !rows.contains(&(height as u64)) {
            let (of_width, of_rows) = (self.width, chunk.rows);
            return Err(format!(
                "is a JPEG of {width}x{height}, expected {of_width}x{of_rows}"
            ));
        }
        let decoded = jpeg::decode(&file).map_err(failed)?;
        let samples = match (decoded.is_grey, decoded.is_cmyk) {
            (true, _) => 1,
            (false, true) => 4,
            (false, false) => 3,
        };
        if samples == self.samples {
            return Ok(());
        }
        let expected = self.samples;
        Err(format!(
            "is a JPEG of {samples} channels, expected {expected}"
        ))
    }
}

/// Returns whether all pixels of a file's first page are there.
///
/// # Errors
///
/// What is missing, for messages.
pub(super) fn check(file: &[u8]) -> Result<(), String> {
    let Some(layout) = Layout::of(file) else {
        return Err("its strips or tiles do not lie in it as it says".to_owned());
    };
    let num_chunks = layout.chunks.len();
    for (index, chunk) in layout.chunks.iter().enumerate() {
        layout
            .check(chunk)
            .map_err(|reason| format!("strip or tile {} of {num_chunks} {reason}", index + 1))?;
    }
    Ok(())
}

/// Returns the pixels of a file that is not compressed.
pub(super) fn uncompressed(file: &[u8]) -> Option<Uncompressed<'_>> {
    let layout = Layout::of(file)?;
    let length = |chunk: &Chunk<'_>| {
        let length = usize::try_from(layout.num_bytes(chunk.rows));
        length.unwrap_or(usize::MAX).min(chunk.bytes.len())
    };
    let chunks = layout.chunks.iter();
    (layout.compression == tiff::UNCOMPRESSED).then(|| Uncompressed {
        rows: chunks.map(|chunk| &chunk.bytes[..length(chunk)]).collect(),
        pixel_bytes: usize::try_from(layout.samples * layout.bits / 8).map_or(1, |it| it.max(1)),
    })
}

/// Returns how many bytes a zlib stream unpacks to, which its checksum is right for; more than `most` are not counted.
fn deflate_length(stream: &[u8], most: u64) -> Result<u64, String> {
    const AT_ONCE: usize = 1 << 16;
    let mut inflate = Decompress::new(true);
    let mut unpacked = vec![0; AT_ONCE];
    loop {
        let before = (inflate.total_in(), inflate.total_out());
        let rest = &stream[before.0 as usize..];
        let status = inflate.decompress(rest, &mut unpacked, FlushDecompress::None);
        let after = (inflate.total_in(), inflate.total_out());
        match status {
            Ok(Status::StreamEnd) => return Ok(after.1),
            Ok(_) if after.1 > most => return Ok(after.1),
            Ok(_) if after != before => {}
            Ok(_) => return Err("ends before its checksum".to_owned()),
            Err(_) => return Err("is damaged: its codes or its checksum are wrong".to_owned()),
        }
    }
}

/// Returns how many bytes PackBits codes unpack to, as far as they are whole; many more than `most` are not counted.
fn pack_bits_length(codes: &[u8], most: u64) -> u64 {
    const NOTHING: u8 = 128;
    let mut rest = codes;
    let mut length = 0;
    while let Some((&count, after)) = rest.split_first() {
        let (taken, given) = match count {
            0..NOTHING => (usize::from(count) + 1, u64::from(count) + 1),
            NOTHING => (0, 0),
            _ => (1, 257 - u64::from(count)),
        };
        let Some(next) = after.get(taken..) else {
            break;
        };
        rest = next;
        length += given;
        if length > most {
            break;
        }
    }
    length
}

/// Returns how many bytes LZW codes unpack to; many more than `most` are not counted.
///
/// **Source:** TIFF 6.0, section 13.
fn lzw_length(bytes: &[u8], most: u64) -> Result<u64, String> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    const MOST: usize = 1 << 12;
    let mut bits = Bits { bytes, at: 0 };
    // How many bytes a code stands for; those of single bytes stand for themselves.
    let mut lengths = vec![1_u64; END + 1];
    let mut last = None;
    let mut length = 0;
    // A code is one bit wider one entry before it has to be.
    while let Some(code) = bits.take(match lengths.len() {
        ..511 => 9,
        511..1023 => 10,
        1023..2047 => 11,
        _ => 12,
    }) {
        match code {
            END => break,
            CLEAR => {
                lengths.truncate(END + 1);
                last = None;
                continue;
            }
            _ => {}
        }
        if let Some(last) = last
            && lengths.len() < MOST
        {
            // It may be the very code that follows.
            lengths.push(lengths[last] + 1);
        }
        length += lengths
            .get(code)
            .ok_or("has a code that no code before it made")?;
        last = Some(code);
        if length > most {
            break;
        }
    }
    Ok(length)
}

/// Bits, the highest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// How many were taken.
    at: usize,
}

impl Bits<'_> {
    /// Returns the next number of some bits, 16 at most; none if there are not as many.
    fn take(&mut self, count: usize) -> Option<usize> {
        if self.at + count > 8 * self.bytes.len() {
            return None;
        }
        let byte = |index| usize::from(self.bytes.get(index).copied().unwrap_or(0));
        let first = self.at / 8;
        let three = byte(first) << 16 | byte(first + 1) << 8 | byte(first + 2);
        let number = three >> (24 - self.at % 8 - count) & ((1 << count) - 1);
        self.at += count;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    #[test]
    fn pack_bits_are_counted() {
        for (codes, expected) in [
            (&[][..], 0),
            (&[2, 7, 8, 9], 3),
            (&[0xfe, 7], 3),
            (&[0x80, 0, 7, 0x81, 9], 129),
            (&[0, 7, 2, 7, 8], 1),
            (&[0xfe], 0),
        ] {
            assert_eq!(pack_bits_length(codes, u64::MAX), expected, "{codes:?}");
        }
    }

    /// Returns codes of 9 bits.
    fn codes(codes: &[u32]) -> Vec<u8> {
        let bits = codes
            .iter()
            .flat_map(|code| (0..9).rev().map(move |bit| code >> bit & 1));
        let bits: Vec<u32> = bits.collect();
        let byte = |bits: &[u32]| {
            let joined = bits.iter().fold(0, |sum, bit| sum << 1 | bit);
            (joined << (8 - bits.len())) as u8
        };
        bits.chunks(8).map(byte).collect()
    }

    #[test]
    fn lzw_codes_are_counted() {
        // The example of the specification: 7 7 7 8 8 7 7 6 6.
        let example = [256, 7, 258, 8, 8, 258, 6, 6, 257];
        assert_eq!(lzw_length(&codes(&example), u64::MAX), Ok(9));
        // A code that stands for itself: 7, then 7 7, then 7 7 7.
        assert_eq!(
            lzw_length(&codes(&[256, 7, 258, 259, 257]), u64::MAX),
            Ok(6)
        );
        assert_eq!(
            lzw_length(&codes(&[256, 7, 256, 7, 257, 8]), u64::MAX),
            Ok(2)
        );
        assert_eq!(
            lzw_length(&codes(&[256, 7, 7]), u64::MAX),
            Ok(2),
            "without an end"
        );
        assert!(lzw_length(&codes(&[256, 7, 300, 257]), u64::MAX).is_err());
        assert_eq!(lzw_length(&[], u64::MAX), Ok(0));
    }

    #[test]
    fn a_zlib_stream_is_counted_if_its_checksum_is_right() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let pixels: Vec<u8> = (0..200_000_u32)
            .map(|i| (i.wrapping_mul(i) >> 7) as u8)
            .collect();
        encoder.write_all(&pixels).unwrap();
        let stream = encoder.finish().unwrap();
        assert_eq!(deflate_length(&stream, 200_000), Ok(200_000));
        for cut in [0, 1, stream.len() / 2, stream.len() - 1] {
            assert!(deflate_length(&stream[..cut], 200_000).is_err(), "{cut}");
        }
        let mut damaged = stream.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(deflate_length(&damaged, 200_000).is_err());
        damaged[stream.len() / 2..].fill(0);
        assert!(deflate_length(&damaged, 200_000).is_err());
        assert!(deflate_length(&stream, 1000).unwrap() > 1000);
    }
}
