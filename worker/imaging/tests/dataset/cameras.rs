//! Pictures as cameras and viewers leave them: turned, cut short, with a video behind them, in other formats.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage};
use imaging::{NamedBytes, Prepared, decode_image};
use png::{BitDepth, ColorType};
use shared::dataset::LabelKind;
use shared::warning::WarningKind;

use crate::files::{chain, png, prepare_alone, prepare_bytes};
use crate::jpegs;

/// Every EXIF orientation.
const ORIENTATIONS: std::ops::RangeInclusive<u8> = 1..=8;

/// Returns a picture whose four quarters have other colours, so that every turn of it is another picture.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x * 7 + y * 13) % 23;
        match (2 * x < width, 2 * y < height) {
            (true, true) => Rgb([200, 30, 30 + noise as u8]),
            (false, true) => Rgb([30, 200 - noise as u8, 30]),
            (true, false) => Rgb([30 + noise as u8, 30, 200]),
            (false, false) => Rgb([220, 220, 60 + noise as u8]),
        }
    })
}

/// Returns a label of road that is as large as said.
fn road(width: u32, height: u32) -> Vec<u8> {
    let pixels = (width * height) as usize;
    png(
        (width, height),
        ColorType::Grayscale,
        BitDepth::Eight,
        &vec![7; pixels],
    )
}

/// Returns EXIF metadata that hold an orientation alone.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

/// Returns a TIFF of three 8-bit samples with an orientation, not compressed.
fn tiff(image: &RgbImage, orientation: u8) -> Vec<u8> {
    const ENTRIES: u16 = 10;
    let pixels = image.as_raw();
    let after = 8 + 2 + 12 * u32::from(ENTRIES) + 4;
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend(ENTRIES.to_le_bytes());
    for (tag, count, value) in [
        (256_u16, 1_u32, image.width()),
        (257, 1, image.height()),
        (258, 3, after),
        (259, 1, 1),
        (262, 1, 2),
        (273, 1, after + 6),
        (274, 1, u32::from(orientation)),
        (277, 1, 3),
        (278, 1, image.height()),
        (279, 1, pixels.len() as u32),
    ] {
        let is_long = matches!(tag, 256 | 257 | 273 | 278 | 279);
        bytes.extend(tag.to_le_bytes());
        bytes.extend(if is_long { 4_u16 } else { 3 }.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend([8, 0, 8, 0, 8, 0]);
    bytes.extend(pixels);
    bytes
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

/// Asserts that two pictures differ by no more than a JPEG does.
fn assert_alike(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let far = found
        .iter()
        .zip(expected)
        .filter(|(a, b)| a.abs_diff(**b) > 40);
    assert!(far.count() * 20 < found.len(), "{what}");
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

#[test]
fn every_format_that_is_read_gives_the_same_picture() {
    let image = scene(320, 192);
    let label = road(320, 192);
    let expected = prepare_bytes(&tiff(&image, 1), &label, LabelKind::LabelIds).unwrap();
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Jpeg,
    ] {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        let bytes = bytes.into_inner();
        let what = format!("{format:?}");
        let found = prepare_bytes(&bytes, &label, LabelKind::LabelIds).unwrap();
        assert_alike(
            found.image.as_slice().unwrap(),
            expected.image.as_slice().unwrap(),
            &what,
        );
        assert_eq!(found.warnings, [], "{what}");

        for part in 1..20 {
            let cut = &bytes[..bytes.len() * part / 20];
            let error = prepare_bytes(cut, &label, LabelKind::LabelIds);
            let error = chain(
                &error
                    .err()
                    .unwrap_or_else(|| panic!("{what}, {part} of 20")),
            );
            assert!(error.starts_with("images/a.png "), "{what}: {error}");
            assert!(!error.contains('\n'), "{what}: {error}");
        }
    }
}

#[test]
fn a_format_that_is_not_read_is_named() {
    let label = road(320, 192);
    for (bytes, name) in [
        (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "a HEIC file"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "an AVIF file"),
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", "an MP4 video file"),
        (b"GIF89a\x10\0\x10\0", "a GIF file"),
        (b"\xff\x0a\xfa\x7f", "a JPEG XL file"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL file"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 file"),
        (b"\x76\x2f\x31\x01\x02\0\0\0", "an OpenEXR file"),
        (b"8BPS\0\x01", "a Photoshop file"),
        (b"II+\0\x08\0\0\0", "a BigTIFF file"),
    ] {
        let error = prepare_bytes(bytes, &label, LabelKind::LabelIds).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "images/a.png is {name}, which is not read: expected a PNG, JPEG, WebP, TIFF or BMP file, \
                 convert it"
            )
        );
    }
}

#[test]
fn a_jpeg_whose_scan_was_cut_short_is_refused_even_if_it_is_closed() {
    for (what, jpeg) in jpegs::kinds() {
        let label = road(jpegs::WIDTH, jpegs::HEIGHT);
        let whole = prepare_bytes(&jpeg, &label, LabelKind::LabelIds);
        whole.unwrap_or_else(|error| panic!("{what}: {}", chain(&error)));
        let scan = jpegs::start_of_scan(&jpeg);
        let step = ((jpeg.len() - scan) / 60).max(1);
        for cut in (scan..jpeg.len() - 4).step_by(step) {
            for end in [&[][..], &[0xff, 0xd9]] {
                let bytes = [&jpeg[..cut], end].concat();
                let error = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
                let error = error.err().unwrap_or_else(|| {
                    panic!("{what}: {cut} of {} bytes were taken", jpeg.len());
                });
                assert!(
                    error.to_string().contains("expected a complete JPEG file"),
                    "{what}: {}",
                    chain(&error)
                );
            }
        }
    }
}

#[test]
fn a_jpeg_whose_scan_goes_on_with_zeros_is_refused_and_one_that_zeros_follow_is_not() {
    let label = road(jpegs::WIDTH, jpegs::HEIGHT);
    let zeros = vec![0_u8; 1 << 16];
    for (what, jpeg) in jpegs::kinds() {
        let scan = jpegs::start_of_scan(&jpeg);
        let whole = jpeg.len() - 2;
        for end in [&[][..], &[0xff, 0xd9]] {
            for tenths in 0..10 {
                let cut = scan + (whole - scan) * tenths / 10;
                let bytes = [&jpeg[..cut], &zeros, end].concat();
                let error = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
                let error = error.err().unwrap_or_else(|| {
                    panic!("{what}: zeros from {tenths} tenths were taken");
                });
                let error = chain(&error);
                assert!(error.contains("cannot be decoded"), "{what}: {error}");
            }
            let bytes = [&jpeg[..whole], &zeros, end].concat();
            let found = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
            let found = found.unwrap_or_else(|error| panic!("{what}: {}", chain(&error)));
            let expected = prepare_bytes(&jpeg, &label, LabelKind::LabelIds).unwrap();
            assert_eq!(found.image, expected.image, "{what}");
        }
    }
}

#[test]
fn a_progressive_jpeg_without_its_last_scans_is_refused() {
    let jpeg = jpegs::progressive();
    let label = road(jpegs::WIDTH, jpegs::HEIGHT);
    let scans = jpegs::starts_of_scans(&jpeg);
    assert_eq!(scans.len(), 2);
    let without = [&jpeg[..scans[1]], &[0xff, 0xd9]].concat();
    let error = prepare_bytes(&without, &label, LabelKind::LabelIds).unwrap_err();
    assert!(chain(&error).contains("the file ends before the image does"));
}

#[test]
fn what_follows_the_first_image_of_a_jpeg_is_not_looked_at() {
    let label = road(jpegs::WIDTH, jpegs::HEIGHT);
    for (what, jpeg) in jpegs::kinds() {
        let expected = prepare_bytes(&jpeg, &label, LabelKind::LabelIds).unwrap();
        let video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\xff\xda\0\x08\xff\xd8moov";
        let preview = jpegs::baseline(&scene(64, 48));
        for (tail, bytes) in [
            ("a video", [&jpeg[..], video].concat()),
            ("a preview", [&jpeg[..], &preview].concat()),
            ("zeros", [&jpeg[..], &[0; 3000]].concat()),
            ("no end marker", jpeg[..jpeg.len() - 2].to_vec()),
        ] {
            let found = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
            let found = found.unwrap_or_else(|error| panic!("{what}, {tail}: {}", chain(&error)));
            assert_eq!(found.image, expected.image, "{what}, {tail}");
        }
    }
}

#[test]
fn a_png_with_something_behind_it_is_read_and_one_with_a_wrong_checksum_is_not() {
    let image = scene(320, 192);
    let label = road(320, 192);
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    let bytes = bytes.into_inner();
    let behind = [&bytes[..], b"behind"].concat();
    assert!(prepare_bytes(&behind, &label, LabelKind::LabelIds).is_ok());
    let mut wrong = bytes.clone();
    let data = bytes.windows(4).position(|at| at == b"IDAT").unwrap();
    wrong[data + 40] ^= 1;
    let error = prepare_bytes(&wrong, &label, LabelKind::LabelIds).unwrap_err();
    assert!(error.to_string().contains("expected a complete PNG file"));
}

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
