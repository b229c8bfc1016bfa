//! Levels, which may be ids of either kind.

use image::{DynamicImage, GrayImage, ImageFormat};
use imaging::{NamedBytes, id_evidence};
use png::{BitDepth, ColorType};
use shared::dataset::classes::train_id_of_label_id;
use shared::dataset::{IdKind, LabelKind, LabelReading};
use shared::warning::WarningKind;

use super::scene::{SIDES, colour, encoded_by, file, grey, indexed, label_ids, prepared, rgb};
use crate::files::{input, prepare_as};

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
