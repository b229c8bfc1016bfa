//! Photographs as cameras and phones make them: turned, with profiles, in every format that is read.

use shared::warning::WarningKind::{ColourSpace, Orientation};

use super::Row;
use crate::files::exif::{
    in_jpeg, orientation, orientation_of_type, raw_profile, segment_in_jpeg, xmp,
};
use crate::files::jpeg::Jpeg;
use crate::files::pngs::{Chunks, Header, deflated};
use crate::files::scene::{HEIGHT, WIDTH, photograph, photograph_png, photograph_sized};
use crate::files::tiff::Samples;
use crate::files::{bmp, tiff, webp};
use crate::read::Reads;

const IMAGE: &str = "images/00001.png";
/// What a file's EXIF data, and its profile, unpack to at most.
const MAX_METADATA_BYTES: usize = 4 << 20;

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
    for value in [9, u16::MAX] {
        let bytes = in_jpeg(&lying, &orientation(value));
        rows.push(turned(format!("a JPEG of orientation {value}"), bytes).says(&["not applied"]));
    }
    rows.extend(typed_rows(&lying));
    rows.extend(hidden_rows(&lying));
    let exif = orientation(3);
    rows.extend([
        read(
            "a JPEG of orientation 0, which some cameras write that do not know",
            in_jpeg(&lying, &orientation(0)),
        ),
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
            tiff::rgb(WIDTH, HEIGHT, &photograph(), Some((3, 3))),
        ),
        turned(
            "a WebP of orientation 3",
            webp::with_exif(WIDTH, HEIGHT, &photograph(), &exif),
        ),
        turned("a TIFF of orientation 8, labelled as it is shown", {
            tiff::rgb(
                HEIGHT,
                WIDTH,
                &photograph_sized(HEIGHT, WIDTH),
                Some((3, 8)),
            )
        }),
    ]);
    rows
}

/// Orientations of types that decoders leave alone, and several of them.
fn typed_rows(lying: &[u8]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, name) in [(1, "byte"), (4, "long")] {
        rows.extend([
            turned(
                format!("a JPEG whose orientation is a {name}"),
                in_jpeg(lying, &orientation_of_type(kind, 3)),
            )
            .says(&["was applied"]),
            turned(
                format!("a TIFF whose orientation is a {name}"),
                tiff::rgb(WIDTH, HEIGHT, &photograph(), Some((kind, 3))),
            )
            .says(&["was applied"]),
        ]);
    }
    let twice = |first, second| in_jpeg(&in_jpeg(lying, &orientation(first)), &orientation(second));
    rows.extend([
        turned(
            "a JPEG whose orientation is a text",
            in_jpeg(lying, &orientation_of_type(2, 3)),
        )
        .says(&["not applied"]),
        turned("a JPEG of one orientation twice", twice(3, 3)).says(&["was applied"]),
        turned("a JPEG of two orientations", twice(3, 1)).says(&["disagree"]),
    ]);
    rows
}

/// Orientations in places where decoders do not look.
fn hidden_rows(lying: &[u8]) -> Vec<Row> {
    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    let exif = orientation(3);
    let prefixed = [b"Exif\0\0", &exif[..]].concat();
    let png = || Chunks::of(&photograph_png());
    let behind_pixels = |kind: &[u8; 4], data: &[u8]| {
        let mut chunks = png();
        let end = chunks.0.len() - 1;
        chunks.0.insert(end, (*kind, data.to_vec()));
        chunks.file()
    };
    let text = |name: &str| [name.as_bytes(), b"\0", raw_profile(&exif).as_bytes()].concat();
    let packed = [
        &b"Raw profile type APP1\0\0"[..],
        &deflated(raw_profile(&exif).as_bytes()),
    ]
    .concat();
    let with_xmp = |value| segment_in_jpeg(lying, 0xe1, &[XMP, &xmp(value)].concat());
    let in_text = [b"XML:com.adobe.xmp\0\0\0\0\0", &xmp(3)[..]].concat();
    let xmp_alone = |name: &str, bytes| {
        Row::warned(name, Reads::Photograph, bytes, &[Orientation]).says(&[IMAGE, "XMP"])
    };
    vec![
        turned(
            "a PNG whose EXIF data lie behind its pixels",
            behind_pixels(b"eXIf", &exif),
        )
        .says(&["was applied"]),
        turned(
            "a PNG whose EXIF data begin as those of a JPEG",
            png().with(b"eXIf", &prefixed).file(),
        )
        .says(&["was applied"]),
        turned(
            "a PNG whose EXIF data are a text",
            png().with(b"tEXt", &text("Raw profile type exif")).file(),
        )
        .says(&["was applied"]),
        turned(
            "a PNG whose EXIF data are a compressed text behind its pixels",
            behind_pixels(b"zTXt", &packed),
        )
        .says(&["was applied"]),
        read(
            "a PNG with a text that is called otherwise",
            png().with(b"tEXt", &text("Raw profile type iptc")).file(),
        ),
        turned(
            "a WebP whose EXIF data begin as those of a JPEG",
            webp::with_exif(WIDTH, HEIGHT, &photograph(), &prefixed),
        )
        .says(&["was applied"]),
        xmp_alone("a JPEG whose orientation is in XMP data alone", with_xmp(3)),
        xmp_alone(
            "a PNG whose orientation is in XMP data alone",
            png().with(b"iTXt", &in_text).file(),
        ),
        read("a JPEG of orientation 1 in XMP data alone", with_xmp(1)),
        turned(
            "a JPEG of orientation 3 in EXIF and XMP data",
            in_jpeg(&with_xmp(3), &exif),
        )
        .says(&["was applied"]),
    ]
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
    let png_with = |kind: &[u8; 4], beginning: &[u8], packed: &[u8]| {
        let data = [beginning, &deflated(packed)].concat();
        Chunks::of(&photograph_png()).with(kind, &data).file()
    };
    let too_much = vec![0; 2 * MAX_METADATA_BYTES];
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
        warned(
            "a PNG with the profile of a wide gamut",
            png_with(b"iCCP", b"profile\0\0", b"Display P3"),
        )
        .says(&["profile other than sRGB"]),
        warned(
            "a PNG whose profile unpacks to more than any has",
            png_with(b"iCCP", b"profile\0\0", &too_much),
        )
        .says(&["profile of more than 4 MiB"]),
        Row::warned(
            "a PNG whose EXIF data unpack to more than any camera writes",
            Reads::Photograph,
            png_with(b"zTXt", b"Raw profile type exif\0\0", &too_much),
            &[Orientation],
        )
        .says(&[IMAGE, "EXIF data of more than 4 MiB"]),
        read(
            "a PNG with a text that unpacks to more than any has",
            png_with(b"zTXt", b"Comment\0\0", &too_much),
        ),
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
    for (what, word, samples) in [
        ("a palette", "palette", (1, 8, 3, None)),
        ("YCbCr colours", "YCbCr", (3, 8, 6, None)),
        ("CIE L*a*b* colours", "L*a*b*", (3, 8, 8, None)),
        ("signed numbers", "signed", (3, 8, 2, Some(2))),
        (
            "doubles",
            "floating point numbers of 64",
            (3, 64, 2, Some(3)),
        ),
        (
            "integers of 32 bits",
            "numbers of 32 bits",
            (3, 32, 2, Some(1)),
        ),
        (
            "unnamed integers of 32 bits",
            "numbers of 32 bits",
            (3, 32, 2, None),
        ),
    ] {
        let (channels, bits, photometric, format) = samples;
        let samples = Samples {
            channels,
            bits,
            photometric,
            format,
        };
        let file = tiff::of_samples(WIDTH, HEIGHT, samples);
        rows.push(refused(format!("a TIFF of {what}"), file).says(&[word, "RGB of 8 bits"]));
    }
    for share in [0.2, 0.5, 0.8] {
        let zeroed = webp::zeroed(&webp::rgb(WIDTH, HEIGHT, &rgb), share);
        rows.push(refused(
            format!("a WebP that is zeros from {share} of its picture"),
            zeroed,
        ));
    }
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
