//! Photographs as cameras and phones make them: turned, with profiles, in every format that is read.

use shared::warning::WarningKind::{ColourSpace, Orientation};

use super::Row;
use crate::files::exif::{in_jpeg, orientation, segment_in_jpeg};
use crate::files::jpeg::Jpeg;
use crate::files::pngs::{Chunks, Header};
use crate::files::scene::{HEIGHT, WIDTH, photograph, photograph_png, photograph_sized};
use crate::files::{bmp, tiff, webp};
use crate::read::Reads;

const IMAGE: &str = "images/00001.png";

fn read(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    Row::read(name, Reads::Photograph, bytes)
}

fn refused(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    Row::refused(name, Reads::Photograph, bytes).says(&[IMAGE])
}

fn turned(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    Row::warned(name, Reads::Photograph, bytes, &[Orientation]).says(&[IMAGE, "EXIF orientation"])
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = orientation_rows();
    rows.extend(profile_rows());
    rows.extend(format_rows());
    rows
}

fn orientation_rows() -> Vec<Row> {
    let lying = Jpeg::new(WIDTH, HEIGHT).file();
    let standing = Jpeg::new(HEIGHT, WIDTH).file();
    let square = Jpeg::new(WIDTH, WIDTH).file();
    let mut rows = vec![
        read("a JPEG of orientation 1", in_jpeg(&lying, &orientation(1))),
        refused("a JPEG that stands on its side", standing.clone()).says(&["32x64", "64x32"]),
    ];
    for value in [2, 3, 4] {
        let bytes = in_jpeg(&lying, &orientation(value));
        rows.push(turned(format!("a JPEG of orientation {value}"), bytes).says(&["was applied"]));
    }
    for value in [5, 6, 7, 8] {
        let name = |what: &str| format!("a JPEG of orientation {value}, {what}");
        let exif = orientation(value);
        rows.extend([
            turned(name("labelled as it is shown"), in_jpeg(&standing, &exif))
                .says(&["was applied"]),
            turned(name("labelled as it is stored"), in_jpeg(&lying, &exif)).says(&["not applied"]),
            refused(name("labelled as neither"), in_jpeg(&square, &exif))
                .says(&["EXIF", "64x64", "64x32"]),
        ]);
    }
    for value in [0, 9, u16::MAX] {
        rows.push(read(
            format!("a JPEG of orientation {value}"),
            in_jpeg(&lying, &orientation(value)),
        ));
    }
    let exif = orientation(3);
    rows.extend([
        read(
            "a JPEG whose EXIF data are cut short",
            in_jpeg(&lying, &exif[..12]),
        ),
        read("a JPEG whose EXIF data point beyond their end", {
            let mut exif = exif.clone();
            exif[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
            in_jpeg(&lying, &exif)
        }),
        read("a JPEG of EXIF data that claim 65535 tags", {
            let mut exif = orientation(1);
            exif[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
            in_jpeg(&lying, &exif)
        }),
        turned(
            "a PNG of orientation 3",
            Chunks::of(&photograph_png()).with(b"eXIf", &exif).file(),
        ),
        turned(
            "a TIFF of orientation 3",
            tiff::rgb(WIDTH, HEIGHT, &photograph(), Some(3)),
        ),
        turned(
            "a WebP of orientation 3",
            webp::with_exif(WIDTH, HEIGHT, &photograph(), &exif),
        ),
        turned("a TIFF of orientation 8, labelled as it is shown", {
            tiff::rgb(HEIGHT, WIDTH, &photograph_sized(HEIGHT, WIDTH), Some(8))
        }),
    ]);
    rows
}

fn profile_rows() -> Vec<Row> {
    let whole = Jpeg::new(WIDTH, HEIGHT).file();
    let with_profile = |name: &str| {
        let profile = [&[0; 40][..], b"desc", name.as_bytes(), &[0; 64]].concat();
        segment_in_jpeg(
            &whole,
            0xe2,
            &[b"ICC_PROFILE\0\x01\x01", &profile[..]].concat(),
        )
    };
    let cmyk = Jpeg {
        components: 4,
        adobe: Some(0),
        ..Jpeg::new(WIDTH, HEIGHT)
    };
    let warned = |name: &str, bytes| {
        Row::warned(name, Reads::Photograph, bytes, &[ColourSpace]).says(&[IMAGE])
    };
    vec![
        read(
            "a JPEG with the profile of sRGB",
            with_profile("sRGB IEC61966-2.1"),
        ),
        warned(
            "a JPEG with the profile of a wide gamut",
            with_profile("Display P3"),
        )
        .says(&["profile"]),
        warned("a CMYK JPEG", cmyk.file()).says(&["CMYK"]),
    ]
}

fn format_rows() -> Vec<Row> {
    let rgb = photograph();
    let header = Header {
        width: WIDTH,
        height: HEIGHT,
        depth: 8,
        colour: 2,
        interlaced: true,
    };
    let mut rows = vec![
        read("an interlaced PNG", Chunks::interlaced(header, &rgb).file()),
        refused("an interlaced PNG cut to half", {
            let file = Chunks::interlaced(header, &rgb).file();
            file[..file.len() / 2].to_vec()
        }),
    ];
    for (name, whole) in [
        ("WebP", webp::rgb(WIDTH, HEIGHT, &rgb)),
        ("TIFF", tiff::rgb(WIDTH, HEIGHT, &rgb, None)),
        ("BMP", bmp::rgb(WIDTH, HEIGHT, &rgb)),
    ] {
        for share in [1, 4, 7] {
            let cut = whole[..whole.len() * share / 8].to_vec();
            rows.push(refused(format!("a {name} cut to {share} of 8 parts"), cut));
        }
        rows.push(read(format!("a {name}"), whole));
    }
    rows
}
