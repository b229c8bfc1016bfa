//! Photographs as cameras, editors and broken downloads leave them.

use png::{BitDepth, ColorType};
use shared::warning::WarningKind::{AlphaDropped, ColourSpace, DepthReduced, Greyscale};

use super::Row;
use crate::files::exif;
use crate::files::jpeg::{Jpeg, cut_and_closed, cut_and_zeroed, ending_in_zeros, last_scan};
use crate::files::pngs::{Chunks, Header};
use crate::files::scene::{HEIGHT, WIDTH, each, photograph, photograph_png, photograph_sized, png};
use crate::read::Reads;

const SIZE: (u32, u32) = (WIDTH, HEIGHT);
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

pub(super) fn rows() -> Vec<Row> {
    let mut rows = png_rows();
    rows.extend(broken_png_rows());
    rows.extend(jpeg_rows());
    rows.extend(broken_jpeg_rows());
    rows.extend(other_rows());
    rows
}

fn png_rows() -> Vec<Row> {
    let rgb = photograph();
    let grey: Vec<u8> = rgb.chunks(3).map(|pixel| pixel[1]).collect();
    let with_alpha: Vec<u8> = rgb
        .chunks(3)
        .flat_map(|p| [p[0], p[1], p[2], 128])
        .collect();
    let grey_alpha: Vec<u8> = grey.iter().flat_map(|&level| [level, 255]).collect();
    let deep: Vec<u8> = rgb.iter().flat_map(|&byte| [byte, byte]).collect();
    let warned = |name: &str, bytes, kinds: &[_]| {
        Row::warned(name, Reads::Photograph, bytes, kinds).says(&[IMAGE])
    };
    vec![
        read("a PNG", photograph_png()),
        warned(
            "a grey PNG",
            png(SIZE, ColorType::Grayscale, BitDepth::Eight, &grey),
            &[Greyscale],
        ),
        warned(
            "a PNG with alpha",
            png(SIZE, ColorType::Rgba, BitDepth::Eight, &with_alpha),
            &[AlphaDropped],
        ),
        warned(
            "a grey PNG with alpha",
            png(
                SIZE,
                ColorType::GrayscaleAlpha,
                BitDepth::Eight,
                &grey_alpha,
            ),
            &[Greyscale, AlphaDropped],
        ),
        warned(
            "a PNG of 16 bits",
            png(SIZE, ColorType::Rgb, BitDepth::Sixteen, &deep),
            &[DepthReduced],
        ),
        read(
            "a PNG whose gamma is known",
            chunks().with(b"gAMA", &45_455_u32.to_be_bytes()).file(),
        ),
        read(
            "a PNG whose gamma is 0.45",
            chunks().with(b"gAMA", &45_000_u32.to_be_bytes()).file(),
        ),
        warned(
            "a PNG of linear light",
            chunks().with(b"gAMA", &100_000_u32.to_be_bytes()).file(),
            &[ColourSpace],
        )
        .says(&["gamma of 1.000"]),
        read(
            "a PNG of sRGB, whatever its gamma",
            chunks()
                .with(b"gAMA", &100_000_u32.to_be_bytes())
                .with(b"sRGB", &[0])
                .file(),
        ),
        read(
            "a PNG of sRGB by its code points",
            chunks().with(b"cICP", &[1, 13, 0, 1]).file(),
        ),
        warned(
            "a PNG of a wide gamut by its code points",
            chunks().with(b"cICP", &[12, 13, 0, 1]).file(),
            &[ColourSpace],
        )
        .says(&["cICP"]),
        read(
            "a PNG of the primaries of sRGB",
            chunks().with(b"cHRM", &primaries(64_000)).file(),
        ),
        warned(
            "a PNG of other primaries",
            chunks().with(b"cHRM", &primaries(68_000)).file(),
            &[ColourSpace],
        )
        .says(&["primaries"]),
        read(
            "a PNG with a resolution",
            chunks()
                .with(b"pHYs", &[0, 0, 11, 19, 0, 0, 11, 19, 1])
                .file(),
        ),
        read(
            "a PNG with a text",
            chunks().with(b"tEXt", b"Comment\0a camera").file(),
        ),
        read(
            "a PNG with a chunk that nobody knows",
            chunks().with(b"xyZz", &[1, 2, 3]).file(),
        ),
        read(
            "a PNG with something behind its end",
            [photograph_png(), b"trailing".to_vec()].concat(),
        ),
    ]
}

fn broken_png_rows() -> Vec<Row> {
    let whole = photograph_png();
    let header = |header: Header| chunks().mapped(b"IHDR", |_| header.bytes()).file();
    let rgb = Header {
        width: WIDTH,
        height: HEIGHT,
        depth: 8,
        colour: 2,
        interlaced: false,
    };
    let mut wrong_checksum = whole.clone();
    wrong_checksum[30] ^= 1;
    let mut rows = vec![
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
        refused("a PNG of no columns", header(Header { width: 0, ..rgb })),
        refused("a PNG of no rows", header(Header { height: 0, ..rgb })),
        refused(
            "a PNG of 32768x32768",
            header(Header {
                width: 1 << 15,
                height: 1 << 15,
                ..rgb
            }),
        )
        .says(&["32768x32768"]),
        refused(
            "a PNG of 2^31-1 columns",
            header(Header {
                width: i32::MAX as u32,
                ..rgb
            }),
        ),
        refused(
            "a PNG of 2^32-1 columns and rows",
            header(Header {
                width: u32::MAX,
                height: u32::MAX,
                ..rgb
            }),
        ),
        refused(
            "a PNG of a colour type that is none",
            header(Header { colour: 5, ..rgb }),
        ),
        refused("a PNG of 3 bits", header(Header { depth: 3, ..rgb })),
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
            header(Header { colour: 3, ..rgb }),
        ),
        refused(
            "a PNG that promises one row more",
            header(Header {
                height: HEIGHT + 1,
                ..rgb
            }),
        ),
        refused(
            "a PNG that promises other channels",
            header(Header { colour: 6, ..rgb }),
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
    ];
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

/// Returns white and primaries of sRGB, the x of red given.
fn primaries(red: u32) -> Vec<u8> {
    let all = [31_270, 32_900, red, 33_000, 30_000, 60_000, 15_000, 6_000];
    all.map(u32::to_be_bytes).concat()
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

fn jpeg_rows() -> Vec<Row> {
    let whole = jpeg().file();
    let behind = |name: &str, more: &[u8]| read(name, [&whole[..], more].concat());
    let progressive = Jpeg {
        progressive: true,
        ..jpeg()
    };
    vec![
        read("a JPEG", whole.clone()),
        read("a progressive JPEG", progressive.file()),
        read(
            "a JPEG with restart markers",
            Jpeg {
                restart_every: 2,
                ..jpeg()
            }
            .file(),
        ),
        read(
            "a JPEG whose colour has half the resolution",
            Jpeg {
                subsampled: true,
                ..jpeg()
            }
            .file(),
        ),
        Row::warned(
            "a grey JPEG",
            Reads::Photograph,
            Jpeg {
                components: 1,
                ..jpeg()
            }
            .file(),
            &[Greyscale],
        )
        .says(&[IMAGE]),
        // A motion photo: the video lies behind the picture.
        behind(
            "a JPEG with a video behind it",
            b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\xff\xda\xff\xd8\0\0mdat",
        ),
        behind("a JPEG with zeros behind it", &[0; 512]),
        read("a JPEG whose bits end in zeros", ending_in_zeros(jpeg())),
        read("a JPEG whose bits end in zeros, without an end marker", {
            let file = ending_in_zeros(jpeg());
            file[..file.len() - 2].to_vec()
        }),
        read(
            "a progressive JPEG whose bits end in zeros",
            Jpeg {
                plain: Some(-50),
                ..progressive
            }
            .file(),
        ),
        read(
            "a JPEG with restart markers whose bits end in zeros",
            Jpeg {
                plain: Some(-50),
                restart_every: 3,
                ..jpeg()
            }
            .file(),
        ),
        read(
            "a progressive JPEG with restart markers",
            Jpeg {
                restart_every: 3,
                ..progressive
            }
            .file(),
        ),
        read(
            "a JPEG with restart markers whose colour has half the resolution",
            Jpeg {
                restart_every: 3,
                subsampled: true,
                ..jpeg()
            }
            .file(),
        ),
        read("a JPEG with zeros before its end marker", {
            [&whole[..whole.len() - 2], &[0; 512], &[0xff, 0xd9]].concat()
        }),
        read("a JPEG with zeros in place of its end marker", {
            [&whole[..whole.len() - 2], &[0; 4096]].concat()
        }),
        behind("a JPEG with another one behind it", &whole),
        read(
            "a JPEG with a thumbnail",
            exif::segment_in_jpeg(&whole, 0xe2, &[b"MPF\0", &whole[..400]].concat()),
        ),
        read(
            "a JPEG with a comment",
            exif::segment_in_jpeg(&whole, 0xfe, b"a camera"),
        ),
    ]
}

fn broken_jpeg_rows() -> Vec<Row> {
    let whole = jpeg().file();
    let progressive = Jpeg {
        progressive: true,
        ..jpeg()
    }
    .file();
    let start = last_scan(&whole);
    let refused = |name: String, bytes| refused(name, bytes).says(&["cannot be decoded"]);
    let mut rows = vec![
        refused(
            "a JPEG without scans".into(),
            [&whole[..20], &[0xff, 0xd9]].concat(),
        ),
        refused("a JPEG without tables".into(), {
            let at = whole
                .windows(2)
                .position(|pair| pair == [0xff, 0xc4])
                .unwrap();
            [&whole[..at], &whole[start - 14..]].concat()
        }),
    ];
    let restarting = Jpeg {
        restart_every: 2,
        ..jpeg()
    }
    .file();
    for (what, file) in [
        ("JPEG", &whole),
        ("progressive JPEG", &progressive),
        ("JPEG with restart markers", &restarting),
    ] {
        for share in [0.0, 0.25, 0.5, 0.75] {
            let zeroed = cut_and_zeroed(file, share, 4096);
            rows.push(refused(
                format!("a {what} that is zeros from {share} of its last scan"),
                zeroed.clone(),
            ));
            rows.push(refused(
                format!("a {what} that is zeros from {share} of its last scan, and closed"),
                [&zeroed[..], &[0xff, 0xd9]].concat(),
            ));
        }
    }
    rows.push(refused(
        "a JPEG without one of its restart markers".into(),
        {
            let at = restarting
                .windows(2)
                .rposition(|pair| pair[0] == 0xff && matches!(pair[1], 0xd0..=0xd7));
            let at = at.unwrap();
            [&restarting[..at], &restarting[at + 2..]].concat()
        },
    ));
    for share in [0.0, 0.1, 0.25, 0.5, 0.75, 0.9] {
        rows.push(refused(
            format!("a JPEG cut short at {share} of its scan"),
            {
                let closed = cut_and_closed(&whole, share);
                closed[..closed.len() - 2].to_vec()
            },
        ));
        rows.push(refused(
            format!("a JPEG cut short at {share} of its scan and closed"),
            cut_and_closed(&whole, share),
        ));
        rows.push(refused(
            format!("a progressive JPEG cut short at {share} of its last scan and closed"),
            cut_and_closed(&progressive, share),
        ));
    }
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
