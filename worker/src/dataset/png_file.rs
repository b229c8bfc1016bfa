//! Chunks of PNG files that the decoder does not tell of: wherever EXIF data are, and what colours the pixels have.

use std::io::Read;

/// The bytes that a PNG begins with.
const SIGNATURE: usize = 8;
/// The most bytes that a compressed text is unpacked to: more than any EXIF data.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// What texts are called that hold EXIF data in hexadecimal digits, as ImageMagick and ExifTool write them.
const RAW_PROFILES: [&[u8]; 2] = [b"Raw profile type exif", b"Raw profile type APP1"];
/// What the text is called that is an XMP packet.
const XMP: &[u8] = b"XML:com.adobe.xmp";

/// sRGB by its code points: primaries, transfer, matrix, full range.
const SRGB_CODE_POINTS: [u8; 4] = [1, 13, 0, 1];
/// The gamma that images of sRGB have, in 100000ths.
const SRGB_GAMMA: u32 = 45_455;
/// How far another gamma is the same, in 100000ths: rounded ones, and 0.45.
const GAMMA_TOLERANCE: u32 = SRGB_GAMMA / 20;
/// White and primaries of sRGB, each x and y, in 100000ths.
const SRGB_PRIMARIES: [u32; 8] = [
    31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000,
];
/// How far others are the same, in 100000ths.
const PRIMARIES_TOLERANCE: u32 = 1_000;

/// A chunk whose checksum may be wrong.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    checksum: [u8; 4],
}

impl Chunk<'_> {
    /// Returns whether it is as it was written; decoders leave out those that are not.
    fn is_whole(&self) -> bool {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.kind);
        crc.update(self.data);
        crc.finalize().to_be_bytes() == self.checksum
    }
}

/// Returns the chunks of a file as far as they go.
fn chunks(file: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = file.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let (data, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let (checksum, after) = after.split_first_chunk::<4>()?;
        rest = if kind == b"IEND" { &[] } else { after };
        Some(Chunk {
            kind: *kind,
            data,
            checksum: *checksum,
        })
    })
}

/// Returns all EXIF data of a file.
pub(super) fn exif(file: &[u8]) -> Vec<Vec<u8>> {
    let exif = |chunk: Chunk<'_>| {
        let exif = match &chunk.kind {
            b"eXIf" => Some(chunk.data.to_vec()),
            b"tEXt" => raw_profile(chunk.data, |text| Some(text.to_vec())),
            b"zTXt" => raw_profile(chunk.data, |text| inflated(text.get(1..)?)),
            _ => None,
        };
        exif.filter(|_| chunk.is_whole())
    };
    chunks(file).filter_map(exif).collect()
}

/// Returns the XMP data of a file, as far as they are not compressed.
pub(super) fn xmp(file: &[u8]) -> Vec<&[u8]> {
    let texts = chunks(file).filter(|chunk| &chunk.kind == b"iTXt" && chunk.is_whole());
    texts
        .filter_map(|chunk| chunk.data.strip_prefix(XMP))
        .collect()
}

/// Returns the EXIF data of a text, if it is called so.
fn raw_profile(chunk: &[u8], unpacked: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let end = chunk.iter().position(|&byte| byte == 0)?;
    let (name, text) = (&chunk[..end], &chunk[end + 1..]);
    if !RAW_PROFILES.contains(&name) {
        return None;
    }
    let text = unpacked(text)?;
    let words = text.split(u8::is_ascii_whitespace);
    // The kind of the profile and its length come first.
    let digits = words.filter(|word| !word.is_empty()).skip(2).flatten();
    let value = |digit: &u8| char::from(*digit).to_digit(16).map(|value| value as u8);
    let values: Vec<u8> = digits.map(value).collect::<Option<_>>()?;
    let bytes = values.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]);
    Some(bytes.collect())
}

fn inflated(stream: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut decoder = flate2::read::ZlibDecoder::new(stream).take(MAX_TEXT_BYTES);
    decoder.read_to_end(&mut text).ok()?;
    Some(text)
}

/// Returns what colours other than those of sRGB a file says that it has, for messages. One with a profile or one of sRGB
/// says nothing here.
pub(super) fn other_colours(file: &[u8]) -> Option<String> {
    let find = |kind: &[u8; 4]| {
        let mut before = chunks(file).take_while(|chunk| &chunk.kind != b"IDAT");
        let found = before.find(|chunk| &chunk.kind == kind && chunk.is_whole());
        found.map(|chunk| chunk.data)
    };
    if let Some(code_points) = find(b"cICP") {
        return (code_points != SRGB_CODE_POINTS).then(|| {
            format!(
                "has the colours of code points {code_points:?} (cICP) other than sRGB, which were not applied"
            )
        });
    }
    if find(b"iCCP").is_some() || find(b"sRGB").is_some() {
        return None;
    }
    let gamma = find(b"gAMA").and_then(|data| numbers(data).next());
    if let Some(gamma) = gamma.filter(|&it| it > 0 && it.abs_diff(SRGB_GAMMA) > GAMMA_TOLERANCE) {
        return Some(format!(
            "has a gamma of {:.3} (gAMA) where sRGB has 0.455, which was not applied",
            f64::from(gamma) / 100_000.0
        ));
    }
    let primaries: Vec<u32> = numbers(find(b"cHRM")?).collect();
    let mut pairs = primaries.iter().zip(SRGB_PRIMARIES);
    let is_other = primaries.len() == SRGB_PRIMARIES.len()
        && pairs.any(|(found, srgb)| found.abs_diff(srgb) > PRIMARIES_TOLERANCE);
    is_other.then(|| "has other primaries than sRGB (cHRM), which were not applied".to_owned())
}

fn numbers(data: &[u8]) -> impl Iterator<Item = u32> {
    let number = |it: &[u8]| u32::from_be_bytes([it[0], it[1], it[2], it[3]]);
    data.chunks_exact(4).map(number)
}
