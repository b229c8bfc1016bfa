//! Decodes an image, crops and resizes it as the model saw it, and encodes it for browsers.

use bytes::Bytes;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use imaging::resize::{CropBox, Size};
use imaging::{NamedBytes, as_labelled};
use shared::failure::chain;

/// The quality of JPEGs, of 100.
const QUALITY: u8 = 88;

/// The files of an image.
pub(super) struct ImageFiles {
    pub(super) bytes: Bytes,
    pub(super) label: Option<Bytes>,
}

/// What an image is made into.
pub(super) struct Target {
    /// The size of the output.
    pub(super) size: Size,
    /// The width to show it at, in its proportions; none for its own.
    pub(super) width: Option<u32>,
}

/// Returns the image as a JPEG: cropped to the proportions of the output, and resized.
///
/// # Errors
///
/// Why it cannot be decoded, in words.
pub(super) fn jpeg(files: &ImageFiles, target: &Target) -> Result<Bytes, String> {
    fn named<'a>(name: &'a str, bytes: &'a [u8]) -> NamedBytes<'a> {
        NamedBytes { name, bytes }
    }
    let label = files.label.as_ref().map(|label| named("its label", label));
    let file = named("the file", &files.bytes);
    // What is wrong with a label is said in its item's row; its image can be shown all the same.
    let pixels = as_labelled(file, label).or_else(|_| as_labelled(file, None));
    let pixels = pixels.map_err(|error| chain(&error))?;
    let (height, width, _) = pixels.dim();
    let image = RgbImage::from_raw(
        width as u32,
        height as u32,
        pixels.into_raw_vec_and_offset().0,
    )
    .ok_or("its pixels do not fit its size")?;
    let whole = Size {
        width: image.width() as usize,
        height: image.height() as usize,
    };
    let size = target.size;
    let kept = CropBox::centred(whole, size);
    let (columns, rows) = (kept.columns, kept.rows);
    let cropped = image::imageops::crop_imm(
        &image,
        columns.start as u32,
        rows.start as u32,
        columns.len() as u32,
        rows.len() as u32,
    );
    let width = target.width.unwrap_or(size.width as u32);
    let height = (width as usize * size.height).div_ceil(size.width.max(1));
    let resized = image::imageops::resize(
        &*cropped,
        width.max(1),
        (height as u32).max(1),
        FilterType::CatmullRom,
    );
    encode(&resized).map_err(|error| chain(&error))
}

fn encode(image: &RgbImage) -> Result<Bytes, image::ImageError> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(image)?;
    Ok(Bytes::from(jpeg))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn an_image_is_cropped_to_the_proportions_of_the_output() {
        let wide = RgbImage::new(40, 10);
        let mut png = Cursor::new(Vec::new());
        wide.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let files = |bytes: &[u8]| ImageFiles {
            bytes: Bytes::copy_from_slice(bytes),
            label: None,
        };
        let target = |width| Target {
            size: Size {
                width: 512,
                height: 256,
            },
            width,
        };
        for (width, expected) in [(None, (512, 256)), (Some(160), (160, 80))] {
            let jpeg = jpeg(&files(png.get_ref()), &target(width)).unwrap();
            let shown = image::load_from_memory(&jpeg).unwrap();
            assert_eq!((shown.width(), shown.height()), expected);
        }
        assert!(jpeg(&files(b"no image"), &target(None)).is_err());
    }
}
