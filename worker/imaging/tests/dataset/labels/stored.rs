//! Labels as a run stores them.

use png::{BitDepth, ColorType};
use shared::dataset::classes::train_id_of_label_id;
use shared::dataset::{LabelKind, LabelReading};
use shared::warning::WarningKind;

use super::scene::{classes_as, file, grey, label_ids, prepared, rgb};
use crate::files::{input, prepare_as};

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
