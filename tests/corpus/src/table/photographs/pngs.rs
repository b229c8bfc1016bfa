//! PNGs of each kind of pixels, with what they say of their colours, and with more than a picture.

use png::{BitDepth, ColorType};
use shared::warning::WarningKind::{self, AlphaDropped, ColourSpace, DepthReduced, Greyscale};

use super::{IMAGE, chunks, read};
use crate::files::scene::{HEIGHT, WIDTH, photograph, photograph_png, png};
use crate::read::Reads;
use crate::table::Row;

const SIZE: (u32, u32) = (WIDTH, HEIGHT);

fn warned(name: &str, bytes: Vec<u8>, kinds: &[WarningKind]) -> Row {
    Row::warned(name, Reads::Photograph, bytes, kinds).says(&[IMAGE])
}

/// PNGs of each kind of pixels.
pub(super) fn png_rows() -> Vec<Row> {
    let rgb = photograph();
    let grey: Vec<u8> = rgb.chunks(3).map(|pixel| pixel[1]).collect();
    let with_alpha: Vec<u8> = rgb
        .chunks(3)
        .flat_map(|p| [p[0], p[1], p[2], 128])
        .collect();
    let grey_alpha: Vec<u8> = grey.iter().flat_map(|&level| [level, 255]).collect();
    let deep: Vec<u8> = rgb.iter().flat_map(|&byte| [byte, byte]).collect();
    vec![
        read("a PNG", photograph_png()),
        warned(
            "a grey PNG",
            png(SIZE, ColorType::Grayscale, BitDepth::Eight, &grey),
            &[Greyscale],
        ),
        warned(
            "a PNG with alpha",
            png(SIZE, ColorType::Rgba, BitDepth::Eight, &with_alpha),
            &[AlphaDropped],
        ),
        warned(
            "a grey PNG with alpha",
            png(
                SIZE,
                ColorType::GrayscaleAlpha,
                BitDepth::Eight,
                &grey_alpha,
            ),
            &[Greyscale, AlphaDropped],
        ),
        warned(
            "a PNG of 16 bits",
            png(SIZE, ColorType::Rgb, BitDepth::Sixteen, &deep),
            &[DepthReduced],
        ),
    ]
}

/// PNGs that say what their colours are.
pub(super) fn colour_space_rows() -> Vec<Row> {
    vec![
        read(
            "a PNG whose gamma is known",
            chunks().with(b"gAMA", &45_455_u32.to_be_bytes()).file(),
        ),
        read(
            "a PNG whose gamma is 0.45",
            chunks().with(b"gAMA", &45_000_u32.to_be_bytes()).file(),
        ),
        warned(
            "a PNG of linear light",
            chunks().with(b"gAMA", &100_000_u32.to_be_bytes()).file(),
            &[ColourSpace],
        )
        .says(&["gamma of 1.000"]),
        read(
            "a PNG of sRGB, whatever its gamma",
            chunks()
                .with(b"gAMA", &100_000_u32.to_be_bytes())
                .with(b"sRGB", &[0])
                .file(),
        ),
        read(
            "a PNG of sRGB by its code points",
            chunks().with(b"cICP", &[1, 13, 0, 1]).file(),
        ),
        warned(
            "a PNG of a wide gamut by its code points",
            chunks().with(b"cICP", &[12, 13, 0, 1]).file(),
            &[ColourSpace],
        )
        .says(&["cICP"]),
        read(
            "a PNG of the primaries of sRGB",
            chunks().with(b"cHRM", &primaries(64_000)).file(),
        ),
        warned(
            "a PNG of other primaries",
            chunks().with(b"cHRM", &primaries(68_000)).file(),
            &[ColourSpace],
        )
        .says(&["primaries"]),
    ]
}

/// PNGs with more than a picture.
pub(super) fn more_rows() -> Vec<Row> {
    vec![
        read(
            "a PNG with a resolution",
            chunks()
                .with(b"pHYs", &[0, 0, 11, 19, 0, 0, 11, 19, 1])
                .file(),
        ),
        read(
            "a PNG with a text",
            chunks().with(b"tEXt", b"Comment\0a camera").file(),
        ),
        read(
            "a PNG with a chunk that nobody knows",
            chunks().with(b"xyZz", &[1, 2, 3]).file(),
        ),
        read(
            "a PNG with something behind its end",
            [photograph_png(), b"trailing".to_vec()].concat(),
        ),
    ]
}

/// Returns white and primaries of sRGB, the x of red given.
fn primaries(red: u32) -> Vec<u8> {
    let all = [31_270, 32_900, red, 33_000, 30_000, 60_000, 15_000, 6_000];
    all.map(u32::to_be_bytes).concat()
}
