//! Chunks of WebP files that the decoder does not tell of, and whether all of the picture is there.

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

/// Returns whether zeros took the place of the end of a file's picture; `is_same` decodes another file and tells whether
/// its picture is the same.
///
/// That holds for pictures with loss as well as for those without: in either, an encoder writes no bits that the decoder
/// does not need but those that fill up the last bytes. Of an animation nothing is told.
pub(super) fn ends_in_a_hole(file: &[u8], is_same: impl Fn(&[u8]) -> bool) -> bool {
    let is_picture = |chunk: &Chunk<'_>| matches!(&chunk.kind, b"VP8 " | b"VP8L");
    let Some(picture) = chunks(file).find(is_picture) else {
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
    let size = (changed.len() - CHUNK_HEADER) as u32;
    changed[4..CHUNK_HEADER].copy_from_slice(&size.to_le_bytes());
    changed
}
