//! BMP files: what decoders make up where a file says nothing. They make pixels black that run-length codes leave out,
//! and those whose index has no colour.

use super::uncompressed::Uncompressed;

/// The bytes before the header of the picture.
const FILE_HEADER: usize = 14;
/// The sizes of headers that are read: of OS/2, and of Windows by its age.
const OS2_HEADER: u32 = 12;
const WINDOWS_HEADERS: [u32; 5] = [40, 52, 56, 108, 124];

const UNCOMPRESSED: u32 = 0;
const RLE8: u32 = 1;
const RLE4: u32 = 2;
const BIT_FIELDS: u32 = 3;

/// The header of a BMP.
struct Header {
    width: usize,
    height: usize,
    /// Bits of a pixel.
    bits: usize,
    compression: u32,
    /// The colours of its palette, as far as they lie before the pixels.
    num_colours: usize,
    pixels_at: usize,
}

impl Header {
    /// Returns the header of a file, as far as it is one that is read.
    fn of(file: &[u8]) -> Option<Self> {
        let number = |at, length| number(file, at, length);
        let side = |at| number(at, 4).map(|side| side.cast_signed().unsigned_abs() as usize);
        let size = number(FILE_HEADER, 4)?;
        let is_os2 = size == OS2_HEADER;
        let (width, height) = if is_os2 {
            (number(18, 2)? as usize, number(20, 2)? as usize)
        } else {
            (side(18)?, side(22)?)
        };
        let (bits, compression, claimed) = if is_os2 {
            (number(24, 2)? as usize, UNCOMPRESSED, 0)
        } else {
            (number(28, 2)? as usize, number(30, 4)?, number(46, 4)?)
        };
        let pixels_at = number(10, 4)? as usize;
        let most = 1_usize.checked_shl(bits.min(8) as u32)?;
        let claimed = match claimed {
            0 => most,
            claimed => most.min(claimed as usize),
        };
        let palette_at = FILE_HEADER + size as usize;
        let colour_bytes = if is_os2 { 3 } else { 4 };
        let room = pixels_at.checked_sub(palette_at);
        let room = room.map_or(claimed, |bytes| bytes / colour_bytes);
        Some(Self {
            width,
            height,
            bits,
            compression,
            num_colours: claimed.min(room),
            pixels_at,
        })
    }

    /// Returns whether pixels are indices into a palette.
    fn is_indexed(&self) -> bool {
        matches!(self.bits, 1 | 2 | 4 | 8)
    }

    /// Returns the rows of pixels that are not compressed, in the order of the file.
    fn rows<'a>(&self, file: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let bits = self.bits.saturating_mul(self.width);
        let (used, stride) = (bits.div_ceil(8), bits.div_ceil(32) * 4);
        let pixels = file.get(self.pixels_at..).unwrap_or_default();
        let rows = (0..self.height).map_while(move |row| {
            let start = row.checked_mul(stride)?;
            pixels.get(start..start.checked_add(used)?)
        });
        rows.filter(|row| !row.is_empty())
    }

    /// Returns the highest index of a row.
    fn highest_of(&self, row: &[u8]) -> u8 {
        if self.bits == 8 {
            return row.iter().copied().max().unwrap_or(0);
        }
        let mask = (1_u8 << self.bits) - 1;
        let index = |x: usize| {
            let bit = self.bits * x;
            row.get(bit / 8)
                .map_or(0, |byte| (byte >> (8 - self.bits - bit % 8)) & mask)
        };
        (0..self.width).map(index).max().unwrap_or(0)
    }
}

/// Returns what a BMP is that is of a kind which is not read, with its article; nothing of any other.
pub(super) fn unread(file: &[u8]) -> Option<String> {
    let size = number(file, FILE_HEADER, 4)?;
    if size != OS2_HEADER && !WINDOWS_HEADERS.contains(&size) {
        return Some(format!("a BMP whose header has {size} bytes"));
    }
    if size == OS2_HEADER {
        return None;
    }
    match number(file, 30, 4)? {
        UNCOMPRESSED | RLE8 | RLE4 | BIT_FIELDS => None,
        4 => Some("a BMP that holds a JPEG".to_owned()),
        5 => Some("a BMP that holds a PNG".to_owned()),
        11..=13 => Some("a CMYK BMP".to_owned()),
        other => Some(format!("a BMP of compression {other}")),
    }
}

/// Returns whether every pixel of a file has a colour.
///
/// # Errors
///
/// What is missing, for messages.
pub(super) fn check(file: &[u8]) -> Result<(), String> {
    let Some(header) = Header::of(file).filter(Header::is_indexed) else {
        return Ok(());
    };
    let highest = match header.compression {
        RLE8 | RLE4 => {
            let codes = file.get(header.pixels_at..).unwrap_or_default();
            highest_of_codes(&header, codes)?
        }
        _ if header.num_colours == 1 << header.bits => 0,
        _ => {
            let rows = header.rows(file).map(|row| header.highest_of(row));
            rows.max().unwrap_or(0)
        }
    };
    let colours = header.num_colours;
    if usize::from(highest) >= colours {
        return Err(format!(
            "a pixel has colour {highest} of a palette of {colours} colours"
        ));
    }
    Ok(())
}

/// Returns the pixels of a file that is not compressed.
pub(super) fn uncompressed(file: &[u8]) -> Option<Uncompressed<'_>> {
    let header = Header::of(file)?;
    let is_plain = matches!(header.compression, UNCOMPRESSED | BIT_FIELDS);
    is_plain.then(|| Uncompressed {
        rows: header.rows(file).collect(),
        pixel_bytes: (header.bits / 8).max(1),
    })
}

/// Walks over run-length codes and returns the highest index of a pixel; fails where they leave out a pixel.
fn highest_of_codes(header: &Header, codes: &[u8]) -> Result<u8, String> {
    const END_OF_ROW: u8 = 0;
    const END: u8 = 1;
    const JUMP: u8 = 2;
    let is_halved = header.compression == RLE4;
    let (mut highest, mut row, mut x) = (0, 0, 0);
    let mut rest = codes;
    while row < header.height {
        let left_out = |what: &str| {
            let of = format!("row {} of {}", row + 1, header.height);
            format!("its run-length codes {what} in {of}, where pixels are missing")
        };
        let Some((&[count, value], after)) = rest.split_first_chunk::<2>() else {
            return Err(left_out("are cut short"));
        };
        rest = after;
        match (count, value) {
            (0, END_OF_ROW) if x < header.width => return Err(left_out("end a row too early")),
            (0, END_OF_ROW) => (row, x) = (row + 1, 0),
            (0, END) if x < header.width || row + 1 < header.height => {
                return Err(left_out("end"));
            }
            (0, END) => break,
            (0, JUMP) => {
                let Some((jump, after)) = rest.split_first_chunk::<2>() else {
                    return Err(left_out("are cut short"));
                };
                if *jump != [0, 0] {
                    return Err(left_out("jump"));
                }
                rest = after;
            }
            (0, count) => {
                let length = usize::from(count).div_ceil(if is_halved { 2 } else { 1 });
                let Some((indices, after)) = rest.split_at_checked(length.next_multiple_of(2))
                else {
                    return Err(left_out("are cut short"));
                };
                let indices = indices[..length].iter().flat_map(|&byte| match is_halved {
                    true => [byte >> 4, byte & 0xf],
                    false => [byte, byte],
                });
                let halves = if is_halved { 1 } else { 2 };
                let indices = indices.take(halves * usize::from(count));
                highest = indices.fold(highest, u8::max);
                (rest, x) = (after, x + usize::from(count));
            }
            (count, value) => {
                let indices = match (is_halved, count) {
                    (false, _) => [value, value],
                    (true, 1) => [value >> 4, value >> 4],
                    (true, _) => [value >> 4, value & 0xf],
                };
                highest = indices.into_iter().fold(highest, u8::max);
                x += usize::from(count);
            }
        }
    }
    Ok(highest)
}

/// Returns the number of up to four bytes at a place, the lowest first.
fn number(file: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = file.get(at..at + length)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 8) | u32::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(compression: u32) -> Header {
        Header {
            width: 4,
            height: 2,
            bits: if compression == RLE4 { 4 } else { 8 },
            compression,
            num_colours: 16,
            pixels_at: 0,
        }
    }

    #[test]
    fn codes_that_set_every_pixel_have_a_highest_index() {
        let rle8: &[u8] = &[4, 7, 0, 0, 0, 3, 1, 9, 2, 0, 1, 5, 0, 1];
        assert_eq!(highest_of_codes(&header(RLE8), rle8), Ok(9));
        // Without an end, and with a run that is too long, as some encoders write them.
        assert_eq!(
            highest_of_codes(&header(RLE8), &[9, 7, 0, 0, 4, 3, 0, 0]),
            Ok(7)
        );
        // A jump over nothing leaves out nothing.
        assert_eq!(
            highest_of_codes(&header(RLE8), &[0, 2, 0, 0, 4, 7, 0, 0, 4, 1, 0, 1]),
            Ok(7)
        );
        let rle4: &[u8] = &[4, 0x3a, 0, 0, 0, 3, 0x12, 0x4f, 1, 0x4f, 0, 1];
        assert_eq!(
            highest_of_codes(&header(RLE4), rle4),
            Ok(10),
            "halves that count are few"
        );
    }

    #[test]
    fn codes_that_leave_out_a_pixel_are_told_where() {
        for (codes, words) in [
            (&[4, 7, 0, 1][..], "end in row 1 of 2"),
            (&[4, 7, 0, 0, 3, 7, 0, 1], "end in row 2 of 2"),
            (&[3, 7, 0, 0, 4, 7, 0, 1], "end a row too early in row 1"),
            (&[0, 2, 1, 0, 3, 7, 0, 0], "jump in row 1"),
            (&[4, 7, 0, 2, 0, 1], "jump in row 1"),
            (&[4, 7, 0, 0, 4], "are cut short in row 2"),
            (&[0, 4, 1, 2, 3], "are cut short in row 1"),
            (&[4, 7, 0, 0, 0, 0, 0, 0], "end a row too early in row 2"),
            (&[], "are cut short in row 1"),
        ] {
            let told = highest_of_codes(&header(RLE8), codes).unwrap_err();
            assert!(told.contains(words), "no {words:?} in: {told}");
        }
    }

    #[test]
    fn indices_of_few_bits_are_found_and_what_fills_up_a_row_is_not() {
        let of = |bits, row: &[u8]| {
            let header = Header {
                bits,
                width: 3,
                ..header(UNCOMPRESSED)
            };
            header.highest_of(row)
        };
        assert_eq!(of(1, &[0b0001_1111]), 0);
        assert_eq!(of(1, &[0b0010_0000]), 1);
        assert_eq!(of(4, &[0x12, 0x3f]), 3);
        assert_eq!(of(8, &[1, 2, 3]), 3);
    }
}
