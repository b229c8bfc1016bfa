//! EXIF data that says nothing but how a camera was held.

/// The tag of the orientation.
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// Returns EXIF data with an orientation, 1 to 8, or any other number.
#[must_use]
pub fn orientation(value: u16) -> Vec<u8> {
    orientation_of_type(SHORT, value)
}

/// Returns EXIF data with an orientation of another type: 1 a byte, 2 a text, 3 a short, 4 a long.
#[must_use]
pub fn orientation_of_type(kind: u16, value: u16) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend_from_slice(&1_u16.to_le_bytes());
    tiff.extend_from_slice(&ORIENTATION.to_le_bytes());
    tiff.extend_from_slice(&kind.to_le_bytes());
    tiff.extend_from_slice(&1_u32.to_le_bytes());
    tiff.extend_from_slice(&value.to_le_bytes());
    tiff.extend_from_slice(&[0; 2]);
    tiff.extend_from_slice(&0_u32.to_le_bytes());
    tiff
}

/// Returns EXIF data as a text of hexadecimal digits, as ImageMagick writes them into PNGs.
#[must_use]
pub fn raw_profile(exif: &[u8]) -> String {
    let data = [b"Exif\0\0", exif].concat();
    let lines = data.chunks(36).map(|line| {
        let digits = line.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<String>() + "\n"
    });
    format!("\nexif\n{:8}\n{}", data.len(), lines.collect::<String>())
}

/// Returns an XMP packet that holds an orientation alone.
#[must_use]
pub fn xmp(orientation: u8) -> Vec<u8> {
    format!("<x:xmpmeta><rdf:Description tiff:Orientation=\"{orientation}\"/></x:xmpmeta>")
        .into_bytes()
}

/// Returns a JPEG with EXIF data behind its first marker.
#[must_use]
pub fn in_jpeg(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let data = [b"Exif\0\0", exif].concat();
    segment_in_jpeg(jpeg, 0xe1, &data)
}

/// Returns a JPEG with a segment behind its first marker.
#[must_use]
pub fn segment_in_jpeg(jpeg: &[u8], marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap();
    let segment = [&[0xff, marker][..], &length.to_be_bytes(), data].concat();
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}
