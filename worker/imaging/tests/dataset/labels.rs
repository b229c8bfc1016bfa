//! Labels are what their pixels say, in every layout and command.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use imaging::{
    InputError, LabelFile, NamedBytes, Prepared, count_classes, id_evidence, label_kind_of_file,
};
use png::{BitDepth, ColorType};
use shared::dataset::classes::{CLASSES, UNKNOWN, train_id_of_label_id};
use shared::dataset::{IdKind, LabelKind, LabelReading};
use shared::warning::WarningKind;

use crate::files::{chain, input, prepare_as, prepare_bytes};

const SIDES: (u32, u32) = (480, 264);

const KINDS: [LabelKind; 4] = [
    LabelKind::PaletteIds,
    LabelKind::LabelIds,
    LabelKind::TrainIds,
    LabelKind::Colour,
];

/// A label file under the name of what it is.
struct Encoded {
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether it names the classes by colours alone, whose edges are blended when they are resized.
    is_blended: bool,
    /// Promises that it keeps, so that nothing needs to be said.
    keeps: &'static [LabelKind],
}

/// Returns label ids of a scene, some of them unlabelled.
fn label_ids() -> Vec<u8> {
    let mut decoder = png::Decoder::new(Cursor::new(input("00001_label.png")))
        .read_info()
        .unwrap();
    let mut ids = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.next_frame(&mut ids).unwrap();
    ids[..40 * 480].fill(0);
    ids
}

fn colour(label_id: u8) -> [u8; 3] {
    let class = CLASSES.iter().find(|class| class.label_id == label_id);
    class.map_or([0; 3], |class| class.colour)
}

fn grey(levels: &[u8]) -> Vec<u8> {
    file(ColorType::Grayscale, BitDepth::Eight, None, levels)
}

fn rgb(label_ids: &[u8]) -> Vec<u8> {
    label_ids.iter().flat_map(|&id| colour(id)).collect()
}

fn file(colour: ColorType, depth: BitDepth, palette: Option<&[u8]>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDES.0, SIDES.1);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

fn indexed(indices: &[u8], palette: &[u8]) -> Vec<u8> {
    file(ColorType::Indexed, BitDepth::Eight, Some(palette), indices)
}

/// Returns the palette of an index for each label id.
fn palette_of(index_of: impl Fn(u8) -> Option<u8>) -> Vec<u8> {
    let mut palette = vec![0; 3 * 256];
    for label_id in 0..=33 {
        if let Some(index) = index_of(label_id) {
            let at = 3 * usize::from(index);
            palette[at..at + 3].copy_from_slice(&colour(label_id));
        }
    }
    palette
}

/// One scene in every encoding that labels come in.
fn encodings() -> Vec<Encoded> {
    const IDS: &[LabelKind] = &[LabelKind::PaletteIds, LabelKind::LabelIds];
    const BOTH: &[LabelKind] = &[
        LabelKind::PaletteIds,
        LabelKind::LabelIds,
        LabelKind::Colour,
    ];
    const TRAIN: &[LabelKind] = &[LabelKind::TrainIds];
    const COLOURS: &[LabelKind] = &[LabelKind::Colour];
    let ids = label_ids();
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let train_id = |id| Some(train_id_of_label_id(id)).filter(|&id| id != UNKNOWN);
    let mut used = ids.clone();
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
    let spread: Vec<u8> = ids.iter().flat_map(|&id| [id, id]).collect();
    let wide: Vec<u8> = ids.iter().flat_map(|&id| [0, id]).collect();
    let thrice: Vec<u8> = ids.iter().flat_map(|&id| [id; 3]).collect();
    let with_alpha: Vec<u8> = ids.iter().flat_map(|&id| [id, 255]).collect();
    let colours = rgb(&ids);
    let deep_colours: Vec<u8> = colours.iter().flat_map(|&level| [level, level]).collect();
    let rgba: Vec<u8> = ids
        .iter()
        .flat_map(|&id| {
            let [red, green, blue] = colour(id);
            [red, green, blue, 255]
        })
        .collect();
    let ramp: Vec<u8> = (0..=255).flat_map(|level| [level; 3]).collect();
    let encoded = |name, bytes, keeps| Encoded {
        name,
        bytes,
        is_blended: false,
        keeps,
    };
    let blended = |name, bytes| Encoded {
        name,
        bytes,
        is_blended: true,
        keeps: COLOURS,
    };
    let eight = BitDepth::Eight;
    let sixteen = BitDepth::Sixteen;
    let of_train_ids = palette_of(train_id);
    let of_positions = palette_of(position);
    vec![
        encoded("palette", indexed(&ids, &palette_of(Some)), BOTH),
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
        encoded("grey ramp as palette", indexed(&ids, &ramp), IDS),
        encoded("grey label ids", grey(&ids), IDS),
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
        encoded("grey train ids", grey(&train_ids), TRAIN),
        blended("RGB", file(ColorType::Rgb, eight, None, &colours)),
        blended("RGBA", file(ColorType::Rgba, eight, None, &rgba)),
        blended(
            "RGB of 16 bits",
            file(ColorType::Rgb, sixteen, None, &deep_colours),
        ),
    ]
}

fn prepared(bytes: &[u8], kind: LabelKind) -> Result<Prepared, InputError> {
    prepare_bytes(&input("00001.png"), bytes, kind)
}

/// Returns the classes that a reader of `kind` finds in a stored label.
fn classes_as(kind: LabelKind, stored: &[u8]) -> Vec<u8> {
    let mut decoder = png::Decoder::new(Cursor::new(stored)).read_info().unwrap();
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.next_frame(&mut pixels).unwrap();
    let colour_type = decoder.info().color_type;
    match kind {
        LabelKind::PaletteIds | LabelKind::LabelIds => {
            assert!(matches!(
                colour_type,
                ColorType::Indexed | ColorType::Grayscale
            ));
            pixels.into_iter().map(train_id_of_label_id).collect()
        }
        LabelKind::TrainIds => {
            assert!(matches!(
                colour_type,
                ColorType::Indexed | ColorType::Grayscale
            ));
            pixels
        }
        LabelKind::Colour => {
            assert_eq!(colour_type, ColorType::Rgb);
            let class = |pixel: &[u8]| CLASSES.iter().position(|class| class.colour == *pixel);
            let classes = pixels.chunks_exact(3).map(class);
            classes
                .map(|id| id.map_or(UNKNOWN, |id| id as u8))
                .collect()
        }
    }
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
            counts.push(count_classes(LabelFile { file, reading }).unwrap());
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

fn encoded_by(format: ImageFormat, image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn a_label_of_which_it_cannot_be_told_what_it_shows_is_refused_with_what_decides() {
    let ids = label_ids();
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let without_255: Vec<u8> = train_ids.iter().map(|&id| id.min(18)).collect();
    let odd: Vec<u8> = (0..=255_u8)
        .flat_map(|index| [index.wrapping_mul(37), index.wrapping_mul(91), 3])
        .collect();
    let luminances: Vec<u8> = ids
        .iter()
        .map(|&id| (colour(id).map(u32::from).iter().sum::<u32>() / 3) as u8)
        .collect();
    let instances: Vec<u8> = ids
        .iter()
        .flat_map(|&id| (u16::from(id) * 1000 + 1).to_be_bytes())
        .collect();
    let image = RgbImage::from_raw(SIDES.0, SIDES.1, rgb(&ids)).unwrap();
    let blurred = DynamicImage::ImageRgb8(image.clone());
    let jpeg = encoded_by(ImageFormat::Jpeg, &blurred);
    let once_a_jpeg = image::load_from_memory(&jpeg).unwrap();
    let once_a_jpeg = encoded_by(ImageFormat::Png, &once_a_jpeg);
    let bgr: Vec<u8> = rgb(&ids)
        .chunks_exact(3)
        .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]])
        .collect();
    let black = vec![0; 3 * 256];
    let label_palette = palette_of(Some);
    for (what, bytes, words) in [
        (
            "label ids with odd colours",
            indexed(&ids, &odd),
            ["index 7 has the colour", "labels = \"label-ids\""],
        ),
        (
            "label ids in black",
            indexed(&ids, &black),
            ["has the colour 0,0,0", "not that of road"],
        ),
        (
            "train ids with the palette of label ids",
            indexed(&train_ids, &label_palette),
            ["255 is none", "\"train-ids\""],
        ),
        (
            "train ids without 255",
            grey(&without_255),
            ["label ids as well as train ids", "--content-labels"],
        ),
        (
            "luminances",
            grey(&luminances),
            ["level", "no class colour"],
        ),
        (
            "instance ids",
            file(ColorType::Grayscale, BitDepth::Sixteen, None, &instances),
            ["16-bit greyscale", "8 bits do not hold"],
        ),
        (
            "colours that were a JPEG",
            once_a_jpeg,
            ["% of its pixels", "not those of Cityscapes"],
        ),
        (
            "red and blue exchanged",
            file(ColorType::Rgb, BitDepth::Eight, None, &bgr),
            ["red and blue exchanged", "\"colour\""],
        ),
        ("a JPEG", jpeg, ["is a JPEG file", "expected a PNG"]),
        (
            "a TIFF",
            encoded_by(ImageFormat::Tiff, &blurred),
            ["is a TIFF file", "expected a PNG"],
        ),
    ] {
        let kind = LabelKind::PaletteIds;
        let error = match prepared(&bytes, kind) {
            Ok(found) => panic!("{what} was read: {:?}", found.warnings),
            Err(error) => chain(&error),
        };
        assert!(error.starts_with("labels/a.png is "), "{what}: {error}");
        for word in words {
            assert!(error.contains(word), "{what}: no {word:?} in: {error}");
        }
        // Rare-class sampling counts no classes of it either.
        let file = NamedBytes {
            name: "labels/a.png",
            bytes: &bytes,
        };
        let reading = LabelReading::promised(kind);
        assert!(
            count_classes(LabelFile { file, reading }).is_err(),
            "{what}"
        );
    }
}

#[test]
fn what_the_settings_state_is_not_questioned() {
    let ids = label_ids();
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let without_255: Vec<u8> = train_ids.iter().map(|&id| id.min(18)).collect();
    let odd: Vec<u8> = (0..=255).flat_map(|index| [index, 2, 3]).collect();
    let image = input("00001.png");
    let label_ids = prepared(&grey(&ids), LabelKind::LabelIds).unwrap().label;
    for (bytes, kind) in [
        (indexed(&ids, &odd), LabelKind::PaletteIds),
        (indexed(&ids, &odd), LabelKind::LabelIds),
        (indexed(&train_ids, &odd), LabelKind::TrainIds),
        (indexed(&train_ids, &palette_of(Some)), LabelKind::TrainIds),
    ] {
        let found = prepare_as(&image, &bytes, LabelReading::stated(kind)).unwrap();
        assert_eq!(found.label, label_ids, "{kind:?}");
        assert_eq!(found.warnings, []);
        // As it came: who states what files are reads them so.
        let classes = label_ids.clone().into_raw_vec_and_offset().0;
        assert_eq!(classes_as(kind, &found.stored_label.unwrap()), classes);
    }
    let stated = LabelReading::stated(LabelKind::TrainIds);
    let found = prepare_as(&image, &grey(&without_255), stated).unwrap();
    assert!(found.label.iter().all(|&train_id| train_id <= 18));

    for (bytes, kind) in [
        (grey(&ids), LabelKind::PaletteIds),
        (grey(&ids), LabelKind::Colour),
        (
            file(ColorType::Rgb, BitDepth::Eight, None, &rgb(&ids)),
            LabelKind::TrainIds,
        ),
    ] {
        let error = prepare_as(&image, &bytes, LabelReading::stated(kind)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("expected"), "{error}");
    }
}

#[test]
fn smooth_edges_are_told_and_are_of_no_class() {
    let colours = RgbImage::from_raw(SIDES.0, SIDES.1, rgb(&label_ids())).unwrap();
    let half = image::imageops::resize(&colours, 240, 132, image::imageops::FilterType::Triangle);
    let smooth = image::imageops::resize(&half, 480, 264, image::imageops::FilterType::Nearest);
    let bytes = encoded_by(ImageFormat::Png, &DynamicImage::ImageRgb8(smooth));
    let found = prepared(&bytes, LabelKind::Colour).unwrap();
    let [warning] = found.warnings.as_slice() else {
        panic!("{:?}", found.warnings);
    };
    assert!(
        warning.text.contains("% of its pixels are neither"),
        "{warning}"
    );
    assert!(found.label.iter().any(|&train_id| train_id == UNKNOWN));
}

#[test]
fn labels_that_are_no_classes_agree_with_their_colours() {
    // License plates share the colour of cars, pole groups that of poles, and void labels have colours of their own.
    let mut ids = label_ids();
    for (row, id) in [34, 18, 4, 5, 6, 9, 10, 14, 15, 16, 29, 30]
        .into_iter()
        .enumerate()
    {
        ids[480 * row..480 * (row + 1)].fill(id);
    }
    let mut palette = palette_of(Some);
    for (id, colour) in [
        (34, [0, 0, 142]),
        (18, [153; 3]),
        (4, [20; 3]),
        (5, [111, 74, 0]),
        (6, [81, 0, 81]),
        (9, [250, 170, 160]),
    ] {
        palette[3 * id..3 * id + 3].copy_from_slice(&colour);
    }
    let found = prepared(&indexed(&ids, &palette), LabelKind::PaletteIds).unwrap();
    assert_eq!(found.warnings, []);
    let levels = prepared(&grey(&ids), LabelKind::LabelIds).unwrap();
    assert_eq!(found.label, levels.label);
    assert_eq!(levels.warnings, []);
}

#[test]
fn ids_that_look_alike_are_what_was_promised() {
    // Road and car as train ids are unlabelled and a fence as label ids; nothing else occurs.
    let levels: Vec<u8> = (0..SIDES.0 * SIDES.1)
        .map(|at| if at % 2 == 0 { 7 } else { 11 })
        .collect();
    let image = GrayImage::from_raw(SIDES.0, SIDES.1, levels).unwrap();
    let bytes = encoded_by(ImageFormat::Png, &DynamicImage::ImageLuma8(image));
    for (kind, expected) in [
        (LabelKind::LabelIds, [0, 2]),
        (LabelKind::PaletteIds, [0, 2]),
        (LabelKind::TrainIds, [7, 11]),
    ] {
        let found = prepared(&bytes, kind).unwrap();
        // Levels are not what a palette is, so there may be more that is not as promised.
        assert_eq!(
            found.warnings.len(),
            usize::from(kind == LabelKind::PaletteIds)
        );
        assert!(
            found.label.iter().all(|id| expected.contains(id)),
            "{kind:?}"
        );
    }
}

#[test]
fn levels_that_could_be_both_are_what_other_labels_of_the_dataset_are() {
    let image = input("00001.png");
    let of = |levels: [u8; 4]| -> Vec<u8> {
        (0..SIDES.0 * SIDES.1)
            .map(|at| levels[at as usize % 4])
            .collect()
    };
    // Classes of both kinds; and 255, which a label of either kind may have.
    for levels in [[0, 8, 11, 13], [8, 11, 13, 255]] {
        for (kind, others) in [
            (LabelKind::PaletteIds, IdKind::TrainIds),
            (LabelKind::LabelIds, IdKind::TrainIds),
            (LabelKind::PaletteIds, IdKind::LabelIds),
            (LabelKind::TrainIds, IdKind::LabelIds),
        ] {
            let reading = LabelReading {
                look_alikes: Some(others),
                ..LabelReading::promised(kind)
            };
            let found = prepare_as(&image, &grey(&of(levels)), reading).unwrap();
            let stated = LabelReading::stated(match others {
                IdKind::LabelIds => LabelKind::LabelIds,
                IdKind::TrainIds => LabelKind::TrainIds,
            });
            let expected = prepare_as(&image, &grey(&of(levels)), stated).unwrap();
            assert!(found.label == expected.label, "{kind:?} {others:?}");
            let is_promised = (kind == LabelKind::TrainIds) == (others == IdKind::TrainIds);
            let told: Vec<&str> = found.warnings.iter().map(|it| it.text.as_str()).collect();
            assert_eq!(told.is_empty(), is_promised, "{told:?}");
            let says_why = |text: &&str| text.contains("other labels of the dataset are");
            assert!(told.iter().all(says_why), "{told:?}");
        }
    }
    // What tells by itself is believed, whatever the others are.
    let others = LabelReading {
        look_alikes: Some(IdKind::TrainIds),
        ..LabelReading::promised(LabelKind::LabelIds)
    };
    let ids = label_ids();
    let found = prepare_as(&image, &grey(&ids), others).unwrap();
    let expected = prepared(&grey(&ids), LabelKind::LabelIds).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn a_label_tells_of_its_dataset_what_it_could_not_be_otherwise() {
    let ids = label_ids();
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let evidence = |bytes: &[u8]| {
        let found = id_evidence(NamedBytes {
            name: "labels/a.png",
            bytes,
        });
        (found.has_levels, found.ids)
    };
    assert_eq!(evidence(&grey(&ids)), (true, Some(IdKind::LabelIds)));
    assert_eq!(evidence(&grey(&train_ids)), (true, Some(IdKind::TrainIds)));
    let palette: Vec<u8> = (0..=255).flat_map(colour).collect();
    let of_label_ids = evidence(&indexed(&ids, &palette));
    assert_eq!(of_label_ids, (false, Some(IdKind::LabelIds)));
    let both: Vec<u8> = ids.iter().map(|id| [8, 11][usize::from(id % 2)]).collect();
    assert_eq!(evidence(&grey(&both)), (true, None));
    let colours = file(ColorType::Rgb, BitDepth::Eight, None, &rgb(&ids));
    assert_eq!(evidence(&colours), (false, None));
    assert_eq!(evidence(b"no label"), (false, None));
}

#[test]
fn a_label_of_another_kind_than_the_run_stores_is_stored_as_that_kind_and_told() {
    let ids = label_ids();
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let plain = prepared(&grey(&ids), LabelKind::LabelIds).unwrap();
    let classes_of = |stored: Option<Vec<u8>>| classes_as(LabelKind::LabelIds, &stored.unwrap());
    let expected = classes_of(plain.stored_label);
    let colours = file(ColorType::Rgb, BitDepth::Eight, None, &rgb(&ids));
    for (bytes, kind) in [
        (grey(&train_ids), LabelKind::TrainIds),
        (colours, LabelKind::Colour),
    ] {
        let own = LabelReading::promised(kind);
        let reading = own.stored_as(LabelKind::LabelIds);
        let found = prepare_as(&input("00001.png"), &bytes, reading).unwrap();
        let alone = prepare_as(&input("00001.png"), &bytes, own).unwrap();
        assert_eq!(found.label, alone.label, "it is read as it is");
        assert_eq!(classes_of(found.stored_label), expected, "{kind:?}");
        let [told] = found.warnings.as_slice() else {
            panic!("{kind:?}: {:?}", found.warnings);
        };
        assert_eq!(told.kind, WarningKind::LabelEncoding);
        let words = format!("labels/a.png is one of {kind} and is stored as label-ids");
        assert!(told.text.contains(&words), "{}", told.text);
    }
}

#[test]
fn levels_that_look_alike_where_none_were_promised_are_told_with_what_decides() {
    let levels: Vec<u8> = (0..SIDES.0 * SIDES.1)
        .map(|at| [0, 8, 11, 13][at as usize % 4])
        .collect();
    for (kind, is_told) in [
        (LabelKind::PaletteIds, true),
        (LabelKind::Colour, true),
        (LabelKind::LabelIds, false),
        (LabelKind::TrainIds, false),
    ] {
        let found = prepared(&grey(&levels), kind).unwrap();
        let told: Vec<&str> = found.warnings.iter().map(|it| it.text.as_str()).collect();
        if !is_told {
            assert!(told.is_empty(), "{kind:?}: {told:?}");
            continue;
        }
        let [told] = told.as_slice() else {
            panic!("{kind:?}: {told:?}");
        };
        assert_eq!(found.warnings[0].kind, WarningKind::LabelEncoding);
        for words in [
            "label ids as well as train ids",
            "read as label ids",
            "labels = \"label-ids\" or \"train-ids\"",
            "of a run of another name",
        ] {
            assert!(told.contains(words), "{kind:?}: {told}");
        }
    }
    for (kind, levels) in [(LabelKind::LabelIds, 8), (LabelKind::TrainIds, 13)] {
        let stated = LabelReading::stated(kind);
        let bytes = grey(&vec![levels; (SIDES.0 * SIDES.1) as usize]);
        let found = prepare_as(&input("00001.png"), &bytes, stated).unwrap();
        assert_eq!(found.warnings, [], "{kind:?}");
    }
}

#[test]
fn levels_that_an_optimiser_made_a_palette_are_levels_again() {
    let ids = label_ids();
    let mut used = ids.clone();
    used.sort_unstable();
    used.dedup();
    used.reverse();
    let index = |id: u8| used.iter().position(|&other| other == id).unwrap() as u8;
    let indices: Vec<u8> = ids.iter().map(|&id| index(id)).collect();
    let greys: Vec<u8> = used.iter().flat_map(|&id| [id; 3]).collect();
    let bytes = indexed(&indices, &greys);
    let levels = prepared(&grey(&ids), LabelKind::LabelIds).unwrap();
    for kind in [LabelKind::PaletteIds, LabelKind::LabelIds] {
        let found = prepared(&bytes, kind).unwrap();
        assert_eq!(found.label, levels.label, "{kind:?}");
        assert_eq!(found.stored_label, levels.stored_label, "{kind:?}");
        let [told] = found.warnings.as_slice() else {
            panic!("{kind:?}: {:?}", found.warnings);
        };
        assert!(told.text.contains("greys were read as levels"), "{told}");
    }
}

#[test]
fn indices_without_a_palette_are_refused_as_damage() {
    let whole = indexed(&label_ids(), &palette_of(Some));
    let at = whole.windows(4).position(|kind| kind == b"PLTE").unwrap() - 4;
    let length = u32::from_be_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let without = [&whole[..at], &whole[at + 12 + length..]].concat();
    let error = chain(&prepared(&without, LabelKind::PaletteIds).unwrap_err());
    assert!(error.contains("no palette"), "{error}");
}
