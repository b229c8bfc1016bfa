//! Labels of class colours, and pictures that are none.

use png::{BitDepth, ColorType};

use super::{SIZE, believed, read, refused};
use crate::files::jpeg::Jpeg;
use crate::files::scene::{HEIGHT, WIDTH, colour, each, label_png, photograph, png, rgb_png};
use crate::read::Reads;
use crate::table::Row;

fn colours() -> Vec<u8> {
    each(colour).concat()
}

pub(super) fn colour_rows() -> Vec<Row> {
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
