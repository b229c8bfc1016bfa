//! Labels that are damaged, or of another size.

use png::{BitDepth, ColorType};

use super::refused;
use crate::files::pngs::{Chunks, Header};
use crate::files::scene::{HEIGHT, WIDTH, label_png, png};
use crate::read::Reads;
use crate::table::Row;

pub(super) fn broken_rows() -> Vec<Row> {
    let whole = label_png();
    let refused = |name: &str, bytes: Vec<u8>| refused(name, Reads::PaletteLabel, bytes);
    let header = Header {
        width: WIDTH,
        height: HEIGHT,
        depth: 8,
        colour: 3,
        interlaced: false,
    };
    let with_header = |header: Header| {
        Chunks::of(&whole)
            .mapped(b"IHDR", |_| header.bytes())
            .file()
    };
    let mut wrong_checksum = whole.clone();
    wrong_checksum[30] ^= 1;
    let mut rows = vec![
        refused("a label of no bytes", Vec::new()).says(&["empty"]),
        refused(
            "a label that is a page of HTML",
            b"<html>404</html>".to_vec(),
        ),
        refused("a label of zeros", vec![0; 4096]),
        refused(
            "a label of another size",
            png(
                (48, 24),
                ColorType::Grayscale,
                BitDepth::Eight,
                &[26; 48 * 24],
            ),
        )
        .says(&["48x24", "64x32"]),
        refused(
            "a label of 32768x32768",
            with_header(Header {
                width: 1 << 15,
                height: 1 << 15,
                ..header
            }),
        )
        .says(&["32768x32768"]),
        refused(
            "a label of no rows",
            with_header(Header {
                height: 0,
                ..header
            }),
        ),
        refused(
            "a label that promises one row more",
            with_header(Header {
                height: HEIGHT + 1,
                ..header
            }),
        ),
        refused("a label whose header has a wrong checksum", wrong_checksum),
        refused(
            "a label without pixels",
            Chunks::of(&whole).without(b"IDAT").file(),
        ),
    ];
    for share in 1..8 {
        let cut = whole.len() * share / 8;
        rows.push(refused(
            &format!("a label cut to {share} of 8 parts"),
            whole[..cut].to_vec(),
        ));
    }
    rows
}
