//! Photographs as cameras, editors and broken downloads leave them.
//!
//! - `pngs`, `broken_pngs`: PNGs of each kind, and what damage leaves of one
//! - `jpegs`, `broken_jpegs`: the same of JPEGs

mod broken_jpegs;
mod broken_pngs;
mod jpegs;
mod pngs;

use self::broken_jpegs::broken_jpeg_rows;
use self::broken_pngs::{
    broken_palette_rows, broken_png_rows, cut_png_rows, header_rows, other_pixel_rows,
};
use self::jpegs::{jpeg_end_rows, jpeg_rows, jpeg_segment_rows};
use self::pngs::{colour_space_rows, more_rows, png_rows};
use crate::files::jpeg::Jpeg;
use crate::files::pngs::Chunks;
use crate::files::scene::{HEIGHT, WIDTH, photograph_png};
use crate::read::Reads;
use crate::table::Row;

const IMAGE: &str = "images/00001.png";

fn read(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    Row::read(name, Reads::Photograph, bytes)
}

fn refused(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    Row::refused(name, Reads::Photograph, bytes).says(&[IMAGE])
}

fn chunks() -> Chunks {
    Chunks::of(&photograph_png())
}

fn jpeg() -> Jpeg {
    Jpeg::new(WIDTH, HEIGHT)
}

fn progressive() -> Jpeg {
    Jpeg {
        progressive: true,
        ..jpeg()
    }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = png_rows();
    rows.extend(colour_space_rows());
    rows.extend(more_rows());
    rows.extend(broken_png_rows());
    rows.extend(header_rows());
    rows.extend(broken_palette_rows());
    rows.extend(other_pixel_rows());
    rows.extend(cut_png_rows());
    rows.extend(jpeg_rows());
    rows.extend(jpeg_end_rows());
    rows.extend(jpeg_segment_rows());
    rows.extend(broken_jpeg_rows());
    rows.extend(other_rows());
    rows
}

fn other_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, magic) in [
        ("HEIC", &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..]),
        ("AVIF", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
        ("GIF", b"GIF89a\x01\0\x01\0\0\0\0;"),
        ("JPEG XL", b"\xff\x0a\0\0"),
        ("OpenEXR", b"\x76\x2f\x31\x01\x02\0\0\0"),
        ("BigTIFF", b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0"),
    ] {
        let words = [name, "not read", "PNG, JPEG, WebP, TIFF or BMP"];
        rows.push(refused(format!("a file of {name}"), magic.to_vec()).says(&words));
    }
    rows
}
