//! Animations, and kinds of a format that no decoder here knows.

use super::{SIZE, read, unread};
use crate::files::jpeg::Jpeg;
use crate::files::pngs::Chunks;
use crate::files::scene::{HEIGHT, WIDTH, photograph, photograph_png, photograph_sized};
use crate::files::{bmp, webp};
use crate::table::Row;

pub(super) fn animation_rows() -> Vec<Row> {
    let rgb = photograph();
    let small = photograph_sized(32, 16);
    let frame = ((0, 0), SIZE, &rgb[..]);
    let control = |frames: u32| [frames, 0].map(u32::to_be_bytes).concat();
    let frame_of_png = {
        let numbers = [0, WIDTH, HEIGHT, 0, 0].map(u32::to_be_bytes).concat();
        [&numbers[..], &[0, 1, 0, 10, 0, 0]].concat()
    };
    let png = || Chunks::of(&photograph_png());
    vec![
        read(
            "a WebP animation of a single frame",
            webp::animation(SIZE, &[frame]),
        ),
        unread("a WebP animation", webp::animation(SIZE, &[frame, frame])).says(&["an animation"]),
        unread(
            "a WebP animation of a frame that is smaller than its canvas",
            webp::animation(SIZE, &[((0, 0), (32, 16), &small[..])]),
        )
        .says(&["a part of its canvas"]),
        unread(
            "an animated PNG",
            png()
                .with(b"fcTL", &frame_of_png)
                .with(b"acTL", &control(2))
                .file(),
        )
        .says(&["an animation"]),
        read(
            "an animated PNG of a single frame",
            png()
                .with(b"fcTL", &frame_of_png)
                .with(b"acTL", &control(1))
                .file(),
        ),
        unread(
            "an animated PNG whose picture is not its frame",
            png().with(b"acTL", &control(1)).file(),
        )
        .says(&["an animation"]),
    ]
}

/// Kinds of a format that no decoder here knows.
pub(super) fn kind_rows() -> Vec<Row> {
    let jpeg = Jpeg::new(WIDTH, HEIGHT).file();
    let frame = jpeg.windows(2).position(|at| at == [0xff, 0xc0]).unwrap();
    let with = |at: usize, value: u8| {
        let mut file = jpeg.clone();
        file[frame + at] = value;
        file
    };
    let mut cgbi = Chunks::of(&photograph_png());
    cgbi.0.insert(0, (*b"CgBI", b"P\0 \x06".to_vec()));
    let with_compression = |compression: u32| {
        let mut file = bmp::rgb(WIDTH, HEIGHT, &photograph());
        file[30..34].copy_from_slice(&compression.to_le_bytes());
        file
    };
    vec![
        unread("a JPEG of 12 bits", with(4, 12)).says(&["12 bits per channel"]),
        unread("a lossless JPEG", with(1, 0xc3)).says(&["lossless"]),
        unread("a hierarchical JPEG", with(1, 0xc5)).says(&["hierarchical"]),
        unread("a JPEG with arithmetic coding", with(1, 0xc9)).says(&["arithmetic"]),
        unread("a progressive JPEG with arithmetic coding", with(1, 0xca)).says(&["arithmetic"]),
        read("an extended JPEG", with(1, 0xc1)),
        unread("a CgBI PNG", cgbi.file()).says(&["CgBI"]),
        unread("a BMP that holds a JPEG", with_compression(4)).says(&["holds a JPEG"]),
        unread("a BMP that holds a PNG", with_compression(5)).says(&["holds a PNG"]),
        unread("a BMP of an unknown header", {
            let mut file = bmp::rgb(WIDTH, HEIGHT, &photograph());
            file[14] = 64;
            file
        })
        .says(&["64 bytes"]),
    ]
}
