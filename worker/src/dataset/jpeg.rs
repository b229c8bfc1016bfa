//! JPEG files: their first image alone, and whether all of it is there.
//!
//! A file may go on after its image: a camera appends a preview or a video. And it may end in the middle of its image
//! and be closed properly; decoders fill up what is missing with grey. Whether anything is missing is seen from what a
//! decoder makes of the image's last bits: bits that follow a complete image change nothing.

use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

/// Bits that no encoder fills up with, for as many blocks as a difference needs to show. They come in two kinds, since
/// either may be no code in the tables of an image, or one that changes nothing.
const OTHER_BITS: [[u8; 4096]; 2] = [[0xaa; 4096], [0x55; 4096]];

/// The number of coefficients of a block.
const COEFFICIENTS: usize = 64;

/// A decoded JPEG.
pub(super) struct Jpeg {
    pub(super) width: usize,
    pub(super) height: usize,
    /// RGB of 8 bits, rows from top to bottom.
    pub(super) pixels: Vec<u8>,
    pub(super) orientation: Orientation,
    pub(super) is_grey: bool,
    pub(super) is_cmyk: bool,
    pub(super) profile: Option<Vec<u8>>,
}

/// Why a JPEG cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum JpegError {
    #[error("the file ends before the image does")]
    Incomplete,
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
pub(super) fn decode(bytes: &[u8]) -> Result<Jpeg, JpegError> {
    let outline = Outline::of(bytes);
    if !outline.has_all_scans() {
        return Err(JpegError::Incomplete);
    }
    let image = &bytes[..outline.end];
    let followed_by = |tail: &[u8]| [image, tail, &END_OF_IMAGE].concat();

    let closed = followed_by(&[]);
    let mut decoder = self::decoder(&closed, true);
    decoder.decode_headers()?;
    let colours = decoder.input_colorspace();
    let (width, height) = decoder.dimensions().ok_or(JpegError::Incomplete)?;
    let pixels = decoder.decode()?;
    for bits in &OTHER_BITS {
        let with_other_bits = self::decoder(&followed_by(bits), false).decode();
        if with_other_bits.ok().as_ref() != Some(&pixels) {
            return Err(JpegError::Incomplete);
        }
    }
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif));
    Ok(Jpeg {
        width,
        height,
        pixels,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        is_grey: matches!(colours, Some(ColorSpace::Luma)),
        is_cmyk: matches!(colours, Some(ColorSpace::CMYK | ColorSpace::YCCK)),
        profile: decoder.icc_profile(),
    })
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
struct Outline {
    /// Where its last scan ends.
    end: usize,
    is_progressive: bool,
    /// For each component and each of its coefficients, the lowest bit that a scan has; none if no scan has it.
    lowest_bits: Vec<(u8, [Option<u8>; COEFFICIENTS])>,
}

impl Outline {
    /// Walks over the segments of a file; of one that is damaged, as far as they go.
    fn of(bytes: &[u8]) -> Self {
        let mut outline = Self {
            end: bytes.len(),
            ..Self::default()
        };
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
                    outline.take_in(code, bytes.get(after + 2..next).unwrap_or_default());
                    at = next;
                }
            }
        }
        outline
    }

    /// Takes in a segment.
    fn take_in(&mut self, code: u8, segment: &[u8]) {
        match code {
            0xc0..=0xc2 => {
                self.is_progressive = code == 0xc2;
                let components = segment.get(6..).unwrap_or_default().chunks_exact(3);
                self.lowest_bits = components.map(|it| (it[0], [None; COEFFICIENTS])).collect();
            }
            0xda => self.take_in_scan(segment),
            _ => {}
        }
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

/// Returns the position of the next marker, over the bits of a scan and its restarts.
fn next_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let pairs = bytes.get(from..)?.windows(2);
    let mut pairs = pairs.enumerate();
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
    let (at, _) = pairs.find(|(_, pair)| is_marker(pair))?;
    Some(from + at)
}
