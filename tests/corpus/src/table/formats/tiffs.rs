//! TIFFs of strips that are packed in each way, with tags that decoders pass over, and of several pages.

use shared::warning::WarningKind::{AlphaDropped, Greyscale};

use super::{SIZE, damaged, read, unread};
use crate::files::jpeg::{Jpeg, cut_and_closed, cut_and_zeroed};
use crate::files::pngs::deflated;
use crate::files::scene::{HEIGHT, WIDTH, photograph};
use crate::files::tiff::{self, Entry, of_strips};
use crate::read::Reads;
use crate::table::Row;

/// Packs bytes.
type Pack = fn(&[u8]) -> Vec<u8>;

const SHORT: u16 = 3;

/// Strips of a TIFF.
const STRIPS: usize = 2;

/// Returns the photograph's strips.
fn strips() -> Vec<Vec<u8>> {
    let rgb = photograph();
    rgb.chunks(rgb.len() / STRIPS).map(<[u8]>::to_vec).collect()
}

pub(super) fn strip_rows() -> Vec<Row> {
    let packings: [(&str, u16, Pack); 4] = [
        ("no compression", 1, <[u8]>::to_vec),
        ("LZW", 5, tiff::lzw),
        ("deflate", 8, deflated),
        ("PackBits", 32773, tiff::pack_bits),
    ];
    let mut rows = Vec::new();
    for (what, compression, packed) in packings {
        let whole: Vec<Vec<u8>> = strips().iter().map(|strip| packed(strip)).collect();
        let file = |strips: &[Vec<u8>]| of_strips(SIZE, compression, strips, &[]);
        let name = |what_else: &str| format!("a TIFF of strips of {what}{what_else}");
        rows.push(read(name(""), file(&whole)));
        let halves = whole.iter().map(|strip| strip[..strip.len() / 2].to_vec());
        rows.push(
            damaged(name(", each halved"), file(&halves.collect::<Vec<_>>())).says(&["strip"]),
        );
        let [first, last] = &whole[..] else {
            panic!("a file of two strips");
        };
        let empty = file(&[first.clone(), Vec::new()]);
        rows.push(damaged(name(", the last empty"), empty));
        if compression != 1 {
            let mut zeroed = last.clone();
            zeroed[last.len() / 2..].fill(0);
            rows.push(damaged(
                name(", half of the last zeros"),
                file(&[first.clone(), zeroed]),
            ));
        }
    }
    let with_wrong_checksum = strips().into_iter().map(|strip| {
        let mut stream = deflated(&strip);
        *stream.last_mut().unwrap() ^= 1;
        stream
    });
    let with_wrong_checksum: Vec<Vec<u8>> = with_wrong_checksum.collect();
    let longer: Vec<Vec<u8>> = strips()
        .iter()
        .map(|it| deflated(&[&it[..], &[0]].concat()))
        .collect();
    let too_long: Vec<Vec<u8>> = strips()
        .iter()
        .map(|it| deflated(&[&it[..], &[0; 5]].concat()))
        .collect();
    rows.extend([
        damaged(
            "a TIFF of deflate whose checksums are wrong",
            of_strips(SIZE, 8, &with_wrong_checksum, &[]),
        )
        .says(&["strip", "checksum"]),
        read(
            "a TIFF of deflate with a byte of filling behind each strip",
            of_strips(SIZE, 8, &longer, &[]),
        ),
        damaged(
            "a TIFF of deflate whose strips are too long",
            of_strips(SIZE, 8, &too_long, &[]),
        )
        .says(&["expected 3072"]),
    ]);
    rows
}

pub(super) fn jpeg_strip_rows() -> Vec<Row> {
    let strip = Jpeg::new(WIDTH, HEIGHT / STRIPS as u32).file();
    let file = |last: Vec<u8>| of_strips(SIZE, 7, &[strip.clone(), last], &[]);
    let taller = Jpeg::new(WIDTH, HEIGHT).file();
    let mut rows = vec![
        read("a TIFF of JPEG strips", file(strip.clone())),
        damaged(
            "a TIFF of JPEG strips, the last of another size",
            file(taller),
        )
        .says(&["64x32"]),
    ];
    for share in [0.25, 0.5, 0.75] {
        rows.extend([
            damaged(
                format!("a TIFF of JPEG strips, the last cut short at {share} of its scan"),
                file(cut_and_closed(&strip, share)),
            )
            .says(&["strip", "2 of 2"]),
            damaged(
                format!("a TIFF of JPEG strips, the last zeros from {share} of its scan"),
                file(cut_and_zeroed(&strip, share, 4096)),
            ),
        ]);
    }
    rows
}

/// Returns a TIFF that is not compressed, with more entries.
pub(super) fn plain(pixels: Vec<u8>, more: &[Entry]) -> Vec<u8> {
    of_strips(SIZE, 1, &[pixels], more)
}

/// Returns the photograph with a fourth sample.
fn with_sample(sample: u8) -> Vec<u8> {
    let rgb = photograph();
    let pixels = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], sample]);
    pixels.collect()
}

/// What a TIFF says that decoders pass over.
pub(super) fn tag_rows() -> Vec<Row> {
    let rgb = photograph();
    let planes: Vec<Vec<u8>> = (0..3)
        .map(|channel| rgb.chunks(3).map(|pixel| pixel[channel]).collect())
        .collect();
    let grey: Vec<u8> = planes[1].iter().map(|level| 255 - level).collect();
    let four = |sample, extra| {
        let more = [(277, SHORT, 4), (338, SHORT, extra)];
        plain(with_sample(sample), &more)
    };
    let packed = vec![deflated(&with_sample(9))];
    vec![
        unread(
            "a TIFF whose bits are reversed",
            plain(rgb.clone(), &[(266, SHORT, 2)]),
        )
        .says(&["FillOrder 2"]),
        unread(
            "a TIFF of differences that is not compressed",
            plain(rgb.clone(), &[(317, SHORT, 2)]),
        )
        .says(&["Predictor 2"]),
        unread(
            "a TIFF of differences with a sample that is no colour",
            of_strips(
                SIZE,
                8,
                &packed,
                &[(277, SHORT, 4), (338, SHORT, 0), (317, SHORT, 2)],
            ),
        )
        .says(&["Predictor 2", "no colours"]),
        unread(
            "a TIFF of other inks",
            plain(
                with_sample(0),
                &[(262, SHORT, 5), (277, SHORT, 4), (332, SHORT, 2)],
            ),
        )
        .says(&["InkSet 2"]),
        unread(
            "a TIFF of indices into colours",
            plain(rgb.clone(), &[(346, SHORT, 1)]),
        )
        .says(&["Indexed 1"]),
        read("a TIFF with a sample that is no colour", four(9, 0)),
        Row::warned(
            "a TIFF with alpha",
            Reads::Photograph,
            four(128, 2),
            &[AlphaDropped],
        ),
        unread(
            "a TIFF whose colours were multiplied with alpha",
            four(128, 1),
        )
        .says(&["alpha"]),
        Row::warned(
            "a TIFF whose colours were multiplied with an alpha that lets nothing through",
            Reads::Photograph,
            four(255, 1),
            &[AlphaDropped],
        ),
        read("a TIFF of planes", {
            of_strips(SIZE, 1, &planes, &[(284, SHORT, 2), (278, SHORT, HEIGHT)])
        }),
        damaged("a TIFF of planes, the last cut short", {
            let mut planes = planes.clone();
            planes[2].truncate(99);
            of_strips(SIZE, 1, &planes, &[(284, SHORT, 2), (278, SHORT, HEIGHT)])
        }),
        Row::warned(
            "a grey TIFF in which white is zero",
            Reads::Photograph,
            plain(grey, &[(262, SHORT, 0), (277, SHORT, 1)]),
            &[Greyscale],
        ),
    ]
}

pub(super) fn page_rows() -> Vec<Row> {
    let first = || plain(photograph(), &[]);
    vec![
        unread("a TIFF of two pages", tiff::with_page(first(), 0)).says(&["2 pages"]),
        read("a TIFF with a thumbnail", tiff::with_page(first(), 1)),
        unread(
            "a TIFF of two pages and a thumbnail",
            tiff::with_page(tiff::with_page(first(), 1), 0),
        )
        .says(&["2 pages"]),
    ]
}
