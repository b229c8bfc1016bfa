//! What is left of a label at the model's shape: stored, it shows what the whole showed there, whatever its pixels alone
//! look like.

use std::collections::BTreeSet;
use std::io::Cursor;

use imaging::NamedBytes;
use png::{BitDepth, ColorType};
use shared::dataset::classes::UNKNOWN;
use shared::dataset::{LabelKind, LabelReading};

use crate::files::{png, prepare_by};

const ROAD: [u8; 3] = [128, 64, 128];
const SKY: [u8; 3] = [70, 130, 180];
const CAR: [u8; 3] = [0, 0, 142];
const BLACK: [u8; 3] = [0; 3];

/// What is read of a label, and stored of it.
struct Left {
    /// The train ids that it shows.
    shows: Vec<u8>,
    /// How its file stores pixels, and these.
    colour: ColorType,
    bytes: Vec<u8>,
}

/// Returns an RGB file of 400x300 pixels, of which the model's shape leaves rows 50 to 249.
fn file(pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let pixels: Vec<u8> = (0..300 * 400)
        .flat_map(|at| pixel(at % 400, at / 400))
        .collect();
    png((400, 300), ColorType::Rgb, BitDepth::Eight, &pixels)
}

/// Returns whether a place is in a patch of 0.9 % of a file, which is 1.35 % of what is left of it.
fn in_patch(x: usize, y: usize) -> bool {
    (100..140).contains(&x) && (140..167).contains(&y)
}

/// Prepares a label, and proves that what is stored of it shows the same to those who read it as what it was stored as.
fn left(label: &[u8], kind: LabelKind) -> Left {
    let picture = file(|x, y| [x as u8, y as u8, 0]);
    let prepared = prepare_by(&picture, label, LabelReading::promised(kind), None).unwrap();
    let stored = prepared.stored_label.unwrap();
    let named = NamedBytes {
        name: "label.png",
        bytes: &stored,
    };
    let shown = imaging::label_ids(named, kind, None).unwrap();
    assert_eq!(shown.train_ids, prepared.label, "{kind}");
    let mut reader = png::Decoder::new(Cursor::new(&stored)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    bytes.truncate(info.buffer_size());
    let shows: BTreeSet<u8> = prepared.label.iter().copied().collect();
    Left {
        shows: shows.into_iter().collect(),
        colour: info.color_type,
        bytes,
    }
}

#[test]
fn what_is_left_of_colours_of_carla_is_colours_whatever_share_odd_ones_have() {
    let odd = [9; 3];
    let label = file(|x, y| match y {
        _ if in_patch(x, y) => odd,
        ..150 => SKY,
        _ => ROAD,
    });
    for kind in [LabelKind::CarlaTags, LabelKind::OldCarlaTags] {
        let left = left(&label, kind);
        assert_eq!(left.shows, [0, 10, UNKNOWN], "{kind}");
        assert_eq!(left.colour, ColorType::Rgb, "{kind}");
        // They are stored as they came.
        let mut pixels = left.bytes.chunks_exact(3);
        assert!(pixels.any(|pixel| pixel == odd), "{kind}");
    }
}

#[test]
fn what_is_left_of_a_frame_of_carla_is_stored_plainly_where_it_could_be_the_other() {
    // Cars and the odd patch begin with the tag of what has no class, and what no tag begins with is cut away.
    let colours = file(|x, y| match y {
        _ if in_patch(x, y) => [0, 0, 140],
        ..50 => ROAD,
        _ => CAR,
    });
    let of_colours = left(&colours, LabelKind::CarlaTags);
    assert_eq!(of_colours.shows, [13, UNKNOWN]);
    assert_eq!(of_colours.colour, ColorType::Rgb);
    let mut pixels = of_colours.bytes.chunks_exact(3);
    assert!(pixels.all(|pixel| pixel == CAR || pixel == BLACK));

    // Instances without a class that look like cars, a car, and more that is no tag but a colour.
    let tags = file(|x, y| match y {
        _ if in_patch(x, y) => [14, 1, 0],
        ..50 => [1, 0, 0],
        200..215 => ROAD,
        _ => CAR,
    });
    let of_tags = left(&tags, LabelKind::CarlaTags);
    assert_eq!(of_tags.shows, [13, UNKNOWN]);
    assert_eq!(of_tags.colour, ColorType::Grayscale);
    let mut levels = of_tags.bytes.iter();
    assert!(levels.all(|level| [0, 14, ROAD[0]].contains(level)));
}

#[test]
fn what_is_left_of_a_label_is_read_whatever_share_of_it_the_dataset_does_not_have() {
    // 15 % of the file, and 22 % of what is left of it.
    for (kind, of_road, other) in [
        (LabelKind::SynthiaIds, 3, 23),
        (LabelKind::CarlaTags, 1, 77),
        (LabelKind::OldCarlaTags, 7, 77),
    ] {
        let label = file(|_, y| match y {
            100..145 => [other, 0, 0],
            _ => [of_road, 0, 0],
        });
        assert_eq!(left(&label, kind).shows, [0, UNKNOWN], "{kind}");
    }
}
