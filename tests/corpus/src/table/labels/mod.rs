//! Labels in every encoding, and in some that say one thing and mean another.
//!
//! - `palettes`, `levels`, `class_colours`: what shows the classes; `own_ids`: the same by ids of other datasets
//! - `broken`: labels that are damaged, or of another size

mod broken;
mod class_colours;
mod levels;
mod own_ids;
mod palettes;

use shared::warning::WarningKind::LabelEncoding;

use self::broken::broken_rows;
use self::class_colours::colour_rows;
use self::levels::{ambiguous_rows, deep_rows, level_rows, odd_level_rows};
use self::own_ids::own_id_rows;
use self::palettes::{palette_rows, strange_palette_rows};
use crate::files::scene::{HEIGHT, WIDTH, each, train_id};
use crate::read::Reads;
use crate::table::Row;

const LABEL: &str = "labels/00001.png";
const SIZE: (u32, u32) = (WIDTH, HEIGHT);

fn read(name: &str, reads: Reads, bytes: Vec<u8>) -> Row {
    Row::read(name, reads, bytes)
}

fn believed(name: &str, reads: Reads, bytes: Vec<u8>) -> Row {
    Row::warned(name, reads, bytes, &[LabelEncoding]).says(&[LABEL])
}

fn refused(name: &str, reads: Reads, bytes: Vec<u8>) -> Row {
    Row::refused(name, reads, bytes).says(&[LABEL])
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = palette_rows();
    rows.extend(strange_palette_rows());
    rows.extend(level_rows());
    rows.extend(ambiguous_rows());
    rows.extend(odd_level_rows());
    rows.extend(deep_rows());
    rows.extend(colour_rows());
    rows.extend(own_id_rows());
    rows.extend(broken_rows());
    rows
}

/// Returns the train ids with a part that is not labelled.
fn train_ids_and_255() -> Vec<u8> {
    each(|x, y| if x < 4 { 255 } else { train_id(x, y) })
}
