//! Labels of datasets that have ids of their own: SYNTHIA and CARLA.

use png::{BitDepth, ColorType};

use super::{SIZE, believed, read, refused};
use crate::files::scene::{colour, each, grey_png, png, rgb_png, train_id};
use crate::read::Reads;
use crate::table::Row;

/// Returns SYNTHIA's id of the class that the scene shows at a place.
fn synthia_id(x: u32, y: u32) -> u8 {
    match train_id(x, y) {
        0 => 3,
        2 => 2,
        10 => 1,
        13 => 8,
        _ => 0,
    }
}

/// Returns CARLA's tag of it.
fn tag(x: u32, y: u32) -> u8 {
    train_id(x, y) + 1
}

/// Returns 16-bit RGB with a class in its first channel and an instance in its second.
fn with_instances(class: impl Fn(u32, u32) -> [u8; 2]) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let [high, low] = class(x, y);
        [high, low, x as u8, y as u8, 0, 0]
    };
    let pixels = each(pixel).concat();
    png(SIZE, ColorType::Rgb, BitDepth::Sixteen, &pixels)
}

pub(super) fn own_id_rows() -> Vec<Row> {
    let tags = |strange: u32| {
        let tag = |x: u32, y: u32| if x < strange { 77 } else { tag(x, y) };
        let pixels = each(|x, y| [tag(x, y), 0, 0, 255]).concat();
        png(SIZE, ColorType::Rgba, BitDepth::Eight, &pixels)
    };
    vec![
        read(
            "SYNTHIA's classes and instances in 16 bits",
            Reads::SynthiaLabel,
            with_instances(|x, y| [0, synthia_id(x, y)]),
        ),
        read(
            "SYNTHIA's classes alone",
            Reads::SynthiaLabel,
            grey_png(&each(synthia_id)),
        ),
        refused(
            "SYNTHIA's classes that 8 bits do not hold",
            Reads::SynthiaLabel,
            with_instances(|x, y| [1 + (x % 2) as u8, synthia_id(x, y)]),
        )
        .says(&["16-bit RGB", "8 bits do not hold"]),
        refused(
            "class colours where SYNTHIA's classes are promised",
            Reads::SynthiaLabel,
            rgb_png(&each(colour).concat()),
        )
        .says(&["what this dataset does not have", "first channel"]),
        read("CARLA's tags", Reads::CarlaLabel, tags(0)),
        read(
            "CARLA's colours",
            Reads::CarlaLabel,
            rgb_png(&each(colour).concat()),
        ),
        believed(
            "CARLA's tags with some that are none",
            Reads::CarlaLabel,
            tags(2),
        )
        .says(&["such as id 77"]),
        refused(
            "CARLA's tags with many that are none",
            Reads::CarlaLabel,
            tags(32),
        )
        .says(&["50 % of its pixels", "such as id 77"]),
    ]
}
