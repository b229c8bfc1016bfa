//! Chunks of PNG files that the decoder does not tell of: wherever EXIF data are, and what colours the pixels have.
//!
//! A few kilobytes of a text or a profile may unpack to gigabytes, and a file may have thousands of them. So of all EXIF
//! data of a file [`MAX_METADATA_BYTES`] are taken, unpacked, and a profile has as many at most: what is beyond is left
//! out, which a picture is told with, and no decoder sees it. Texts that are none of these are not read.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::ZlibDecoder;

/// The bytes that a PNG begins with.
const SIGNATURE: usize = 8;
/// The most bytes of EXIF data, and of a profile: more than any camera or program writes.
pub(crate) const MAX_METADATA_BYTES: usize = 4 << 20;
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
    /// All of it.
    bytes: &'a [u8],
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
        let bytes = &rest[..rest.len() - after.len()];
        rest = if kind == b"IEND" { &[] } else { after };
        Some(Chunk {
            kind: *kind,
            data,
            checksum: *checksum,
            bytes,
        })
    })
}

/// Returns what a PNG is that is of a kind which is not read, with its article; nothing of any other.
pub(crate) fn unread(file: &[u8]) -> Option<&'static str> {
    let first = chunks(file).next()?;
    if &first.kind == b"CgBI" {
        return Some("a CgBI PNG, as Xcode packs them for iPhones");
    }
    let before_pixels = || chunks(file).take_while(|chunk| &chunk.kind != b"IDAT");
    let is_whole = |kind: &[u8; 4], chunk: &Chunk<'_>| &chunk.kind == kind && chunk.is_whole();
    let animation = before_pixels().find(|chunk| is_whole(b"acTL", chunk))?;
    // An animation of one frame, which is the picture that all programs show, is that picture.
    let has_one_frame = animation.data.starts_with(&1_u32.to_be_bytes());
    let is_frame = before_pixels().any(|chunk| is_whole(b"fcTL", &chunk));
    (!has_one_frame || !is_frame).then_some("an animation")
}

/// The EXIF data of a file.
#[derive(Default)]
pub(crate) struct Exif<'a> {
    /// Those that were taken.
    pub(crate) taken: Vec<Cow<'a, [u8]>>,
    /// Whether there are more than that.
    pub(crate) has_more: bool,
}

/// More than [`MAX_METADATA_BYTES`].
struct TooLarge;

/// How many bytes of EXIF data may still be taken.
struct Budget(usize);

impl Budget {
    fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], TooLarge> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(TooLarge)?;
        Ok(bytes)
    }

    /// Returns what a stream unpacks to; nothing if it is damaged, which costs as much.
    fn inflate(&mut self, stream: &[u8]) -> Result<Option<Vec<u8>>, TooLarge> {
        let mut text = Vec::new();
        let mut decoder = ZlibDecoder::new(stream).take(self.0 as u64 + 1);
        let is_whole = decoder.read_to_end(&mut text).is_ok();
        self.take(&text)?;
        Ok(is_whole.then_some(text))
    }
}

/// Returns the EXIF data of a file, up to [`MAX_METADATA_BYTES`].
pub(crate) fn exif(file: &[u8]) -> Exif<'_> {
    let mut found = Exif::default();
    let mut budget = Budget(MAX_METADATA_BYTES);
    let may_have_exif =
        |chunk: &Chunk<'_>| matches!(&chunk.kind, b"eXIf" | b"tEXt" | b"zTXt") && chunk.is_whole();
    for chunk in chunks(file).filter(may_have_exif) {
        let exif = match &chunk.kind {
            b"eXIf" => budget.take(chunk.data).map(|exif| Some(exif.into())),
            b"tEXt" => raw_profile(chunk.data, |text| Ok(Some(budget.take(text)?.into()))),
            _ => raw_profile(chunk.data, |text| match text.get(1..) {
                Some(stream) => Ok(budget.inflate(stream)?.map(Cow::Owned)),
                None => Ok(None),
            }),
        };
        match exif {
            Ok(exif) => found.taken.extend(exif),
            Err(TooLarge) => {
                found.has_more = true;
                break;
            }
        }
    }
    found
}

/// Returns whether a profile of a file is larger than it may be.
pub(crate) fn has_too_large_profile(file: &[u8]) -> bool {
    // Decoders take the first one that is whole.
    let profile = chunks(file).find(|chunk| &chunk.kind == b"iCCP" && chunk.is_whole());
    profile.is_some_and(|chunk| {
        let end = chunk.data.iter().position(|&byte| byte == 0);
        // Behind the name is the number of the method.
        let stream = end.and_then(|end| chunk.data.get(end + 2..));
        chunk.data.len() > MAX_METADATA_BYTES || stream.is_some_and(unpacks_to_more)
    })
}

/// Returns a file as a decoder may have it. EXIF data and texts are read here, so if they are many, it has none.
pub(crate) fn for_decoder(file: &[u8]) -> Cow<'_, [u8]> {
    let is_text = |chunk: &Chunk<'_>| matches!(&chunk.kind, b"eXIf" | b"tEXt" | b"zTXt" | b"iTXt");
    let text_bytes: usize = chunks(file)
        .filter(is_text)
        .map(|chunk| chunk.data.len())
        .sum();
    let has_many_texts = text_bytes > MAX_METADATA_BYTES;
    let has_large_profile = has_too_large_profile(file);
    if !has_many_texts && !has_large_profile {
        return Cow::Borrowed(file);
    }
    let mut lean = Vec::with_capacity(file.len());
    lean.extend_from_slice(&file[..SIGNATURE]);
    let mut at = SIGNATURE;
    for chunk in chunks(file) {
        at += chunk.bytes.len();
        let is_left_out =
            has_many_texts && is_text(&chunk) || has_large_profile && &chunk.kind == b"iCCP";
        if !is_left_out {
            lean.extend_from_slice(chunk.bytes);
        }
    }
    lean.extend_from_slice(&file[at..]);
    Cow::Owned(lean)
}

/// Returns the XMP data of a file, as far as they are not compressed.
pub(crate) fn xmp(file: &[u8]) -> Vec<&[u8]> {
    let texts = chunks(file).filter(|chunk| &chunk.kind == b"iTXt" && chunk.is_whole());
    texts
        .filter_map(|chunk| chunk.data.strip_prefix(XMP))
        .collect()
}

/// Returns the EXIF data of a text, if it is called so.
fn raw_profile<'a>(
    chunk: &'a [u8],
    unpacked: impl FnOnce(&'a [u8]) -> Result<Option<Cow<'a, [u8]>>, TooLarge>,
) -> Result<Option<Cow<'a, [u8]>>, TooLarge> {
    let Some(end) = chunk.iter().position(|&byte| byte == 0) else {
        return Ok(None);
    };
    let (name, text) = (&chunk[..end], &chunk[end + 1..]);
    if !RAW_PROFILES.contains(&name) {
        return Ok(None);
    }
    let Some(text) = unpacked(text)? else {
        return Ok(None);
    };
    let words = text.split(u8::is_ascii_whitespace);
    // The kind of the profile and its length come first.
    let digits = words.filter(|word| !word.is_empty()).skip(2).flatten();
    let value = |digit: &u8| char::from(*digit).to_digit(16).map(|value| value as u8);
    let Some(values) = digits.map(value).collect::<Option<Vec<u8>>>() else {
        return Ok(None);
    };
    let bytes = values.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]);
    Ok(Some(bytes.collect::<Vec<u8>>().into()))
}

/// Returns whether a stream unpacks to more than a profile may have, without keeping any of it.
fn unpacks_to_more(stream: &[u8]) -> bool {
    let most = MAX_METADATA_BYTES as u64;
    let mut decoder = ZlibDecoder::new(stream).take(most + 1);
    io::copy(&mut decoder, &mut io::sink()).is_ok_and(|bytes| bytes > most)
}

/// Returns what colours other than those of sRGB a file says that it has, for messages. One with a profile or one of sRGB
/// says nothing here.
pub(crate) fn other_colours(file: &[u8]) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let checked = [&kind[..], data].concat();
        let checksum = crc32fast::hash(&checked).to_be_bytes();
        let length = (data.len() as u32).to_be_bytes();
        [&length[..], &checked, &checksum].concat()
    }

    /// Returns a file of chunks between a header and an end.
    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        let (header, end) = (chunk(b"IHDR", &[0; 13]), chunk(b"IEND", &[]));
        let all = [&[header][..], chunks, &[end]].concat();
        [&b"\x89PNG\r\n\x1a\n"[..], &all.concat()].concat()
    }

    fn packed_text(text: &[u8]) -> Vec<u8> {
        let data = [&b"Raw profile type exif\0\0"[..], &deflated(text)].concat();
        chunk(b"zTXt", &data)
    }

    fn profile(bytes: &[u8]) -> Vec<u8> {
        chunk(b"iCCP", &[&b"name\0\0"[..], &deflated(bytes)].concat())
    }

    #[test]
    fn exif_data_are_taken_up_to_the_bound_however_few_bytes_they_are_packed_in() {
        let small = b"exif 4 4949";
        let whole = file(&[packed_text(small), chunk(b"eXIf", b"MM")]);
        let found = exif(&whole);
        assert_eq!(found.taken, [&b"II"[..], b"MM"]);
        assert!(!found.has_more);

        let bomb = packed_text(&vec![b' '; 16 * MAX_METADATA_BYTES]);
        assert!(bomb.len() < MAX_METADATA_BYTES);
        let large = chunk(b"eXIf", &vec![0; MAX_METADATA_BYTES + 1]);
        for too_large in [bomb, large] {
            let whole = file(&[packed_text(small), too_large, packed_text(small)]);
            let found = exif(&whole);
            assert_eq!(found.taken, [&b"II"[..]], "what follows is left out");
            assert!(found.has_more);
        }
    }

    #[test]
    fn many_texts_together_are_taken_up_to_the_bound() {
        let digits = [&b"exif 0 "[..], &vec![b'0'; 1 << 20]].concat();
        let texts = vec![packed_text(&digits); 64];
        let whole = file(&texts);
        let found = exif(&whole);
        assert!(found.has_more);
        let taken: usize = found.taken.iter().map(|exif| exif.len()).sum();
        assert!(0 < taken && taken <= MAX_METADATA_BYTES, "{taken} bytes");
    }

    #[test]
    fn damaged_texts_are_unpacked_up_to_the_bound_all_the_same() {
        let mut stream = deflated(&vec![b'0'; 1 << 20]);
        let end = stream.len() - 1;
        stream[end] ^= 1;
        let damaged = [&b"Raw profile type exif\0\0"[..], &stream].concat();
        let few = file(&vec![chunk(b"zTXt", &damaged); 3]);
        assert!(!exif(&few).has_more);
        let many = file(&vec![chunk(b"zTXt", &damaged); 64]);
        let found = exif(&many);
        assert!(found.has_more && found.taken.is_empty());
    }

    #[test]
    fn a_decoder_gets_the_file_itself_unless_its_metadata_are_too_large() {
        let text = chunk(b"tEXt", b"Comment\0words");
        let plain = file(&[text.clone(), profile(&[1; 3000])]);
        assert!(matches!(for_decoder(&plain), Cow::Borrowed(_)));
        assert!(!has_too_large_profile(&plain));

        let bomb = file(&[text.clone(), profile(&vec![0; 16 * MAX_METADATA_BYTES])]);
        assert!(has_too_large_profile(&bomb));
        assert_eq!(for_decoder(&bomb), file(&[text]));

        let comment = [&b"Comment\0"[..], &vec![b'a'; MAX_METADATA_BYTES]].concat();
        let kept = profile(&[1; 3000]);
        let mut wordy = file(&[chunk(b"iTXt", &comment), kept.clone()]);
        wordy.extend_from_slice(b"behind its end");
        let lean = [&file(&[kept])[..], b"behind its end"].concat();
        assert_eq!(for_decoder(&wordy), lean);
        // Cut short in the middle of a chunk, it is as it is.
        let cut = &wordy[..wordy.len() - 30];
        assert!(for_decoder(cut).len() < 4000);
    }
}
