//! The first directory of a TIFF file, which EXIF data are as well: what decoders do not tell of it.

const SUBFILE: u16 = 254;
const OLD_SUBFILE: u16 = 255;
pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
pub(super) const BITS_PER_SAMPLE: u16 = 258;
pub(super) const COMPRESSION: u16 = 259;
pub(super) const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
pub(super) const STRIP_OFFSETS: u16 = 273;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const SAMPLES_PER_PIXEL: u16 = 277;
pub(super) const ROWS_PER_STRIP: u16 = 278;
pub(super) const STRIP_BYTES: u16 = 279;
pub(super) const PLANES: u16 = 284;
const PREDICTOR: u16 = 317;
pub(super) const TILE_WIDTH: u16 = 322;
pub(super) const TILE_HEIGHT: u16 = 323;
pub(super) const TILE_OFFSETS: u16 = 324;
pub(super) const TILE_BYTES: u16 = 325;
const INK_SET: u16 = 332;
const EXTRA_SAMPLES: u16 = 338;
pub(super) const SAMPLE_FORMAT: u16 = 339;
const INDEXED: u16 = 346;
pub(super) const JPEG_TABLES: u16 = 347;
/// Text of the Extensible Metadata Platform.
pub(super) const XMP: u16 = 700;
pub(super) const ICC_PROFILE: u16 = 34675;

/// The sample formats that are not plain numbers from 0.
const SIGNED: u32 = 2;
const FLOATING_POINT: u32 = 3;

pub(super) const UNCOMPRESSED: u32 = 1;
pub(super) const LZW: u32 = 5;
pub(super) const JPEG: u32 = 7;
/// By Adobe's number and by an older one.
pub(super) const DEFLATE: [u32; 2] = [8, 32946];
pub(super) const PACK_BITS: u32 = 32773;

/// The values of [`PLANES`]: samples of a pixel side by side, or each in a plane of its own.
pub(super) const CHUNKY: u32 = 1;
pub(super) const PLANAR: u32 = 2;

const RGB: u32 = 2;
const CMYK: u32 = 5;

/// The values of [`EXTRA_SAMPLES`] that are alpha: colours were multiplied with it, or not.
const ASSOCIATED_ALPHA: u32 = 1;
const UNASSOCIATED_ALPHA: u32 = 2;

/// The most pages that are counted.
const MAX_PAGES: usize = 1000;

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
        header.directory_at(header.number(4, 4)? as usize)
    }

    /// Returns the directory that begins at a place of the same file.
    fn directory_at(&self, at: usize) -> Option<Self> {
        let num_entries = self.number(at, 2)? as usize;
        Some(Self {
            at: at + 2,
            num_entries,
            ..*self
        })
    }

    /// Returns the directory of the next page; none after the last one.
    fn next(&self) -> Option<Self> {
        let at = self.number(self.at + ENTRY * self.num_entries, 4)? as usize;
        if at == 0 { None } else { self.directory_at(at) }
    }

    /// Returns the first number of a tag, of its last entry: decoders take that.
    pub(super) fn value(&self, tag: u16) -> Option<u32> {
        self.first_of(self.entries(tag).last()?)
    }

    /// Returns all numbers of a tag, of its last entry; none if it has no numbers of 8, 16 or 32 bits, or not all of them
    /// lie in the file.
    pub(super) fn values(&self, tag: u16) -> Option<Vec<u32>> {
        let (at, size, count) = self.place_of(self.entries(tag).last()?)?;
        // Nothing is made room for before it is known to be there.
        self.bytes.get(at..at.checked_add(size * count)?)?;
        let numbers = (0..count).map(|index| self.number(at + size * index, size));
        numbers.collect()
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
        let (at, size, _) = self.place_of(entry)?;
        self.number(at, size)
    }

    /// Returns where the numbers of an entry begin, how many bytes each has, and how many there are.
    fn place_of(&self, entry: usize) -> Option<(usize, usize, usize)> {
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
        Some((at, size, count))
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

/// Returns what a TIFF file holds that decoders pass over or take for something else, so that its pixels would be wrong.
pub(super) fn unread(file: &[u8]) -> Option<String> {
    let directory = Directory::of(file)?;
    let value = |tag, otherwise| directory.value(tag).unwrap_or(otherwise);
    let (compression, photometric) = (value(COMPRESSION, UNCOMPRESSED), value(PHOTOMETRIC, RGB));
    let (fill_order, predictor) = (value(FILL_ORDER, 1), value(PREDICTOR, 1));
    if fill_order != 1 {
        return Some(format!(
            "bytes whose bits are reversed (FillOrder {fill_order})"
        ));
    }
    if value(INDEXED, 0) == 1 {
        return Some("indices into colours (Indexed 1)".to_owned());
    }
    if let (CMYK, inks @ 2..) = (photometric, value(INK_SET, 1)) {
        return Some(format!("inks other than CMYK (InkSet {inks})"));
    }
    if predictor != 1 && compression != LZW && !DEFLATE.contains(&compression) {
        return Some(format!(
            "differences of samples (Predictor {predictor}) in a compression that has none"
        ));
    }
    let extra = directory.values(EXTRA_SAMPLES).unwrap_or_default();
    let has_alpha = matches!(
        extra.first(),
        Some(&(ASSOCIATED_ALPHA | UNASSOCIATED_ALPHA))
    );
    let is_dropped = extra.len() > usize::from(has_alpha);
    if predictor != 1 && is_dropped && value(PLANES, CHUNKY) == CHUNKY {
        return Some(format!(
            "differences of samples (Predictor {predictor}) beside samples that are no colours"
        ));
    }
    None
}

/// Returns whether the colours of a TIFF file were multiplied with its alpha.
pub(super) fn is_premultiplied(file: &[u8]) -> bool {
    number(file, EXTRA_SAMPLES) == Some(ASSOCIATED_ALPHA)
}

/// Returns how many pages a TIFF file has that are pictures of their own, beside its first page: no thumbnails, and no
/// masks of another page.
pub(super) fn num_more_pages(file: &[u8]) -> usize {
    const IS_REDUCED_OR_MASK: u32 = 0b101;
    let mut starts = Vec::new();
    let mut page = Directory::of(file);
    let mut pages = 0;
    while let Some(directory) = page
        && starts.len() < MAX_PAGES
        && !starts.contains(&directory.at)
    {
        let is_part = directory.value(SUBFILE).unwrap_or(0) & IS_REDUCED_OR_MASK != 0
            || directory.value(OLD_SUBFILE) == Some(2);
        let is_first = starts.is_empty();
        pages += usize::from(!is_first && !is_part && directory.value(WIDTH).is_some());
        starts.push(directory.at);
        page = directory.next();
    }
    pages
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
    fn all_numbers_of_a_tag_are_those_of_its_last_entry() {
        let entry = |count: u8, value: [u8; 4]| {
            let head = [0x12, 0x01, 3, 0, count, 0, 0, 0];
            [&head[..], &value].concat()
        };
        let twice = [entry(1, [9, 0, 0, 0]), entry(2, [6, 0, 7, 0])].concat();
        let file = [&b"II*\0\x08\0\0\0\x02\0"[..], &twice, &[0; 4]].concat();
        let directory = Directory::of(&file).unwrap();
        assert_eq!(directory.values(ORIENTATION), Some(vec![6, 7]));
        assert_eq!(directory.value(ORIENTATION), Some(6));
        assert_eq!(directory.values(STRIP_BYTES), None);
        let beyond = one(4, 200, [8, 0, 0, 0]);
        let directory = Directory::of(&beyond).unwrap();
        assert_eq!(directory.values(ORIENTATION), None);
    }

    /// Returns a file of pages, each with its kind of subfile, and the last one followed by `next`.
    fn pages(subfiles: &[u8], next: u8) -> Vec<u8> {
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        for (page, &subfile) in subfiles.iter().enumerate() {
            file.extend([2, 0]);
            file.extend([0xfe, 0, 4, 0, 1, 0, 0, 0, subfile, 0, 0, 0]);
            file.extend([0, 1, 4, 0, 1, 0, 0, 0, 64, 0, 0, 0]);
            let is_last = page + 1 == subfiles.len();
            let behind = if is_last { next } else { file.len() as u8 + 4 };
            file.extend([behind, 0, 0, 0]);
        }
        file
    }

    #[test]
    fn pages_are_counted_that_are_pictures_of_their_own() {
        for (subfiles, expected) in [
            (&[0][..], 0),
            (&[0, 0], 1),
            (&[0, 2, 2], 2),
            (&[0, 1], 0),
            (&[0, 4], 0),
            (&[0, 1, 0], 1),
            (&[1, 0], 1),
        ] {
            assert_eq!(
                num_more_pages(&pages(subfiles, 0)),
                expected,
                "{subfiles:?}"
            );
        }
        assert_eq!(num_more_pages(&pages(&[0, 0], 8)), 1, "a chain without end");
        assert_eq!(num_more_pages(&pages(&[0, 0], 250)), 1, "a page nowhere");
        assert_eq!(num_more_pages(b"II*\0"), 0);
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
