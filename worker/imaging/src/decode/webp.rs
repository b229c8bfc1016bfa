//! Chunks of WebP files that the decoder does not tell of, and whether all of the picture is there.

use std::borrow::Cow;
use std::ops::Range;

use super::jpeg::OTHER_BITS;
use super::zeros;

/// The bytes before the first chunk.
const HEADER: usize = 12;
/// The bytes before a chunk's data.
const CHUNK_HEADER: usize = 8;

struct Chunk<'a> {
    kind: [u8; 4],
    /// Where its data begin.
    start: usize,
    data: &'a [u8],
}

/// Returns the chunks of a file as far as they go.
fn chunks(file: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        let (kind, after) = file.get(at..)?.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let data = after.get(..u32::from_le_bytes(*length) as usize)?;
        let start = at + CHUNK_HEADER;
        at = start + data.len().next_multiple_of(2);
        Some(Chunk {
            kind: *kind,
            start,
            data,
        })
    })
}

fn data_of<'a>(file: &'a [u8], kind: &[u8; 4]) -> Vec<&'a [u8]> {
    let found = chunks(file).filter(|chunk| &chunk.kind == kind);
    found.map(|chunk| chunk.data).collect()
}

/// Returns all EXIF data of a file.
pub(super) fn exif(file: &[u8]) -> Vec<&[u8]> {
    data_of(file, b"EXIF")
}

/// Returns the colour profile of a file.
pub(super) fn profile(file: &[u8]) -> Option<&[u8]> {
    data_of(file, b"ICCP").first().copied()
}

/// Returns all XMP data of a file.
pub(super) fn xmp(file: &[u8]) -> Vec<&[u8]> {
    data_of(file, b"XMP ")
}

/// Returns a file as a still picture: an animation of a single frame that covers its canvas is one.
///
/// # Errors
///
/// What any other animation is.
pub(super) fn still(file: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    const IS_ANIMATED: u8 = 0x02;
    const HAS_ALPHA: u8 = 0x10;
    /// The bytes of a frame before its own chunks.
    const FRAME_HEADER: usize = 16;
    let extended = data_of(file, b"VP8X").first().copied();
    let Some(extended) = extended.filter(|it| it.len() >= 10 && it[0] & IS_ANIMATED != 0) else {
        return Ok(Cow::Borrowed(file));
    };
    let [frame] = data_of(file, b"ANMF")[..] else {
        return Err("an animation");
    };
    let Some((header, picture)) = frame.split_at_checked(FRAME_HEADER) else {
        return Err("an animation");
    };
    // Its place first, then its size: as the canvas's, each side less one.
    if header[..6] != [0; 6] || header[6..12] != extended[4..10] {
        return Err("an animation whose frame covers a part of its canvas");
    }
    let mut flags = extended.to_vec();
    let has_alpha = picture.starts_with(b"ALPH") || extended[0] & HAS_ALPHA != 0;
    flags[0] = extended[0] & !(IS_ANIMATED | HAS_ALPHA) | if has_alpha { HAS_ALPHA } else { 0 };
    let others = chunks(file).filter(|it| !matches!(&it.kind, b"VP8X" | b"ANIM" | b"ANMF"));
    let others = others.flat_map(|it| with_header(it.kind, it.data));
    let mut still = file[..HEADER].to_vec();
    still.extend(with_header(*b"VP8X", &flags));
    still.extend_from_slice(picture);
    still.extend(others);
    set_size(&mut still);
    Ok(Cow::Owned(still))
}

/// Returns a chunk of some data.
fn with_header(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let padding: &[u8] = if data.len() % 2 == 1 { &[0] } else { &[] };
    let length = (data.len() as u32).to_le_bytes();
    [&kind[..], &length, data, padding].concat()
}

/// Writes into the header of a file how long it is.
fn set_size(file: &mut [u8]) {
    let size = (file.len() - CHUNK_HEADER) as u32;
    file[4..CHUNK_HEADER].copy_from_slice(&size.to_le_bytes());
}

/// Returns the picture of a file that is no animation.
fn picture(file: &[u8]) -> Option<Chunk<'_>> {
    chunks(file).find(|chunk| matches!(&chunk.kind, b"VP8 " | b"VP8L"))
}

/// Returns whether zeros took the place of a part in the middle of a file's picture; `is_same` decodes another file and
/// tells whether its picture is the same.
///
/// A picture with loss has its modes in one partition and all else in another; of one that an encoder parted further the
/// last is looked at.
pub(super) fn hides_a_loss(file: &[u8], is_same: impl Fn(&[u8]) -> bool) -> bool {
    let Some(picture) = picture(file) else {
        return false;
    };
    let data = picture.data;
    parts(&picture).into_iter().any(|part| {
        let Some(bits) = data.get(part.clone()) else {
            return false;
        };
        zeros::hide_a_loss(bits, |range| {
            OTHER_BITS.iter().all(|other| {
                let mut changed = data.to_vec();
                let range = part.start + range.start..part.start + range.end;
                let other = &other[..range.len()];
                changed[range].copy_from_slice(other);
                is_same(&with_data(file, &picture, &changed))
            })
        })
    })
}

/// Returns where the parts of a picture lie that are coded by themselves.
fn parts(picture: &Chunk<'_>) -> Vec<Range<usize>> {
    /// Before the first partition: flags and its size, a code, width and height.
    const FRAME_HEADER: usize = 10;
    let data = picture.data;
    match (&picture.kind, data) {
        (b"VP8 ", &[low, middle, high, ..]) if data.len() >= FRAME_HEADER => {
            let first = u32::from_le_bytes([low, middle, high, 0]) >> 5;
            let border = (FRAME_HEADER + first as usize).min(data.len());
            vec![FRAME_HEADER..border, border..data.len()]
        }
        _ => std::iter::once(0..data.len()).collect(),
    }
}

/// Returns whether zeros took the place of the end of a file's picture; `is_same` decodes another file and tells whether
/// its picture is the same.
///
/// That holds for pictures with loss as well as for those without: in either, an encoder writes no bits that the decoder
/// does not need but those that fill up the last bytes.
pub(super) fn ends_in_a_hole(file: &[u8], is_same: impl Fn(&[u8]) -> bool) -> bool {
    let Some(picture) = picture(file) else {
        return false;
    };
    zeros::stand_in(picture.data, 0, |part| {
        OTHER_BITS.iter().all(|bits| {
            let data = [part, bits.as_slice()].concat();
            is_same(&with_data(file, &picture, &data))
        })
    })
}

/// Returns a file with other data in one of its chunks.
fn with_data(file: &[u8], chunk: &Chunk<'_>, data: &[u8]) -> Vec<u8> {
    let padding: &[u8] = if data.len() % 2 == 1 { &[0] } else { &[] };
    let length = (data.len() as u32).to_le_bytes();
    let behind = chunk.start + chunk.data.len().next_multiple_of(2);
    let behind = file.get(behind..).unwrap_or_default();
    let mut changed = [&file[..chunk.start - 4], &length, data, padding, behind].concat();
    set_size(&mut changed);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the first partition of [`with_loss`].
    const FIRST: usize = 400;

    /// Returns a file of a picture with loss, as far as its headers go, whose partitions hold sevens and zeros from
    /// `zeros` on, 300 of them.
    fn with_loss(zeros: usize) -> Vec<u8> {
        let tag = ((FIRST as u32) << 5).to_le_bytes();
        let mut data = [&tag[..3], &[7; 7 + 2 * FIRST]].concat();
        data[zeros..zeros + 300].fill(0);
        let chunk = with_header(*b"VP8 ", &data);
        let mut file = [&b"RIFF\0\0\0\0WEBP"[..], &chunk].concat();
        set_size(&mut file);
        file
    }

    #[test]
    fn zeros_in_either_partition_are_a_loss_if_its_end_is_not_needed() {
        let data = |file: &[u8]| picture(file).unwrap().data.to_vec();
        for (zeros, needed, expected) in [
            (50, 0..380, true),
            (50, 0..410, false),
            (50, 0..40, false),
            (450, 0..780, true),
            (450, 0..810, false),
        ] {
            let file = with_loss(zeros);
            let whole = data(&file)[needed.clone()].to_vec();
            let hides = hides_a_loss(&file, |other| data(other)[needed.clone()] == whole[..]);
            assert_eq!(hides, expected, "zeros at {zeros}, {needed:?} are needed");
        }
        assert!(!hides_a_loss(b"RIFF\0\0\0\0WEBP", |_| true));
    }
}
