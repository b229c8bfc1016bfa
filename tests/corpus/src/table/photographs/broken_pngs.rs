//! PNGs that are damaged, cut, or say what they are not.

use png::{BitDepth, ColorType};

use super::{chunks, refused};
use crate::files::pngs::{Chunks, Header};
use crate::files::scene::{HEIGHT, WIDTH, each, photograph_png, photograph_sized, png};
use crate::table::Row;

/// The header of the photograph.
const RGB: Header = Header {
    width: WIDTH,
    height: HEIGHT,
    depth: 8,
    colour: 2,
    interlaced: false,
};

/// Returns the photograph's PNG with another header.
fn with_header(header: Header) -> Vec<u8> {
    chunks().mapped(b"IHDR", |_| header.bytes()).file()
}

/// Files that are no PNG, or have lost a part of one.
pub(super) fn broken_png_rows() -> Vec<Row> {
    let whole = photograph_png();
    let mut wrong_checksum = whole.clone();
    wrong_checksum[30] ^= 1;
    vec![
        refused("no bytes", Vec::new()).says(&["empty"]),
        refused(
            "a page of HTML",
            b"<!DOCTYPE html><title>404</title>".to_vec(),
        )
        .says(&["is no image"]),
        refused("a JPEG of its first marker", vec![0xff, 0xd8]).says(&["is no image"]),
        refused("zeros, as a lost write leaves them", vec![0; whole.len()]),
        refused("a PNG without pixels", chunks().without(b"IDAT").file()),
        refused("a PNG without a header", chunks().without(b"IHDR").file()),
        refused("a PNG of nothing but its signature", whole[..8].to_vec()),
        refused("a PNG whose header has a wrong checksum", wrong_checksum),
    ]
}

/// PNGs whose headers say what no picture is.
pub(super) fn header_rows() -> Vec<Row> {
    vec![
        refused(
            "a PNG of no columns",
            with_header(Header { width: 0, ..RGB }),
        ),
        refused("a PNG of no rows", with_header(Header { height: 0, ..RGB })),
        refused(
            "a PNG of 32768x32768",
            with_header(Header {
                width: 1 << 15,
                height: 1 << 15,
                ..RGB
            }),
        )
        .says(&["32768x32768"]),
        refused(
            "a PNG of 2^31-1 columns",
            with_header(Header {
                width: i32::MAX as u32,
                ..RGB
            }),
        ),
        refused(
            "a PNG of 2^32-1 columns and rows",
            with_header(Header {
                width: u32::MAX,
                height: u32::MAX,
                ..RGB
            }),
        ),
        refused(
            "a PNG of a colour type that is none",
            with_header(Header { colour: 5, ..RGB }),
        ),
        refused("a PNG of 3 bits", with_header(Header { depth: 3, ..RGB })),
    ]
}

/// PNGs whose palettes do not fit their indices.
pub(super) fn broken_palette_rows() -> Vec<Row> {
    vec![
        refused(
            "a palette PNG whose palette is cut short",
            palette_png(&[1, 2]),
        ),
        refused(
            "a palette PNG whose palette ends within a colour",
            palette_png(&[1, 2, 3, 4]),
        ),
        refused(
            "a palette PNG with indices beyond its palette",
            palette_png(&[1, 2, 3]),
        ),
        refused(
            "a palette PNG without a palette",
            with_header(Header { colour: 3, ..RGB }),
        ),
    ]
}

/// PNGs whose pixels are others than their headers or labels say.
pub(super) fn other_pixel_rows() -> Vec<Row> {
    vec![
        refused(
            "a PNG that promises one row more",
            with_header(Header {
                height: HEIGHT + 1,
                ..RGB
            }),
        ),
        refused(
            "a PNG that promises other channels",
            with_header(Header { colour: 6, ..RGB }),
        ),
        refused(
            "a PNG whose pixels are no zlib stream",
            chunks().mapped(b"IDAT", |_| vec![0xff; 99]).file(),
        ),
        refused("a PNG of another size than its label", {
            png(
                (48, 24),
                ColorType::Rgb,
                BitDepth::Eight,
                &photograph_sized(48, 24),
            )
        })
        .says(&["48x24", "64x32"]),
        refused("a PNG of a motion picture's size", {
            png(
                (2, 1),
                ColorType::Rgb,
                BitDepth::Eight,
                &photograph_sized(2, 1),
            )
        })
        .says(&["2x1"]),
    ]
}

pub(super) fn cut_png_rows() -> Vec<Row> {
    let whole = photograph_png();
    let mut rows = Vec::new();
    for share in 1..8 {
        let cut = whole.len() * share / 8;
        rows.push(
            refused(
                format!("a PNG cut to {share} of 8 parts"),
                whole[..cut].to_vec(),
            )
            .says(&["cannot be decoded"]),
        );
    }
    rows
}

/// Returns a PNG of palette indices 0 to 7 with any palette, and transparency for more colours than it has.
fn palette_png(palette: &[u8]) -> Vec<u8> {
    let header = Header {
        width: WIDTH,
        height: HEIGHT,
        depth: 8,
        colour: 3,
        interlaced: false,
    };
    let indices = each(|x, y| ((x + y) % 8) as u8);
    Chunks::image(header, &indices)
        .with(b"tRNS", &[0; 9])
        .with(b"PLTE", palette)
        .file()
}
