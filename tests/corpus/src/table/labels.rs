//! Labels in every encoding, and in some that say one thing and mean another.

use png::{BitDepth, ColorType};
use shared::warning::WarningKind::LabelEncoding;

use super::Row;
use crate::files::jpeg::Jpeg;
use crate::files::pngs::{Chunks, Header};
use crate::files::scene::{
    HEIGHT, WIDTH, colour, each, grey_png, label_id, label_png, palette_of_label_ids,
    palette_of_train_ids, palette_png, photograph, png, rgb_png, train_id,
};
use crate::read::Reads;

const LABEL: &str = "labels/00001.png";
const SIZE: (u32, u32) = (WIDTH, HEIGHT);

/// Returns the train ids with a part that is not labelled.
fn train_ids_and_255() -> Vec<u8> {
    each(|x, y| if x < 4 { 255 } else { train_id(x, y) })
}

fn colours() -> Vec<u8> {
    each(colour).concat()
}

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
    rows.extend(level_rows());
    rows.extend(deep_rows());
    rows.extend(colour_rows());
    rows.extend(broken_rows());
    rows
}

/// Returns a palette that has the colours of label ids in another order, and the scene in its indices.
fn renumbered() -> Vec<u8> {
    let order: Vec<u8> = each(label_id)
        .into_iter()
        .rev()
        .fold(Vec::new(), |mut seen, id| {
            if !seen.contains(&id) {
                seen.push(id);
            }
            seen
        });
    let all = palette_of_label_ids();
    let palette = order
        .iter()
        .flat_map(|&id| all[3 * usize::from(id)..][..3].to_vec());
    let index = |id: u8| order.iter().position(|&found| found == id).unwrap() as u8;
    palette_png(
        &each(|x, y| index(label_id(x, y))),
        &palette.collect::<Vec<u8>>(),
    )
}

/// Returns the scene's colours as a palette of few bits.
fn packed_palette(bits: u8) -> Vec<u8> {
    let classes = [0_u8, 2, 10, 13];
    let header = Header {
        width: WIDTH,
        height: HEIGHT,
        depth: bits,
        colour: 3,
        interlaced: false,
    };
    let indices = each(|x, y| {
        classes
            .iter()
            .position(|&class| class == train_id(x, y))
            .unwrap() as u8
    });
    let per_byte = usize::from(8 / bits);
    let pack = |indices: &[u8]| indices.iter().fold(0, |byte, &index| byte << bits | index);
    let rows: Vec<u8> = indices.chunks(per_byte).map(pack).collect();
    let all = palette_of_train_ids();
    let palette: Vec<u8> = classes
        .iter()
        .flat_map(|&class| all[3 * usize::from(class)..][..3].to_vec())
        .collect();
    Chunks::image(header, &rows).with(b"PLTE", &palette).file()
}

fn palette_rows() -> Vec<Row> {
    let ramp: Vec<u8> = (0..=255).flat_map(|level| [level; 3]).collect();
    let random: Vec<u8> = (0..34_u8)
        .flat_map(|index| [index * 7, 255 - index, index * 3 + 1])
        .collect();
    let label = Reads::PaletteLabel;
    vec![
        read("a palette of label ids", label, label_png()),
        read(
            "a palette of label ids where grey ids are promised",
            Reads::IdLabel,
            label_png(),
        ),
        believed(
            "a palette of train ids where label ids are promised",
            label,
            palette_png(&each(train_id), &palette_of_train_ids()),
        )
        .says(&["train ids", "colours were believed"]),
        read(
            "a palette of train ids where they are promised",
            Reads::TrainIdLabel,
            palette_png(&each(train_id), &palette_of_train_ids()),
        ),
        believed("a palette that an editor renumbered", label, renumbered())
            .says(&["colours were believed"]),
        believed("a palette of 4 bits", label, packed_palette(4)),
        believed("a palette of 2 bits", label, packed_palette(2)),
        read(
            "label ids with a grey ramp for a palette",
            label,
            palette_png(&each(label_id), &ramp),
        ),
        believed(
            "label ids that an optimiser made a palette of greys",
            label,
            {
                let mut used = each(label_id);
                used.sort_unstable();
                used.dedup();
                let index = |id: u8| used.iter().position(|&other| other == id).unwrap() as u8;
                let greys: Vec<u8> = used.iter().flat_map(|&id| [id; 3]).collect();
                palette_png(&each(|x, y| index(label_id(x, y))), &greys)
            },
        )
        .says(&["greys"]),
        refused(
            "label ids with a palette of other colours",
            label,
            palette_png(&each(label_id), &random),
        )
        .says(&["labels = "]),
        refused(
            "train ids with a palette of other colours",
            label,
            palette_png(&each(train_id), &random),
        )
        .says(&["labels = "]),
        refused(
            "train ids with a grey ramp for a palette",
            label,
            palette_png(&each(train_id), &ramp),
        )
        .says(&["labels = "]),
        refused("train ids with the palette of label ids", label, {
            let palette = [palette_of_label_ids(), vec![0; 3 * 222]].concat();
            palette_png(&train_ids_and_255(), &palette)
        })
        .says(&["255"]),
        refused("label ids with the palette of train ids", label, {
            let palette = [palette_of_train_ids(), vec![1; 3 * 20]].concat();
            palette_png(&each(label_id), &palette)
        }),
        read("a palette with transparency", label, {
            let transparency = [[0; 4], [255; 4]].concat();
            let mut chunks = Chunks::of(&label_png());
            chunks.0.insert(2, (*b"tRNS", transparency));
            chunks.file()
        }),
        refused(
            "a label without its palette",
            label,
            Chunks::of(&label_png()).without(b"PLTE").file(),
        ),
        refused("a label whose palette ends before its indices", label, {
            Chunks::of(&label_png())
                .mapped(b"PLTE", |palette| palette[..3 * 20].to_vec())
                .file()
        }),
        refused("a label whose palette ends within a colour", label, {
            Chunks::of(&label_png())
                .mapped(b"PLTE", |palette| palette[..3 * 34 - 1].to_vec())
                .file()
        }),
    ]
}

fn level_rows() -> Vec<Row> {
    let without_high = each(|x, y| if train_id(x, y) == 0 { 7 } else { 0 });
    // Road, vegetation, person and car as train ids; sidewalk, building and fence as label ids.
    let look_alike = each(|x, y| match train_id(x, y) {
        10 => 11,
        2 => 8,
        id => id,
    });
    vec![
        read("grey label ids", Reads::IdLabel, grey_png(&each(label_id))),
        read(
            "grey label ids where a palette is promised",
            Reads::PaletteLabel,
            grey_png(&each(label_id)),
        ),
        read(
            "grey train ids",
            Reads::TrainIdLabel,
            grey_png(&train_ids_and_255()),
        ),
        believed(
            "grey label ids where train ids are promised",
            Reads::TrainIdLabel,
            grey_png(&each(label_id)),
        )
        .says(&["label ids"]),
        believed(
            "grey train ids where label ids are promised",
            Reads::IdLabel,
            grey_png(&train_ids_and_255()),
        )
        .says(&["train ids"]),
        believed(
            "grey train ids where a palette is promised",
            Reads::PaletteLabel,
            grey_png(&train_ids_and_255()),
        )
        .says(&["train ids"]),
        refused(
            "levels that could be either",
            Reads::IdLabel,
            grey_png(&each(train_id)),
        )
        .says(&["labels = "]),
        believed(
            "levels that could be either where a palette is promised",
            Reads::PaletteLabel,
            grey_png(&look_alike),
        )
        .says(&["label ids as well as train ids", "labels = "]),
        believed(
            "levels that could be either where colours are promised",
            Reads::ColourLabel,
            grey_png(&look_alike),
        )
        .says(&["labels = "]),
        read(
            "levels that could be either where label ids are promised",
            Reads::IdLabel,
            grey_png(&look_alike),
        ),
        read(
            "grey ids of a road alone",
            Reads::IdLabel,
            grey_png(&without_high),
        ),
        read(
            "grey ids stored as RGB",
            Reads::IdLabel,
            rgb_png(&each(|x, y| [label_id(x, y); 3]).concat()),
        ),
        read("grey ids with alpha", Reads::IdLabel, {
            let pixels = each(|x, y| [label_id(x, y), 255]).concat();
            png(SIZE, ColorType::GrayscaleAlpha, BitDepth::Eight, &pixels)
        }),
        refused("grey levels of a photograph", Reads::IdLabel, {
            let levels: Vec<u8> = photograph().chunks(3).map(|pixel| pixel[1]).collect();
            grey_png(&levels)
        }),
        refused(
            "a label that shows no class",
            Reads::IdLabel,
            grey_png(&each(|_, _| 3)),
        )
        .says(&["none of the 19"]),
        refused(
            "train ids that show no class",
            Reads::TrainIdLabel,
            grey_png(&each(|_, _| 255)),
        )
        .says(&["none of the 19"]),
        read("grey ids that are interlaced", Reads::IdLabel, {
            let header = Header {
                width: WIDTH,
                height: HEIGHT,
                depth: 8,
                colour: 0,
                interlaced: true,
            };
            Chunks::interlaced(header, &each(label_id)).file()
        }),
    ]
}

fn deep_rows() -> Vec<Row> {
    let deep = |level: fn(u8) -> u16| {
        let levels = each(|x, y| level(label_id(x, y)).to_be_bytes()).concat();
        png(SIZE, ColorType::Grayscale, BitDepth::Sixteen, &levels)
    };
    vec![
        read("grey ids of 16 bits", Reads::IdLabel, deep(u16::from)),
        read(
            "grey ids of 16 bits, spread out",
            Reads::IdLabel,
            deep(|id| u16::from(id) * 257),
        ),
        refused(
            "grey levels that 8 bits do not hold",
            Reads::IdLabel,
            deep(|id| u16::from(id) * 100),
        )
        .says(&["16-bit"]),
    ]
}

fn colour_rows() -> Vec<Row> {
    let with_alpha: Vec<u8> = colours()
        .chunks(3)
        .flat_map(|p| [p[0], p[1], p[2], 255])
        .collect();
    let swapped: Vec<u8> = colours()
        .chunks(3)
        .flat_map(|p| [p[2], p[1], p[0]])
        .collect();
    let with_others = |share: u32| {
        let pixel = |x: u32, y: u32| {
            if (x * 7 + y * 3) % 100 < share {
                [1, 2, 3]
            } else {
                colour(x, y)
            }
        };
        rgb_png(&each(pixel).concat())
    };
    vec![
        read("class colours", Reads::ColourLabel, rgb_png(&colours())),
        read(
            "class colours with alpha",
            Reads::ColourLabel,
            png(SIZE, ColorType::Rgba, BitDepth::Eight, &with_alpha),
        ),
        read(
            "class colours as a palette of label ids",
            Reads::ColourLabel,
            label_png(),
        ),
        believed(
            "class colours where a palette is promised",
            Reads::PaletteLabel,
            rgb_png(&colours()),
        )
        .says(&["class colours"]),
        believed(
            "class colours where label ids are promised",
            Reads::IdLabel,
            rgb_png(&colours()),
        ),
        believed(
            "class colours where train ids are promised",
            Reads::TrainIdLabel,
            rgb_png(&colours()),
        ),
        believed(
            "class colours with smooth edges",
            Reads::ColourLabel,
            with_others(8),
        )
        .says(&["%"]),
        refused(
            "class colours that were resized without care",
            Reads::ColourLabel,
            with_others(45),
        )
        .says(&["%"]),
        refused(
            "class colours with red and blue exchanged",
            Reads::ColourLabel,
            rgb_png(&swapped),
        )
        .says(&["red and blue"]),
        refused(
            "a photograph for a label",
            Reads::ColourLabel,
            rgb_png(&photograph()),
        )
        .says(&["%"]),
        refused(
            "a JPEG for a label",
            Reads::ColourLabel,
            Jpeg::new(WIDTH, HEIGHT).file(),
        )
        .says(&["JPEG"]),
    ]
}

fn broken_rows() -> Vec<Row> {
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
