//! Every encoding of a scene shows the same classes, whatever was promised.

use std::path::Path;

use imaging::{LabelFile, NamedBytes, count_classes, label_kind_of_file};
use png::{BitDepth, ColorType};
use shared::dataset::classes::{UNKNOWN, train_id_of_label_id};
use shared::dataset::{LabelKind, LabelReading};
use shared::warning::WarningKind;

use super::scene::{classes_as, colour, file, grey, indexed, label_ids, palette_of, prepared, rgb};
use crate::files::chain;

const KINDS: [LabelKind; 4] = [
    LabelKind::PaletteIds,
    LabelKind::LabelIds,
    LabelKind::TrainIds,
    LabelKind::Colour,
];

const IDS: &[LabelKind] = &[LabelKind::PaletteIds, LabelKind::LabelIds];
const COLOURS: &[LabelKind] = &[LabelKind::Colour];

/// A label file under the name of what it is.
struct Encoded {
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether it names the classes by colours alone, whose edges are blended when they are resized.
    is_blended: bool,
    /// Promises that it keeps, so that nothing needs to be said.
    keeps: &'static [LabelKind],
}

fn encoded(name: &'static str, bytes: Vec<u8>, keeps: &'static [LabelKind]) -> Encoded {
    Encoded {
        name,
        bytes,
        is_blended: false,
        keeps,
    }
}

fn blended(name: &'static str, bytes: Vec<u8>) -> Encoded {
    Encoded {
        name,
        bytes,
        is_blended: true,
        keeps: COLOURS,
    }
}

/// One scene in every encoding that labels come in.
fn encodings() -> Vec<Encoded> {
    let ids = label_ids();
    let mut encodings = with_palettes(&ids);
    encodings.extend(of_levels(&ids));
    encodings.extend(of_colours(&ids));
    encodings
}

fn with_palettes(ids: &[u8]) -> Vec<Encoded> {
    const BOTH: &[LabelKind] = &[
        LabelKind::PaletteIds,
        LabelKind::LabelIds,
        LabelKind::Colour,
    ];
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let train_id = |id| Some(train_id_of_label_id(id)).filter(|&id| id != UNKNOWN);
    let mut used = ids.to_vec();
    used.sort_unstable();
    used.dedup();
    used.reverse();
    let position = |id: u8| {
        used.iter()
            .position(|&other| other == id)
            .map(|at| at as u8)
    };
    let positions: Vec<u8> = ids.iter().map(|&id| position(id).unwrap()).collect();
    let nibbles: Vec<u8> = positions
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    let ramp: Vec<u8> = (0..=255).flat_map(|level| [level; 3]).collect();
    let of_train_ids = palette_of(train_id);
    let of_positions = palette_of(position);
    vec![
        encoded("palette", indexed(ids, &palette_of(Some)), BOTH),
        encoded(
            "palette of train ids",
            indexed(&train_ids, &of_train_ids),
            &[LabelKind::TrainIds, LabelKind::Colour],
        ),
        encoded(
            "sorted palette",
            indexed(&positions, &of_positions),
            COLOURS,
        ),
        encoded(
            "sorted palette of 4 bits",
            file(
                ColorType::Indexed,
                BitDepth::Four,
                Some(&of_positions[..48]),
                &nibbles,
            ),
            COLOURS,
        ),
        encoded("grey ramp as palette", indexed(ids, &ramp), IDS),
    ]
}

fn of_levels(ids: &[u8]) -> Vec<Encoded> {
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let spread: Vec<u8> = ids.iter().flat_map(|&id| [id, id]).collect();
    let wide: Vec<u8> = ids.iter().flat_map(|&id| [0, id]).collect();
    let thrice: Vec<u8> = ids.iter().flat_map(|&id| [id; 3]).collect();
    let with_alpha: Vec<u8> = ids.iter().flat_map(|&id| [id, 255]).collect();
    let eight = BitDepth::Eight;
    let sixteen = BitDepth::Sixteen;
    vec![
        encoded("grey label ids", grey(ids), IDS),
        encoded(
            "grey label ids with alpha",
            file(ColorType::GrayscaleAlpha, eight, None, &with_alpha),
            IDS,
        ),
        encoded(
            "grey label ids as RGB",
            file(ColorType::Rgb, eight, None, &thrice),
            IDS,
        ),
        encoded(
            "label ids of 16 bits",
            file(ColorType::Grayscale, sixteen, None, &wide),
            IDS,
        ),
        encoded(
            "label ids spread to 16 bits",
            file(ColorType::Grayscale, sixteen, None, &spread),
            IDS,
        ),
        encoded("grey train ids", grey(&train_ids), &[LabelKind::TrainIds]),
    ]
}

fn of_colours(ids: &[u8]) -> Vec<Encoded> {
    let colours = rgb(ids);
    let deep_colours: Vec<u8> = colours.iter().flat_map(|&level| [level, level]).collect();
    let rgba: Vec<u8> = ids
        .iter()
        .flat_map(|&id| {
            let [red, green, blue] = colour(id);
            [red, green, blue, 255]
        })
        .collect();
    let eight = BitDepth::Eight;
    let sixteen = BitDepth::Sixteen;
    vec![
        blended("RGB", file(ColorType::Rgb, eight, None, &colours)),
        blended("RGBA", file(ColorType::Rgba, eight, None, &rgba)),
        blended(
            "RGB of 16 bits",
            file(ColorType::Rgb, sixteen, None, &deep_colours),
        ),
    ]
}

#[test]
fn every_encoding_shows_the_same_classes_whatever_was_promised_and_is_stored_as_promised() {
    let encodings = encodings();
    let expected = prepared(&encodings[0].bytes, LabelKind::PaletteIds).unwrap();
    let classes = expected.label.clone().into_raw_vec_and_offset().0;
    for encoded in &encodings {
        for kind in KINDS {
            let what = format!("{} where {kind:?} is promised", encoded.name);
            let found = prepared(&encoded.bytes, kind).unwrap_or_else(|error| {
                panic!("{what}: {}", chain(&error));
            });
            let found_classes = found.label.into_raw_vec_and_offset().0;
            if encoded.is_blended {
                let mut pairs = found_classes.iter().zip(&classes);
                assert!(
                    pairs.all(|(found, expected)| found == expected || *found == UNKNOWN),
                    "{what}"
                );
            } else {
                assert_eq!(found_classes, classes, "{what}");
            }
            assert_eq!(
                classes_as(kind, &found.stored_label.unwrap()),
                classes,
                "{what}"
            );

            let told: Vec<_> = found.warnings.iter().map(|warning| warning.kind).collect();
            let expected: &[WarningKind] = if encoded.keeps.contains(&kind) {
                &[]
            } else {
                &[WarningKind::LabelEncoding]
            };
            assert_eq!(told, expected, "{what}: {:?}", found.warnings);
            for warning in &found.warnings {
                assert!(warning.text.starts_with("labels/a.png is "), "{what}");
            }
        }
    }
}

#[test]
fn run_and_transfer_and_counting_read_every_label_alike() {
    for encoded in encodings() {
        // `transfer` knows a name without a layout, `run` a layout.
        let alone = label_kind_of_file(Path::new("labels/00001.png"), &encoded.bytes);
        let by_transfer = prepared(&encoded.bytes, alone).unwrap();
        let mut counts = Vec::new();
        for kind in KINDS {
            let by_run = prepared(&encoded.bytes, kind).unwrap();
            assert_eq!(by_run.label, by_transfer.label, "{}", encoded.name);
            assert_eq!(
                by_run.label_latent, by_transfer.label_latent,
                "{}",
                encoded.name
            );
            let file = NamedBytes {
                name: "labels/a.png",
                bytes: &encoded.bytes,
            };
            let reading = LabelReading::promised(kind);
            counts.push(count_classes(LabelFile::new(file, reading)).unwrap());
        }
        let reference = label_ids();
        let roads = reference.iter().filter(|&&id| id == 7).count() as u64;
        for counts in counts {
            assert_eq!(counts[0], roads, "{}", encoded.name);
        }
    }
}

#[test]
fn a_warning_says_what_was_found_and_what_was_believed() {
    let encodings = encodings();
    let warning = |name: &str, kind| {
        let encoded = encodings.iter().find(|encoded| encoded.name == name);
        let warnings = prepared(&encoded.unwrap().bytes, kind).unwrap().warnings;
        warnings[0].text.clone()
    };
    assert_eq!(
        warning("palette of train ids", LabelKind::PaletteIds),
        "labels/a.png is 8-bit palette indices: its palette has Cityscapes colours and its indices are \
         train ids: the colours were believed"
    );
    assert_eq!(
        warning("sorted palette", LabelKind::PaletteIds),
        "labels/a.png is 8-bit palette indices: its palette has Cityscapes colours and its indices are \
         not label ids: the colours were believed"
    );
    assert_eq!(
        warning("grey train ids", LabelKind::PaletteIds),
        "labels/a.png is 8-bit greyscale: its levels are train ids where label ids were expected: \
         it was read as train ids"
    );
    assert_eq!(
        warning("RGB", LabelKind::LabelIds),
        "labels/a.png is 8-bit RGB: it has class colours where label ids were expected: \
         the colours were believed"
    );
}
