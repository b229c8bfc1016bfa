//! JPEG files: their first image alone, and whether all of it is there.
//!
//! A file may go on after its image: a camera appends a preview or a video. And it may end in the middle of its image
//! and be closed properly; decoders fill up what is missing with grey. Whether anything is missing is seen from what a
//! decoder makes of the image's last bits: bits that follow a complete image change nothing. Where zeros took the place
//! of the rest or of a part in the middle, see [`super::zeros`]; and an image that starts anew at intervals has a marker
//! for each of them.

use std::cmp::Reverse;
use std::ops::Range;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::zeros;

const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

/// Bits that no encoder fills up with, for as many blocks as a difference needs to show. They come in two kinds, since
/// either may be no code in the tables of an image, or one that changes nothing.
pub(super) const OTHER_BITS: [[u8; 4096]; 2] = [[0xaa; 4096], [0x55; 4096]];

/// The number of coefficients of a block.
const COEFFICIENTS: usize = 64;
/// The columns and rows of a block.
const BLOCK: usize = 8;

/// The most parts of an image whose zeros are looked at, those with the longest runs first: each costs as much as decoding
/// the image a few times.
const MAX_SUSPECTS: usize = 8;

/// What EXIF data begin with, beside one more byte.
const EXIF: &[u8] = b"Exif\0";
/// What XMP data begin with.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// A decoded JPEG.
pub(super) struct Jpeg<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    /// RGB of 8 bits, rows from top to bottom.
    pub(super) pixels: Vec<u8>,
    /// The EXIF data of each of its segments.
    pub(super) exif: Vec<&'a [u8]>,
    /// The XMP data of each of its segments.
    pub(super) xmp: Vec<&'a [u8]>,
    pub(super) is_grey: bool,
    pub(super) is_cmyk: bool,
    pub(super) profile: Option<Vec<u8>>,
}

/// Why a JPEG cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum JpegError {
    #[error("the file ends before the image does")]
    Incomplete,
    #[error("zeros stand in place of a part of the image")]
    Hole,
    #[error(transparent)]
    Decoder(#[from] DecodeErrors),
}

/// Returns the width and the height of a JPEG, of which nothing else is decoded.
pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), JpegError> {
    let mut decoder = decoder(bytes, false);
    decoder.decode_headers()?;
    decoder.dimensions().ok_or(JpegError::Incomplete)
}

/// Returns the first image of a JPEG file, of a size that the caller found to be acceptable.
pub(super) fn decode(bytes: &[u8]) -> Result<Jpeg<'_>, JpegError> {
    let outline = Outline::of(bytes);
    if outline.lacks_restarts || !outline.has_all_scans() {
        return Err(JpegError::Incomplete);
    }
    let image = &bytes[..outline.end];

    let closed = [image, &END_OF_IMAGE].concat();
    let mut decoder = self::decoder(&closed, true);
    decoder.decode_headers()?;
    let colours = decoder.input_colorspace();
    let (width, height) = decoder.dimensions().ok_or(JpegError::Incomplete)?;
    let pixels = decoder.decode()?;
    let is_same = |image: &[u8]| {
        // It belongs to the zero behind it, and makes a marker of anything else.
        let stuffing: &[u8] = if image.ends_with(&[0xff]) { &[0] } else { &[] };
        OTHER_BITS.iter().all(|bits| {
            let file = [image, stuffing, bits.as_slice(), &END_OF_IMAGE].concat();
            let with_other_bits = self::decoder(&file, false).decode();
            with_other_bits.ok().as_ref() == Some(&pixels)
        })
    };
    let can_show_a_loss = !outline.ends_in_raw_bits;
    if !is_same(image) || can_show_a_loss && zeros::stand_in(image, outline.bits, is_same) {
        return Err(JpegError::Incomplete);
    }
    let is_same_with_other = |range: Range<usize>| {
        // A zero belongs to the byte before it, which makes a marker of anything else.
        let start = range.start + usize::from(closed[..range.start].ends_with(&[0xff]));
        OTHER_BITS.iter().all(|bits| {
            let mut file = closed.clone();
            file[start..range.end].copy_from_slice(&bits[..range.end - start]);
            self::decoder(&file, false).decode().ok().as_ref() == Some(&pixels)
        })
    };
    let mut suspects = outline.suspects.iter();
    let has_hole = suspects.any(|part| {
        zeros::hide_a_loss(&image[part.clone()], |range| {
            is_same_with_other(part.start + range.start..part.start + range.end)
        })
    });
    if has_hole {
        return Err(JpegError::Hole);
    }
    Ok(Jpeg {
        width,
        height,
        pixels,
        exif: outline.exif,
        xmp: outline.xmp,
        is_grey: matches!(colours, Some(ColorSpace::Luma)),
        is_cmyk: matches!(colours, Some(ColorSpace::CMYK | ColorSpace::YCCK)),
        profile: decoder.icc_profile(),
    })
}

/// Returns what a JPEG is that is of a kind which is not read, with its article; nothing of any other.
pub(super) fn unread(bytes: &[u8]) -> Option<String> {
    let (code, bits) = Outline::of(bytes).frame?;
    let kind = match code {
        0xc3 => "a lossless JPEG",
        0xc5..=0xc7 => "a hierarchical JPEG",
        0xc9 | 0xca => "a JPEG with arithmetic coding",
        0xcb => "a lossless JPEG with arithmetic coding",
        0xcd..=0xcf => "a hierarchical JPEG with arithmetic coding",
        0xf7 => "a JPEG-LS",
        _ if bits != 8 => return Some(format!("a JPEG of {bits} bits per channel")),
        _ => return None,
    };
    Some(kind.to_owned())
}

fn decoder(bytes: &[u8], is_strict: bool) -> JpegDecoder<ZCursor<&[u8]>> {
    let options = DecoderOptions::default()
        .set_strict_mode(is_strict)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
}

/// What the markers of a JPEG's first image say.
#[derive(Debug, Default)]
struct Outline<'a> {
    /// Where its last scan ends.
    end: usize,
    /// Where the bits of its last scan begin.
    bits: usize,
    /// The code and the bits per channel of its first frame.
    frame: Option<(u8, u8)>,
    /// The parts of its scans, between markers, that have a long run of zeros within, the longest first.
    suspects: Vec<Range<usize>>,
    is_progressive: bool,
    /// Whether its last scan has a bit of each mean and no codes, so that zeros there are as many as what they stand in for.
    ends_in_raw_bits: bool,
    /// Its width and height.
    size: (usize, usize),
    /// For each component, how many of its blocks lie side by side and one upon another in an MCU.
    factors: Vec<(u8, (usize, usize))>,
    /// MCUs between markers of restarts; 0 for no such markers.
    restart_interval: usize,
    /// Whether a scan has fewer markers of restarts than its MCUs take.
    lacks_restarts: bool,
    exif: Vec<&'a [u8]>,
    xmp: Vec<&'a [u8]>,
    /// For each component and each of its coefficients, the lowest bit that a scan has; none if no scan has it.
    lowest_bits: Vec<(u8, [Option<u8>; COEFFICIENTS])>,
}

impl<'a> Outline<'a> {
    /// Walks over the segments of a file; of one that is damaged, as far as they go.
    fn of(bytes: &'a [u8]) -> Self {
        let mut outline = Self {
            end: bytes.len(),
            ..Self::default()
        };
        let mut suspects = Vec::new();
        let mut at = 2;
        while let Some(marker) = next_marker(bytes, at) {
            let after = marker + 2;
            match bytes[marker + 1] {
                0xd9 => {
                    outline.end = marker;
                    break;
                }
                // Markers that stand alone.
                0x01 | 0xd8 => at = after,
                code => {
                    let Some(&[high, low]) = bytes.get(after..after + 2) else {
                        break;
                    };
                    let next = after + usize::from(u16::from_be_bytes([high, low])).max(2);
                    let segment = bytes.get(after + 2..next).unwrap_or_default();
                    outline.take_in(code, segment);
                    if code == 0xda {
                        outline.bits = next.min(bytes.len());
                        outline.check_restarts(segment, &bytes[outline.bits..]);
                        outline.ends_in_raw_bits = outline.is_progressive
                            && matches!(segment, [.., 0, _, bits] if bits >> 4 != 0);
                        if !outline.ends_in_raw_bits {
                            suspects.extend(suspects_in(bytes, outline.bits));
                        }
                    }
                    at = next;
                }
            }
        }
        suspects.sort_by_key(|(zeros, _)| Reverse(*zeros));
        suspects.truncate(MAX_SUSPECTS);
        outline.suspects = suspects.into_iter().map(|(_, part)| part).collect();
        outline
    }

    /// Takes in a segment.
    fn take_in(&mut self, code: u8, segment: &'a [u8]) {
        if let (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7, &[bits, ..]) =
            (code, segment)
        {
            self.frame.get_or_insert((code, bits));
        }
        match (code, segment) {
            (0xc0..=0xc2, &[_, y1, y2, x1, x2, _, ref components @ ..]) => {
                let side = |bytes: [u8; 2]| usize::from(u16::from_be_bytes(bytes));
                let factor = |it: &[u8]| (usize::from(it[1] >> 4), usize::from(it[1] & 0xf));
                let components = components.chunks_exact(3);
                self.is_progressive = code == 0xc2;
                self.size = (side([x1, x2]), side([y1, y2]));
                self.factors = components.clone().map(|it| (it[0], factor(it))).collect();
                self.lowest_bits = components.map(|it| (it[0], [None; COEFFICIENTS])).collect();
            }
            (0xda, _) => self.take_in_scan(segment),
            (0xdd, &[high, low, ..]) => {
                self.restart_interval = usize::from(u16::from_be_bytes([high, low]));
            }
            (0xe1, _) if segment.starts_with(EXIF) => {
                self.exif.extend(segment.get(EXIF.len() + 1..))
            }
            (0xe1, _) => self.xmp.extend(segment.strip_prefix(XMP)),
            _ => {}
        }
    }

    /// Counts the markers of restarts in the bits of a scan: there is one between each two intervals, and an encoder that
    /// leaves one out writes what no decoder reads. There may be more of them.
    fn check_restarts(&mut self, scan: &[u8], rest: &[u8]) {
        if self.restart_interval == 0 {
            return;
        }
        let intervals = self.num_mcus(scan).div_ceil(self.restart_interval);
        let end = next_marker(rest, 0).unwrap_or(rest.len());
        let is_restart = |pair: &&[u8]| pair[0] == 0xff && matches!(pair[1], 0xd0..=0xd7);
        let restarts = rest[..end].windows(2).filter(is_restart).count();
        self.lacks_restarts |= restarts + 1 < intervals;
    }

    /// Returns how many MCUs a scan has. The MCU of a single component is one of its blocks, of which it has no more than
    /// its samples take.
    fn num_mcus(&self, scan: &[u8]) -> usize {
        let factors = || self.factors.iter().map(|(_, factors)| *factors);
        let across = factors()
            .map(|(across, _)| across)
            .max()
            .unwrap_or(1)
            .max(1);
        let down = factors().map(|(_, down)| down).max().unwrap_or(1).max(1);
        let own = match scan {
            &[1, id, ..] => self.factors.iter().find(|(found, _)| *found == id),
            _ => None,
        };
        let (own_across, own_down) = own.map_or((1, 1), |(_, factors)| *factors);
        let (width, height) = self.size;
        let columns = (width * own_across).div_ceil(BLOCK * across);
        let rows = (height * own_down).div_ceil(BLOCK * down);
        columns * rows
    }

    fn take_in_scan(&mut self, segment: &[u8]) {
        let Some((&count, rest)) = segment.split_first() else {
            return;
        };
        let Some((components, rest)) = rest.split_at_checked(2 * usize::from(count)) else {
            return;
        };
        // A scan of another kind has all of its components, and not every encoder says so.
        let (band, lowest_bit) = match rest {
            &[first, last, bits] if self.is_progressive => {
                let last = usize::from(last).min(COEFFICIENTS - 1);
                (usize::from(first)..last + 1, bits & 0xf)
            }
            _ => (0..COEFFICIENTS, 0),
        };
        for component in components.chunks_exact(2) {
            for (id, lowest) in &mut self.lowest_bits {
                if *id == component[0]
                    && let Some(band) = lowest.get_mut(band.clone())
                {
                    band.fill(Some(lowest_bit));
                }
            }
        }
    }

    /// Returns whether the scans have every bit of every coefficient.
    fn has_all_scans(&self) -> bool {
        let mut components = self.lowest_bits.iter();
        components.all(|(_, bits)| bits.iter().all(|bit| *bit == Some(0)))
    }
}

/// Returns the parts of the scan that begins at `start` which have a long run of zeros within, and how long it is.
fn suspects_in(bytes: &[u8], start: usize) -> Vec<(usize, Range<usize>)> {
    let end = next_marker(bytes, start).unwrap_or(bytes.len());
    let is_restart = |pair: &[u8]| pair[0] == 0xff && matches!(pair[1], 0xd0..=0xd7);
    let pairs = bytes[start..end].windows(2).enumerate();
    let restarts = pairs.filter(|(_, pair)| is_restart(pair));
    let ends = restarts.map(|(at, _)| start + at).chain([end]);
    let parts = ends.scan(start, |start, end| {
        Some(std::mem::replace(start, end + 2)..end)
    });
    let with_zeros = parts.filter_map(|part| {
        let zeros = zeros::run_within(bytes.get(part.clone())?)?;
        Some((zeros.len(), part))
    });
    with_zeros.collect()
}

/// Returns the position of the next marker, over the bits of a scan and its restarts.
fn next_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let pairs = bytes.get(from..)?.windows(2);
    let mut pairs = pairs.enumerate();
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
    let (at, _) = pairs.find(|(_, pair)| is_marker(pair))?;
    Some(from + at)
}
