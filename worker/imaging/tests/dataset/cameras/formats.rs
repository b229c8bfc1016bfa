//! Formats that are read, and those that are not.

use std::io::Cursor;

use image::ImageFormat;
use shared::dataset::LabelKind;

use super::scene::{assert_alike, road, scene, tiff};
use crate::files::{chain, prepare_bytes};

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
