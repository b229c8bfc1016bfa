//! Pictures with an EXIF orientation: turned as their labels lie.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};
use imaging::{NamedBytes, Prepared, decode_image};
use shared::dataset::LabelKind;
use shared::warning::WarningKind;

use super::scene::{assert_alike, road, scene, tiff};
use crate::files::{prepare_alone, prepare_bytes};

/// Every EXIF orientation.
const ORIENTATIONS: std::ops::RangeInclusive<u8> = 1..=8;

/// Returns EXIF metadata that hold an orientation alone.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

fn encoded(image: &RgbImage, mut encoder: impl ImageEncoder, orientation: u8) {
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    let (width, height) = image.dimensions();
    encoder
        .write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)
        .unwrap();
}

/// Returns the picture in every format that has orientations.
fn turned_files(image: &RgbImage, orientation: u8) -> [(&'static str, Vec<u8>); 4] {
    let (mut jpeg, mut png, mut webp) = (Vec::new(), Vec::new(), Vec::new());
    encoded(
        image,
        JpegEncoder::new_with_quality(&mut jpeg, 95),
        orientation,
    );
    encoded(image, PngEncoder::new(&mut png), orientation);
    encoded(image, WebPEncoder::new_lossless(&mut webp), orientation);
    [
        ("JPEG", jpeg),
        ("PNG", png),
        ("WebP", webp),
        ("TIFF", tiff(image, orientation)),
    ]
}

fn orientation_told(prepared: &Prepared) -> Option<&str> {
    let mut told = prepared.warnings.iter();
    let told = told.find(|warning| warning.kind == WarningKind::Orientation);
    told.map(|warning| warning.text.as_str())
}

/// Returns the picture as a viewer shows it.
fn viewed(image: &RgbImage, orientation: u8) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(image.clone());
    image.apply_orientation(Orientation::from_exif(orientation).unwrap());
    image.into_rgb8()
}

#[test]
fn an_orientation_is_applied_as_the_label_lies_and_always_told() {
    let image = scene(320, 192);
    for orientation in ORIENTATIONS {
        let seen = viewed(&image, orientation);
        let plain = tiff(&seen, 1);
        for (format, file) in turned_files(&image, orientation) {
            let what = format!("{format} of orientation {orientation}");
            let label = road(seen.width(), seen.height());
            let found = prepare_bytes(&file, &label, LabelKind::LabelIds).unwrap();
            let expected = prepare_bytes(&plain, &label, LabelKind::LabelIds).unwrap();
            assert_alike(
                found.image.as_slice().unwrap(),
                expected.image.as_slice().unwrap(),
                &what,
            );
            let told = orientation_told(&found);
            if orientation == 1 {
                assert_eq!(told, None, "{what}");
                continue;
            }
            let told = told.unwrap();
            let words = format!("images/a.png has EXIF orientation {orientation} (");
            assert!(told.starts_with(&words), "{what}: {told}");
            assert!(told.ends_with("), which was applied"), "{what}: {told}");
        }
    }
}

#[test]
fn an_image_whose_label_is_as_it_is_stored_is_not_turned() {
    let image = scene(320, 192);
    let label = road(320, 192);
    let expected = prepare_bytes(&tiff(&image, 1), &label, LabelKind::LabelIds).unwrap();
    for orientation in 5..=8 {
        for (format, file) in turned_files(&image, orientation) {
            let what = format!("{format} of orientation {orientation}");
            let found = prepare_bytes(&file, &label, LabelKind::LabelIds).unwrap();
            assert_alike(
                found.image.as_slice().unwrap(),
                expected.image.as_slice().unwrap(),
                &what,
            );
            let told = orientation_told(&found).unwrap();
            assert!(told.contains("was not applied"), "{what}: {told}");
        }
    }
}

#[test]
fn a_square_is_turned_since_its_size_tells_nothing() {
    let image = scene(256, 256);
    let expected = viewed(&image, 6);
    let found = prepare_bytes(&tiff(&image, 6), &road(256, 256), LabelKind::LabelIds).unwrap();
    let plain = prepare_bytes(&tiff(&expected, 1), &road(256, 256), LabelKind::LabelIds).unwrap();
    assert_eq!(found.image, plain.image);
    assert!(orientation_told(&found).unwrap().contains("was applied"));
}

#[test]
fn a_label_that_fits_neither_way_is_refused_with_the_orientation_and_both_sizes() {
    let image = scene(320, 192);
    let error = prepare_bytes(&tiff(&image, 6), &road(300, 200), LabelKind::LabelIds).unwrap_err();
    assert_eq!(
        error.to_string(),
        "labels/a.png is 300x200 but its image images/a.png is 320x192 (192x320 by its EXIF \
         orientation 6): expected the same size, check that they belong together"
    );
}

#[test]
fn an_image_without_a_label_is_shown_as_a_viewer_shows_it() {
    let image = scene(320, 192);
    for orientation in ORIENTATIONS {
        let file = tiff(&image, orientation);
        let named = NamedBytes {
            name: "a.tif",
            bytes: &file,
        };
        let pixels = decode_image(named).unwrap();
        let seen = viewed(&image, orientation);
        assert_eq!(pixels.as_slice().unwrap(), seen.as_raw().as_slice());
        let found = prepare_alone(&file).unwrap();
        assert_eq!(orientation_told(&found).is_some(), orientation != 1);
    }
}
