//! Labels whose ids or colours are not those of Cityscapes: of SYNTHIA and CARLA, and by tables of the settings.

use std::io::Cursor;

use imaging::{LabelFile, NamedBytes, Prepared, count_classes, encode_png};
use png::{BitDepth, ColorType};
use shared::dataset::classes::{CLASSES, UNKNOWN, train_id_of_label_id};
use shared::dataset::{ClassTable, LabelKind, LabelReading, TableOf};
use shared::failure::chain;
use shared::warning::WarningKind;

use super::scene::{colour, file, grey, indexed, label_ids, palette_of, prepared, rgb};
use crate::files::{input, prepare_by};

/// SYNTHIA's ids of the classes, by train id.
const SYNTHIA_IDS: [u8; 19] = [
    3, 4, 2, 21, 5, 7, 15, 9, 6, 16, 1, 10, 17, 8, 18, 19, 20, 12, 11,
];
/// CARLA's tags of the classes up to 0.9.13, by train id; trucks and the like have that of all vehicles.
const OLD_TAGS: [u8; 19] = [
    7, 8, 1, 11, 2, 5, 18, 12, 9, 22, 13, 4, 4, 10, 10, 10, 10, 10, 10,
];

fn train_ids() -> Vec<u8> {
    let ids = label_ids();
    ids.into_iter().map(train_id_of_label_id).collect()
}

/// Returns the scene with another value for each class, 0 for what is of none.
fn as_ids(of_class: impl Fn(u8) -> u8) -> Vec<u8> {
    let of = |train_id: u8| match train_id {
        UNKNOWN => 0,
        train_id => of_class(train_id),
    };
    train_ids().into_iter().map(of).collect()
}

fn synthia_ids() -> Vec<u8> {
    as_ids(|train_id| SYNTHIA_IDS[usize::from(train_id)])
}

/// Returns pixels with a value in the first of some channels, and something else in the others.
fn in_first_channel(values: &[u8], others: &[u8]) -> Vec<u8> {
    let pixel = |&value: &u8| [&[value][..], others].concat();
    values.iter().flat_map(pixel).collect()
}

/// How a PNG stores its pixels, and these.
#[derive(Debug, PartialEq)]
struct Stored {
    colour: ColorType,
    depth: BitDepth,
    palette: Option<Vec<u8>>,
    bytes: Vec<u8>,
}

fn decoded(png: &[u8]) -> Stored {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    bytes.truncate(info.buffer_size());
    let palette = reader.info().palette.as_ref();
    Stored {
        colour: info.color_type,
        depth: info.bit_depth,
        palette: palette.map(|palette| palette.to_vec()),
        bytes,
    }
}

/// What is read of a label with the classes that the settings name.
struct Read {
    prepared: Prepared,
    stored: Stored,
}

/// Reads a label, and proves that what is stored of it is stored as it came, gives the same classes when it is read in the
/// same way, and is counted with them.
fn read(bytes: &[u8], kind: LabelKind, classes: Option<&ClassTable>) -> Read {
    let reading = LabelReading::promised(kind).by_table(classes.map(ClassTable::of));
    let prepared = prepare_by(&input("00001.png"), bytes, reading, classes).unwrap();
    let label = prepared.stored_label.clone().unwrap();
    let (came, stored) = (decoded(bytes), decoded(&label));
    assert_eq!(
        (stored.colour, stored.depth, &stored.palette),
        (came.colour, came.depth, &came.palette),
        "{kind}"
    );
    let image = encode_png(prepared.image.view()).unwrap();
    let again = prepare_by(&image, &label, reading, classes).unwrap();
    assert_eq!(again.label, prepared.label, "{kind}");
    assert_eq!(again.stored_label, prepared.stored_label, "{kind}");
    let file = NamedBytes {
        name: "labels/a.png",
        bytes,
    };
    let counts = count_classes(LabelFile::new(file, reading).with_classes(classes)).unwrap();
    assert!(counts.iter().sum::<u64>() > 0, "{kind}");
    Read { prepared, stored }
}

fn expected() -> Prepared {
    prepared(&grey(&label_ids()), LabelKind::LabelIds).unwrap()
}

#[test]
fn classes_of_synthia_are_read_and_stored_with_their_instances_and_16_bits() {
    let ids = synthia_ids();
    let of_16_bits = |&id: &u8| [0, id, 78, 33, 0, 0];
    let of_16_bits: Vec<u8> = ids.iter().flat_map(of_16_bits).collect();
    let of_16_bits = file(ColorType::Rgb, BitDepth::Sixteen, None, &of_16_bits);
    let of_8_bits = in_first_channel(&ids, &[9, 0]);
    let of_8_bits = file(ColorType::Rgb, BitDepth::Eight, None, &of_8_bits);
    let expected = expected();
    for bytes in [of_16_bits.clone(), of_8_bits, grey(&ids)] {
        let Read { prepared, .. } = read(&bytes, LabelKind::SynthiaIds, None);
        assert_eq!(prepared.label, expected.label);
        assert_eq!(prepared.label_latent, expected.label_latent);
        assert_eq!(prepared.warnings, []);
    }
    let Read { stored, .. } = read(&of_16_bits, LabelKind::SynthiaIds, None);
    assert_eq!(
        (stored.colour, stored.depth),
        (ColorType::Rgb, BitDepth::Sixteen)
    );
    let mut pixels = stored.bytes.chunks_exact(6);
    assert!(pixels.all(|pixel| pixel[0] == 0 && pixel[1] <= 22 && pixel[2..] == [78, 33, 0, 0]));
}

#[test]
fn what_synthia_has_beside_the_classes_is_unlabelled_and_what_it_has_not_is_told_or_refused() {
    let with = |id: u8, rows: usize| {
        let mut ids = synthia_ids();
        ids[40 * 480..(40 + rows) * 480].fill(id);
        in_first_channel(&ids, &[0, 0])
    };
    let png = |pixels: &[u8]| file(ColorType::Rgb, BitDepth::Eight, None, pixels);
    // Parking slots, road works and lane marks.
    for id in [13, 14, 22] {
        let Read { prepared, .. } = read(&png(&with(id, 20)), LabelKind::SynthiaIds, None);
        assert_eq!(prepared.warnings, []);
        assert!(prepared.label.row(25).iter().all(|&id| id == UNKNOWN));
    }
    let Read { prepared, .. } = read(&png(&with(23, 20)), LabelKind::SynthiaIds, None);
    let [told] = prepared.warnings.as_slice() else {
        panic!("{:?}", prepared.warnings);
    };
    assert_eq!(told.kind, WarningKind::LabelEncoding);
    assert_eq!(
        told.text,
        "labels/a.png is 8-bit RGB: 7.6 % of its pixels show what this dataset does not have, such as id 23, and count as \
         unlabelled"
    );
    for bytes in [png(&with(23, 100)), png(&rgb(&label_ids()))] {
        let reading = LabelReading::promised(LabelKind::SynthiaIds);
        let error = prepare_by(&input("00001.png"), &bytes, reading, None).unwrap_err();
        let told = chain(&error);
        for words in [
            "labels/a.png",
            "this dataset does not have",
            "SYNTHIA's class ids",
            "or another layout, or `[content.classes]`",
        ] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
        assert!(!told.contains("labels = "), "{told}");
    }
}

#[test]
fn tags_of_carla_are_read_by_the_version_and_its_colours_in_every_version() {
    let expected = expected();
    let tags = as_ids(|train_id| train_id + 1);
    let with_instances = in_first_channel(&tags, &[201, 7, 255]);
    let alone = in_first_channel(&tags, &[0, 0, 255]);
    let colours: Vec<u8> = label_ids()
        .into_iter()
        .flat_map(|id| [&colour(id)[..], &[255]].concat())
        .collect();
    let rgba = |pixels: &[u8]| file(ColorType::Rgba, BitDepth::Eight, None, pixels);
    let by_palette = indexed(&label_ids(), &palette_of(Some));
    for (bytes, kind) in [
        (rgba(&alone), LabelKind::CarlaTags),
        (rgba(&with_instances), LabelKind::CarlaTags),
        (grey(&tags), LabelKind::CarlaTags),
        (rgba(&colours), LabelKind::CarlaTags),
        (rgba(&colours), LabelKind::OldCarlaTags),
        (by_palette, LabelKind::CarlaTags),
    ] {
        let Read { prepared, .. } = read(&bytes, kind, None);
        assert_eq!(prepared.label, expected.label, "{kind}");
        assert_eq!(prepared.warnings, [], "{kind}");
    }
    let tags = as_ids(|train_id| OLD_TAGS[usize::from(train_id)]);
    let old = rgba(&in_first_channel(&tags, &[0, 0, 255]));
    let Read { prepared, .. } = read(&old, LabelKind::OldCarlaTags, None);
    // All vehicles are cars, and whoever rides is on foot.
    let as_old = |train_id: u8| match train_id {
        12 => 11,
        14..=18 => 13,
        other => other,
    };
    assert_eq!(prepared.label, expected.label.mapv(as_old));
    // Marks of lanes are road.
    for (tag, kind) in [(24, LabelKind::CarlaTags), (6, LabelKind::OldCarlaTags)] {
        let marks = vec![tag; label_ids().len()];
        let Read { prepared, .. } = read(&grey(&marks), kind, None);
        assert!(prepared.label.iter().all(|&id| id == 0), "{kind}");
    }
}

/// Returns a table that names every class by an id, and 0 as ignored.
fn table_of_ids(id: impl Fn(u8) -> u8) -> ClassTable {
    let ids = (0..19).map(|train_id| (id(train_id).to_string(), train_id.to_string()));
    let ids: Vec<(String, String)> = ids.chain([("0".to_owned(), "ignore".to_owned())]).collect();
    ClassTable::new(ids.iter().map(|(id, class)| (id.as_str(), class.as_str()))).unwrap()
}

#[test]
fn a_table_of_ids_says_the_classes_of_levels_and_palette_indices_in_every_depth() {
    let id = |train_id: u8| 200 - 7 * train_id;
    let (ids, table) = (as_ids(id), table_of_ids(id));
    let of_16_bits: Vec<u8> = ids.iter().flat_map(|&id| [0, id]).collect();
    let grey_rgb: Vec<u8> = ids.iter().flat_map(|&id| [id; 3]).collect();
    let odd: Vec<u8> = (0..=255).flat_map(|index| [index, 2, 3]).collect();
    let expected = expected();
    for bytes in [
        grey(&ids),
        indexed(&ids, &odd),
        file(ColorType::Grayscale, BitDepth::Sixteen, None, &of_16_bits),
        file(ColorType::Rgb, BitDepth::Eight, None, &grey_rgb),
    ] {
        for kind in [LabelKind::PaletteIds, LabelKind::LabelIds] {
            let Read { prepared, .. } = read(&bytes, kind, Some(&table));
            assert_eq!(prepared.label, expected.label);
            assert_eq!(prepared.warnings, []);
        }
    }
    let tags = file(
        ColorType::Rgba,
        BitDepth::Eight,
        None,
        &in_first_channel(&ids, &[1, 2, 255]),
    );
    let Read { prepared, .. } = read(&tags, LabelKind::CarlaTags, Some(&table));
    assert_eq!(
        prepared.label, expected.label,
        "the table takes the place of CARLA's"
    );
}

#[test]
fn a_table_of_colours_says_the_classes_of_colours_and_of_those_of_a_palette() {
    let own = |train_id: u8| [train_id, 255 - train_id, 77];
    let written = (0..19).map(|train_id: u8| {
        let [red, green, blue] = own(train_id);
        let class = CLASSES[usize::from(train_id)].name;
        (format!("#{red:02x}{green:02x}{blue:02x}"), class.to_owned())
    });
    let written: Vec<(String, String)> = written
        .chain([("0,0,0".to_owned(), "ignore".to_owned())])
        .collect();
    let written = written.iter();
    let table = ClassTable::new(written.map(|(label, class)| (label.as_str(), class.as_str())));
    let table = table.unwrap();
    let colour = |train_id: u8| match train_id {
        UNKNOWN => [0; 3],
        train_id => own(train_id),
    };
    let colours: Vec<[u8; 3]> = train_ids().into_iter().map(colour).collect();
    let with_alpha: Vec<u8> = colours.iter().flat_map(|&[r, g, b]| [r, g, b, 9]).collect();
    let palette: Vec<u8> = (0..=UNKNOWN).flat_map(colour).collect();
    let expected = expected();
    for bytes in [
        file(ColorType::Rgb, BitDepth::Eight, None, &colours.concat()),
        file(ColorType::Rgba, BitDepth::Eight, None, &with_alpha),
        indexed(&train_ids(), &palette),
    ] {
        let Read { prepared, .. } = read(&bytes, LabelKind::Colour, Some(&table));
        assert_eq!(prepared.label, expected.label);
        assert_eq!(prepared.warnings, []);
    }
}

#[test]
fn what_a_table_does_not_name_is_unlabelled_and_told_unless_it_is_to_be_ignored() {
    let ids: Vec<u8> = as_ids(|train_id| train_id + 1);
    let table = |labels: &[(&str, &str)]| ClassTable::new(labels.iter().copied()).unwrap();
    let of_road = table(&[("1", "road")]);
    let Read { prepared, .. } = read(&grey(&ids), LabelKind::LabelIds, Some(&of_road));
    let expected = expected().label;
    let of_road = expected.mapv(|id| if id == 0 { 0 } else { UNKNOWN });
    assert_eq!(prepared.label, of_road);
    let [told] = prepared.warnings.as_slice() else {
        panic!("{:?}", prepared.warnings);
    };
    for words in [
        "labels/a.png",
        "does not name",
        "such as id 0",
        "\"ignore\"",
    ] {
        assert!(told.text.contains(words), "no {words:?}: {}", told.text);
    }
    let rest: Vec<String> = (0..=19)
        .filter(|&id| id != 1)
        .map(|id: u8| id.to_string())
        .collect();
    let rest = rest.iter().map(|id| (id.as_str(), "ignore"));
    let labels: Vec<(&str, &str)> = rest.chain([("1", "0")]).collect();
    let Read { prepared, .. } = read(&grey(&ids), LabelKind::LabelIds, Some(&table(&labels)));
    assert_eq!((prepared.label, prepared.warnings), (of_road, vec![]));
}

#[test]
fn labels_that_a_table_cannot_be_applied_to_are_refused_by_name() {
    let ids = table_of_ids(|train_id| train_id + 1);
    let none = ClassTable::new([("77", "road")]).unwrap();
    let colours = file(ColorType::Rgb, BitDepth::Eight, None, &rgb(&label_ids()));
    let instances: Vec<u8> = label_ids().iter().flat_map(|&id| [id, 1]).collect();
    let instances = file(ColorType::Grayscale, BitDepth::Sixteen, None, &instances);
    let grey = grey(&label_ids());
    for (bytes, classes, words) in [
        (
            &colours,
            Some(&ids),
            ["8-bit RGB that is not grey", "expected ids in one channel"],
        ),
        (
            &instances,
            Some(&ids),
            ["16-bit greyscale", "8 bits do not hold"],
        ),
        (
            &grey,
            Some(&none),
            ["none of the 19 Cityscapes classes", "table of classes"],
        ),
        (
            &grey,
            None,
            [
                "labels/a.png is read by a table of classes",
                "plan it again",
            ],
        ),
    ] {
        let reading = LabelReading::promised(LabelKind::LabelIds).by_table(Some(TableOf::Ids));
        let error = prepare_by(&input("00001.png"), bytes, reading, classes).unwrap_err();
        let told = chain(&error);
        assert!(told.starts_with("labels/a.png "), "{told}");
        for words in words {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
    }
}
