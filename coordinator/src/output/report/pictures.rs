//! Pictures as they stand in a page, made away from the threads that wait for the network.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, RgbImage};

const JPEG_QUALITY: u8 = 82;

/// Returns a photograph or an output as a JPEG of at most a width.
pub(crate) async fn photograph(image: RgbImage, width: u32) -> Option<String> {
    let work = move || {
        let image = narrowed(image, width, FilterType::Lanczos3);
        let mut jpeg = Cursor::new(Vec::new());
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY);
        image.to_rgb8().write_with_encoder(encoder).ok()?;
        Some(data_uri("jpeg", &jpeg.into_inner()))
    };
    shared::blocking::run(work).await
}

/// Returns classes in their colours, of which none is mixed with another, as a PNG of at most a width.
pub(super) async fn classes(image: RgbImage, width: u32) -> Option<String> {
    let work = move || {
        let image = narrowed(image, width, FilterType::Nearest);
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, ImageFormat::Png).ok()?;
        Some(data_uri("png", &png.into_inner()))
    };
    shared::blocking::run(work).await
}

fn narrowed(image: RgbImage, width: u32, filter: FilterType) -> DynamicImage {
    let image = DynamicImage::ImageRgb8(image);
    if image.width() > width {
        image.resize(width, u32::MAX, filter)
    } else {
        image
    }
}

fn data_uri(kind: &str, file: &[u8]) -> String {
    format!("data:image/{kind};base64,{}", STANDARD.encode(file))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[tokio::test]
    async fn classes_keep_their_colours_where_they_are_shown_smaller() {
        let (road, sky) = (Rgb([128, 64, 128]), Rgb([70, 130, 180]));
        let label = RgbImage::from_fn(64, 32, |x, _| if x % 7 < 3 { road } else { sky });
        let shown = classes(label, 16).await.unwrap();
        let base64 = shown.strip_prefix("data:image/png;base64,").unwrap();
        let shown = image::load_from_memory(&STANDARD.decode(base64).unwrap()).unwrap();
        let shown = shown.into_rgb8();
        assert_eq!(shown.dimensions(), (16, 8));
        assert!(shown.pixels().all(|pixel| [road, sky].contains(pixel)));
    }
}
