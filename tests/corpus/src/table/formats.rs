//! Photographs in formats that have many kinds: strips that are packed, run-length codes, animations, pages.

use shared::warning::WarningKind::{AlphaDropped, Greyscale, TrailingZeros};

use super::Row;
use crate::files::jpeg::{Jpeg, cut_and_closed, cut_and_zeroed};
use crate::files::pngs::{Chunks, deflated};
use crate::files::scene::{HEIGHT, WIDTH, each, photograph, photograph_png, photograph_sized};
use crate::files::tiff::{Entry, of_strips};
use crate::files::{bmp, tiff, webp};
use crate::read::Reads;

/// Packs bytes.
type Pack = fn(&[u8]) -> Vec<u8>;

const SIZE: (u32, u32) = (WIDTH, HEIGHT);
const IMAGE: &str = "images/00001.png";
const SHORT: u16 = 3;
/// Strips of a TIFF.
const STRIPS: usize = 2;
/// Colours of a palette.
const COLOURS: u32 = 24;

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

/// Returns the photograph's strips.
fn strips() -> Vec<Vec<u8>> {
    let rgb = photograph();
    rgb.chunks(rgb.len() / STRIPS).map(<[u8]>::to_vec).collect()
}

fn strip_rows() -> Vec<Row> {
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

fn jpeg_strip_rows() -> Vec<Row> {
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
fn plain(pixels: Vec<u8>, more: &[Entry]) -> Vec<u8> {
    of_strips(SIZE, 1, &[pixels], more)
}

/// Returns the photograph with a fourth sample.
fn with_sample(sample: u8) -> Vec<u8> {
    let rgb = photograph();
    let pixels = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], sample]);
    pixels.collect()
}

/// What a TIFF says that decoders pass over.
fn tag_rows() -> Vec<Row> {
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

fn page_rows() -> Vec<Row> {
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

/// Returns the indices of a picture in greys.
fn indices() -> Vec<u8> {
    each(|x, y| ((x / 4 + y) % COLOURS) as u8)
}

fn palette_rows() -> Vec<Row> {
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

fn run_length_rows() -> Vec<Row> {
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

/// Pixels that are not compressed, and zeros: a part that was lost, or a black edge.
fn zero_rows() -> Vec<Row> {
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

fn animation_rows() -> Vec<Row> {
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
fn kind_rows() -> Vec<Row> {
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
