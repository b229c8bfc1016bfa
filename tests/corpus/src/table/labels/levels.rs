//! Labels of grey levels: label ids, train ids, or what could be either.

use png::{BitDepth, ColorType};

use super::{SIZE, believed, read, refused, train_ids_and_255};
use crate::files::pngs::{Chunks, Header};
use crate::files::scene::{
    HEIGHT, WIDTH, each, grey_png, label_id, photograph, png, rgb_png, train_id,
};
use crate::read::Reads;
use crate::table::Row;

/// Grey levels that are label ids or train ids, whatever is promised.
pub(super) fn level_rows() -> Vec<Row> {
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
    ]
}

/// Grey levels that could be label ids as well as train ids.
pub(super) fn ambiguous_rows() -> Vec<Row> {
    // Road, vegetation, person and car as train ids; sidewalk, building and fence as label ids.
    let look_alike = each(|x, y| match train_id(x, y) {
        10 => 11,
        2 => 8,
        id => id,
    });
    vec![
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
    ]
}

/// Grey levels in other pictures than of one byte a pixel, or that show no class.
pub(super) fn odd_level_rows() -> Vec<Row> {
    let without_high = each(|x, y| if train_id(x, y) == 0 { 7 } else { 0 });
    vec![
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

pub(super) fn deep_rows() -> Vec<Row> {
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
