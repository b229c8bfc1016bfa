//! Pixels of no class: smooth edges, and labels that no class has.

use image::{DynamicImage, ImageFormat, RgbImage};
use shared::dataset::LabelKind;
use shared::dataset::classes::UNKNOWN;

use super::scene::{SIDES, encoded_by, grey, indexed, label_ids, palette_of, prepared, rgb};

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
