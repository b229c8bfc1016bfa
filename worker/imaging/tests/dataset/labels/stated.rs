//! Labels whose encoding the settings state.

use png::{BitDepth, ColorType};
use shared::dataset::classes::train_id_of_label_id;
use shared::dataset::{LabelKind, LabelReading};

use super::scene::{classes_as, file, grey, indexed, label_ids, palette_of, prepared, rgb};
use crate::files::{input, prepare_as};

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
