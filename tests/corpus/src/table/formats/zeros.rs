//! Pixels that are not compressed and end in zeros.

use shared::warning::WarningKind::TrailingZeros;

use super::tiffs::plain;
use super::{IMAGE, read};
use crate::files::bmp;
use crate::files::scene::{HEIGHT, WIDTH, photograph};
use crate::read::Reads;
use crate::table::Row;

/// Pixels that are not compressed, and zeros: a part that was lost, or a black edge.
pub(super) fn zero_rows() -> Vec<Row> {
    let pixels = (WIDTH * HEIGHT * 3) as usize;
    let zeroed = |mut bytes: Vec<u8>, zeros: usize| {
        let start = bytes.len() - zeros;
        bytes[start..].fill(0);
        bytes
    };
    let mut rows = Vec::new();
    for eighths in [1, 4, 7] {
        let told = |what: &str, bytes| {
            let name = format!("a {what} whose last {eighths} of 8 parts are zeros");
            Row::warned(name, Reads::Photograph, bytes, &[TrailingZeros]).says(&[IMAGE, "zeros"])
        };
        let zeros = pixels * eighths / 8;
        let of_bmp = bmp::rgb(WIDTH, HEIGHT, &photograph());
        rows.push(told("BMP", zeroed(of_bmp, zeros)));
        rows.push(told("TIFF", plain(zeroed(photograph(), zeros), &[])));
    }
    let with_edge = zeroed(photograph(), pixels / 16);
    rows.push(read(
        "a TIFF with a narrow black edge",
        plain(with_edge, &[]),
    ));
    rows
}
