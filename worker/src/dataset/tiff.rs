//! The first directory of a TIFF file, which EXIF data are as well: what decoders do not tell of it.

pub(super) const BITS_PER_SAMPLE: u16 = 258;
pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const SAMPLE_FORMAT: u16 = 339;
/// Text of the Extensible Metadata Platform.
pub(super) const XMP: u16 = 700;
pub(super) const ICC_PROFILE: u16 = 34675;

/// The sample formats that are not plain numbers from 0.
const SIGNED: u32 = 2;
const FLOATING_POINT: u32 = 3;

/// The bytes of an entry.
const ENTRY: usize = 12;

/// A directory, as far as its file has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
    /// Where its first entry begins.
    at: usize,
    /// How many entries it claims to have.
    num_entries: usize,
}

impl<'a> Directory<'a> {
    /// Returns the first directory of a TIFF file; none if it begins like no such file, or has none.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let is_little_endian = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let header = Self {
            bytes,
            is_little_endian,
            at: 0,
            num_entries: 0,
        };
        let at = header.number(4, 4)? as usize;
        let num_entries = header.number(at, 2)? as usize;
        Some(Self {
            at: at + 2,
            num_entries,
            ..header
        })
    }

    /// Returns the first number of each entry of a tag; none for one that has no number of 8, 16 or 32 bits.
    pub(super) fn numbers(&self, tag: u16) -> Vec<Option<u32>> {
        self.entries(tag).map(|at| self.first_of(at)).collect()
    }

    /// Returns where the entries of a tag begin.
    fn entries(&self, tag: u16) -> impl Iterator<Item = usize> {
        let entries = (0..self.num_entries).map(move |entry| self.at + ENTRY * entry);
        let whole = entries.take_while(move |at| at + ENTRY <= self.bytes.len());
        whole.filter(move |&at| self.number(at, 2) == Some(u32::from(tag)))
    }

    /// Returns the bytes of a tag that has bytes, as they lie in the file.
    fn bytes_of(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entries(tag).next()?;
        let count = self.number(entry + 4, 4)? as usize;
        // Bytes, and those of which nothing is said.
        let has_bytes = matches!(self.number(entry + 2, 2)?, 1 | 7);
        let at = match count {
            _ if !has_bytes => return None,
            0..=4 => entry + 8,
            _ => self.number(entry + 8, 4)? as usize,
        };
        self.bytes.get(at..at.checked_add(count)?)
    }

    fn first_of(&self, entry: usize) -> Option<u32> {
        let count = self.number(entry + 4, 4)? as usize;
        let size: usize = match self.number(entry + 2, 2)? {
            1 => 1,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        // What does not fit into the entry lies elsewhere.
        let at = match count.checked_mul(size)? {
            0 => return None,
            1..=4 => entry + 8,
            _ => self.number(entry + 8, 4)? as usize,
        };
        self.number(at, size)
    }

    /// Returns the number of up to four bytes at a place.
    fn number(&self, at: usize, length: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(length)?)?;
        let joined = |sum: u32, byte: &u8| (sum << 8) | u32::from(*byte);
        Some(if self.is_little_endian {
            bytes.iter().rev().fold(0, joined)
        } else {
            bytes.iter().fold(0, joined)
        })
    }
}

/// Returns the first number of a tag of a TIFF file.
fn number(file: &[u8], tag: u16) -> Option<u32> {
    let directory = Directory::of(file)?;
    directory.numbers(tag).into_iter().flatten().next()
}

/// Returns the bytes of a tag of a TIFF file, however many they are: nothing is copied.
pub(super) fn bytes(file: &[u8], tag: u16) -> Option<&[u8]> {
    Directory::of(file)?.bytes_of(tag)
}

/// Returns whether a TIFF file holds floating point numbers.
pub(super) fn is_floating_point(file: &[u8]) -> bool {
    number(file, SAMPLE_FORMAT) == Some(FLOATING_POINT)
}

/// Returns what a TIFF file holds that is not read, for messages.
pub(super) fn describe(file: &[u8]) -> String {
    let format = number(file, SAMPLE_FORMAT);
    let bits = number(file, BITS_PER_SAMPLE).unwrap_or(1);
    match (number(file, PHOTOMETRIC), format) {
        (Some(3), _) => "palette colours".to_owned(),
        (Some(6), _) => "YCbCr colours".to_owned(),
        (Some(8..=10), _) => "CIE L*a*b* colours".to_owned(),
        (_, Some(SIGNED)) => format!("signed numbers of {bits} bits"),
        (_, Some(FLOATING_POINT)) => format!("floating point numbers of {bits} bits"),
        _ if !matches!(bits, 1 | 8 | 16) => format!("numbers of {bits} bits"),
        _ => "an unusual layout or compression".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a directory of one entry.
    fn one(kind: u8, count: u8, value: [u8; 4]) -> Vec<u8> {
        let entry = [&[0x12, 0x01, kind, 0, count, 0, 0, 0][..], &value].concat();
        [&b"II*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat()
    }

    #[test]
    fn numbers_of_every_size_are_read() {
        for (kind, count, value, expected) in [
            (1, 1, [6, 0, 0, 0], Some(6)),
            (3, 1, [6, 0, 0, 0], Some(6)),
            (4, 1, [6, 0, 0, 0], Some(6)),
            (3, 2, [6, 0, 7, 0], Some(6)),
            // Three of them lie elsewhere.
            (3, 3, [4, 0, 0, 0], Some(8)),
            (3, 3, [255, 0, 0, 0], None),
            (3, 0, [6, 0, 0, 0], None),
            (2, 1, [6, 0, 0, 0], None),
            (5, 1, [6, 0, 0, 0], None),
        ] {
            let bytes = one(kind, count, value);
            let found = Directory::of(&bytes).unwrap().numbers(ORIENTATION);
            assert_eq!(found, [expected], "{kind} {count} {value:?}");
        }
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let found = Directory::of(big).unwrap().numbers(ORIENTATION);
        assert_eq!(found, [Some(6)]);
    }

    #[test]
    fn bytes_are_those_in_the_file() {
        let of = |kind, count, value| {
            let mut file = one(kind, count, value);
            file.extend_from_slice(b"a profile");
            bytes(&file, ORIENTATION).map(<[u8]>::to_vec)
        };
        let behind = one(7, 9, [0; 4]).len() as u8;
        assert_eq!(of(7, 9, [behind, 0, 0, 0]).unwrap(), b"a profile");
        assert_eq!(of(1, 3, *b"abc\0").unwrap(), b"abc");
        assert_eq!(of(7, 10, [behind, 0, 0, 0]), None, "beyond the end");
        assert_eq!(of(3, 9, [behind, 0, 0, 0]), None, "numbers of 16 bits");
        assert_eq!(bytes(b"II*\0", ICC_PROFILE), None);
    }

    #[test]
    fn what_is_cut_short_or_points_nowhere_has_no_numbers() {
        let whole = one(3, 1, [6, 0, 0, 0]);
        for cut in 0..22 {
            let found = Directory::of(&whole[..cut]);
            let found = found.map(|directory| directory.numbers(ORIENTATION));
            assert_eq!(found.unwrap_or_default(), [], "{cut} bytes");
        }
        let mut nowhere = whole;
        nowhere[4..8].fill(255);
        assert!(Directory::of(&nowhere).is_none());
    }
}
