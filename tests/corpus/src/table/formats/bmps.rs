//! BMPs of indices into a palette, as they are or in run-length codes.

use super::{damaged, read};
use crate::files::bmp;
use crate::files::scene::{HEIGHT, WIDTH, each};
use crate::table::Row;

/// Colours of a palette.
const COLOURS: u32 = 24;

/// Returns the indices of a picture in greys.
fn indices() -> Vec<u8> {
    each(|x, y| ((x / 4 + y) % COLOURS) as u8)
}

pub(super) fn palette_rows() -> Vec<Row> {
    let lowest_first: Vec<u8> = indices()
        .chunks(WIDTH as usize)
        .rev()
        .flatten()
        .copied()
        .collect();
    let of = |colours| bmp::indexed(WIDTH, HEIGHT, 0, colours, &lowest_first);
    vec![
        read("a BMP of indices", of(COLOURS)),
        damaged("a BMP of indices beyond its palette", of(COLOURS - 4)).says(&["palette of 20"]),
        damaged("a BMP of indices whose palette ends at its pixels", {
            let mut file = of(COLOURS - 4);
            // As many as its bits allow.
            file[46..50].fill(0);
            file
        })
        .says(&["palette of 20"]),
    ]
}

pub(super) fn run_length_rows() -> Vec<Row> {
    let codes = bmp::run_lengths(WIDTH, &indices());
    let of = |codes: &[u8]| bmp::indexed(WIDTH, HEIGHT, 1, COLOURS, codes);
    let end = [0, 1];
    let whole = [&codes.concat()[..], &end].concat();
    let broken = |name: &str, codes: &[u8]| damaged(name, of(codes)).says(&["run-length codes"]);
    let short_rows: Vec<u8> = codes
        .iter()
        .flat_map(|row| [&row[..row.len() / 4 * 2], &[0, 0]].concat())
        .collect();
    let mut zeroed = whole.clone();
    zeroed[whole.len() / 2..].fill(0);
    vec![
        read("a BMP of run-length codes", of(&whole)),
        read(
            "a BMP of run-length codes without an end",
            of(&codes.concat()),
        ),
        broken(
            "a BMP of run-length codes that end too early",
            &[&codes[..9].concat()[..], &end].concat(),
        ),
        broken("a BMP of run-length codes of short rows", &short_rows),
        broken(
            "a BMP of run-length codes that jump",
            &[&[0, 2, 0, 9][..], &codes[9..].concat()[..], &end].concat(),
        ),
        broken("a BMP of run-length codes, the second half zeros", &zeroed),
        damaged(
            "a BMP of run-length codes beyond its palette",
            bmp::indexed(WIDTH, HEIGHT, 1, COLOURS - 4, &whole),
        )
        .says(&["palette of 20"]),
    ]
}
