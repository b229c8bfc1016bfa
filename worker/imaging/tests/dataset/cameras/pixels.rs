//! Colours that are not sRGB, pixels of floating point, and sizes that no camera has.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgb};
use shared::dataset::LabelKind;
use shared::warning::WarningKind;

use super::scene::{road, scene, tiff};
use crate::files::prepare_bytes;
use crate::jpegs;

#[test]
fn a_colour_profile_that_is_not_srgb_is_told() {
    let image = scene(320, 192);
    let label = road(320, 192);
    let with_profile = |profile: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.set_icc_profile(profile.to_vec()).unwrap();
        encoder
            .write_image(image.as_raw(), 320, 192, ExtendedColorType::Rgb8)
            .unwrap();
        prepare_bytes(&bytes, &label, LabelKind::LabelIds)
            .unwrap()
            .warnings
    };
    assert_eq!(with_profile(b"....descsRGB IEC61966-2.1"), []);
    let [warning] = &with_profile(b"....descDisplay P3")[..] else {
        panic!("one warning");
    };
    assert_eq!(warning.kind, WarningKind::ColourSpace);
    assert!(warning.text.contains("was not applied"), "{warning}");
}

#[test]
fn floating_point_pixels_are_refused() {
    let pixels = image::Rgb32FImage::from_pixel(320, 192, Rgb([f32::NAN, 0.5, 9.0]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb32F(pixels)
        .write_to(&mut bytes, ImageFormat::Tiff)
        .unwrap();
    let error = prepare_bytes(bytes.get_ref(), &road(320, 192), LabelKind::LabelIds).unwrap_err();
    assert!(error.to_string().contains("floating point"), "{error}");
}

#[test]
fn a_picture_that_claims_too_many_pixels_is_refused_in_every_format() {
    let image = scene(320, 192);
    let label = road(320, 192);
    let huge = 32_768_u32;
    let mut of_tiff = tiff(&image, 1);
    for entry in [0, 1] {
        let at = 10 + 12 * entry + 8;
        of_tiff[at..at + 4].copy_from_slice(&huge.to_le_bytes());
    }
    let mut bmp = Cursor::new(Vec::new());
    image.write_to(&mut bmp, ImageFormat::Bmp).unwrap();
    let mut bmp = bmp.into_inner();
    bmp[18..22].copy_from_slice(&huge.to_le_bytes());
    bmp[22..26].copy_from_slice(&huge.to_le_bytes());
    let mut jpeg = jpegs::baseline(&image);
    let frame = jpeg.windows(2).position(|at| at == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x80, 0, 0x80, 0]);
    // A TIFF also says where its pixels are, which do not fit its size.
    let error = prepare_bytes(&of_tiff, &label, LabelKind::LabelIds).unwrap_err();
    assert!(error.to_string().starts_with("images/a.png "), "{error}");
    for bytes in [bmp, jpeg] {
        let error = prepare_bytes(&bytes, &label, LabelKind::LabelIds).unwrap_err();
        assert_eq!(
            error.to_string(),
            "images/a.png is 32768x32768, more than 33554432 pixels: expected a driving frame"
        );
    }
}
