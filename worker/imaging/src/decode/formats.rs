//! Which picture formats are read, and what the others are called.

use image::ImageFormat;

/// The formats that images are read from, for messages.
pub(crate) const READ: &str = "PNG, JPEG, WebP, TIFF or BMP file";

/// A format that images are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    /// One that the `image` crate reads whole or not at all.
    Other(ImageFormat),
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// It can be read.
    Read(Format),
    /// It is something else of this name, with its article.
    Unread(&'static str),
    /// They say nothing.
    Nothing,
}

/// Returns what a file is by its first bytes; endings are not believed.
pub(crate) fn recognise(bytes: &[u8]) -> Recognised {
    if let Some(name) = unread(bytes) {
        return Recognised::Unread(name);
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Recognised::Read(Format::Jpeg),
        Ok(
            format @ (ImageFormat::Png | ImageFormat::WebP | ImageFormat::Tiff | ImageFormat::Bmp),
        ) => Recognised::Read(Format::Other(format)),
        Ok(_) | Err(_) => Recognised::Nothing,
    }
}

/// Returns the name of a known format that is not read.
fn unread(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 21] = [
        (b"GIF8", "a GIF"),
        (&[0xff, 0x0a], "a JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n", "a JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000"),
        (&[0xff, 0x4f, 0xff, 0x51], "a JPEG 2000"),
        (&[0x76, 0x2f, 0x31, 0x01], "an OpenEXR"),
        (b"#?RADIANCE", "a Radiance HDR"),
        (b"#?RGBE", "a Radiance HDR"),
        (b"8BPS", "a Photoshop"),
        (b"DDS ", "a DDS"),
        (b"qoif", "a QOI"),
        (b"farbfeld", "a farbfeld"),
        (b"II*\0\x10\0\0\0CR", "a Canon raw"),
        (b"II+\0", "a BigTIFF"),
        (b"MM\0+", "a BigTIFF"),
        (b"P5\n", "a PGM"),
        (b"P6\n", "a PPM"),
        (b"P2\n", "a PGM"),
        (b"P3\n", "a PPM"),
        (b"%PDF", "a PDF"),
        (b"\0\0\x01\0", "an ICO"),
    ];
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(match bytes.get(8..12) {
            Some(b"avif" | b"avis") => "an AVIF",
            Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => {
                "a HEIC"
            }
            Some(b"crx ") => "a Canon raw",
            _ => "an MP4 video",
        });
    }
    let mut known = MAGIC.iter();
    known.find_map(|(magic, name)| bytes.starts_with(magic).then_some(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_first_bytes() {
        for (bytes, expected) in [
            (
                &b"\x89PNG\r\n\x1a\n"[..],
                Recognised::Read(Format::Other(ImageFormat::Png)),
            ),
            (&[0xff, 0xd8, 0xff, 0xe0], Recognised::Read(Format::Jpeg)),
            (
                b"RIFF\0\0\0\0WEBP",
                Recognised::Read(Format::Other(ImageFormat::WebP)),
            ),
            (
                b"II*\0\x08\0\0\0",
                Recognised::Read(Format::Other(ImageFormat::Tiff)),
            ),
            (
                b"MM\0*\0\0\0\x08",
                Recognised::Read(Format::Other(ImageFormat::Tiff)),
            ),
            (b"BM\0\0", Recognised::Read(Format::Other(ImageFormat::Bmp))),
            (b"\0\0\0\x18ftypheic", Recognised::Unread("a HEIC")),
            (b"\0\0\0\x1cftypavif", Recognised::Unread("an AVIF")),
            (b"\0\0\0\x20ftypisom", Recognised::Unread("an MP4 video")),
            (b"GIF89a", Recognised::Unread("a GIF")),
            (b"II+\0\x08\0\0\0", Recognised::Unread("a BigTIFF")),
            (b"MM\0+\0\x08\0\0", Recognised::Unread("a BigTIFF")),
            (b"<!DOCTYPE html>", Recognised::Nothing),
            (b"", Recognised::Nothing),
        ] {
            assert_eq!(recognise(bytes), expected, "{bytes:?}");
        }
    }
}
