//! Photographs in formats that have many kinds: strips that are packed, run-length codes, animations, pages.
//!
//! - `tiffs`: strips, tags and pages of TIFFs
//! - `bmps`: palettes and run-length codes of BMPs
//! - `zeros`: pixels that end in zeros
//! - `kinds`: animations, and kinds that no decoder here knows

mod bmps;
mod kinds;
mod tiffs;
mod zeros;

use self::bmps::{palette_rows, run_length_rows};
use self::kinds::{animation_rows, kind_rows};
use self::tiffs::{jpeg_strip_rows, page_rows, strip_rows, tag_rows};
use self::zeros::zero_rows;
use crate::files::scene::{HEIGHT, WIDTH};
use crate::read::Reads;
use crate::table::Row;

const SIZE: (u32, u32) = (WIDTH, HEIGHT);
const IMAGE: &str = "images/00001.png";

fn read(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    Row::read(name, Reads::Photograph, bytes)
}

fn refused(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    Row::refused(name, Reads::Photograph, bytes).says(&[IMAGE])
}

fn damaged(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    refused(name, bytes).says(&["cannot be decoded"])
}

fn unread(name: impl Into<String>, bytes: Vec<u8>) -> Row {
    refused(name, bytes).says(&["not read", "expected"])
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = strip_rows();
    rows.extend(jpeg_strip_rows());
    rows.extend(tag_rows());
    rows.extend(page_rows());
    rows.extend(palette_rows());
    rows.extend(run_length_rows());
    rows.extend(zero_rows());
    rows.extend(animation_rows());
    rows.extend(kind_rows());
    rows
}
