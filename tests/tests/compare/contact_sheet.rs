//! The contact sheet of a run, with what was compared.

use std::fs;

use image::RgbImage;

use crate::{USAGE, compare, project};

/// Returns a tile of a contact sheet of images of 256x128.
fn tile(sheet: &RgbImage, column: u32, row: u32) -> RgbImage {
    let (width, height) = (384, 192);
    let (left, top) = (6 + column * (width + 6), 6 + row * (height + 6));
    image::imageops::crop_imm(sheet, left, top, width, height).to_image()
}

#[test]
fn the_contact_sheet_of_a_run_shows_what_was_compared_beneath_its_own_until_it_is_run_again() {
    let mut project = project(5, 2);
    let asked = [
        "--contact-sheet",
        "--vary",
        "method=reinhard,identity",
        "--contents",
        "2",
    ];
    let words = [
        "--contact-sheet: there is no run small in",
        "`synth2real run CONFIG` goes before",
    ];
    compare(&project, &asked)
        .exits(USAGE)
        .complains_about(&words);
    assert!(project.stored_nothing());

    let _ = project.run().exits(0);
    let path = project.stored("contact-sheet.png");
    let alone = fs::read(&path).unwrap();
    let outcome = compare(&project, &asked).exits(0);
    assert!(outcome.stdout.contains("contact sheet "), "{outcome}");
    let sheet = image::open(&path).unwrap().into_rgb8();
    // A row of styles, and of both contents one of the run and one of each other.
    assert_eq!(sheet.dimensions(), (6 + 3 * 390, 6 + 7 * 198));
    for first in [1, 4] {
        let content = tile(&sheet, 0, first);
        for column in [1, 2] {
            assert_ne!(tile(&sheet, column, first), content);
            assert_ne!(tile(&sheet, column, first + 1), content);
            assert_eq!(tile(&sheet, column, first + 2), content, "identity");
        }
        // What they are called.
        let labels = [1, 2].map(|beneath| tile(&sheet, 0, first + beneath));
        let has_ink = |label: &RgbImage| label.pixels().any(|pixel| pixel.0[0] < 100);
        assert!(labels.iter().all(has_ink) && labels[0] != labels[1]);
    }
    let _ = project.about_run(&["audit"]).exits(0);

    let _ = project.run().exits(0);
    assert_eq!(fs::read(&path).unwrap(), alone);
    let _ = project.about_run(&["audit"]).exits(0);

    project.set("method.seed", 43);
    let words = [
        "run small exists and is another one",
        "method.seed was 42 and is now 43",
    ];
    compare(&project, &asked)
        .exits(USAGE)
        .complains_about(&words);
    assert_eq!(fs::read(&path).unwrap(), alone);

    // Of other inputs it is another run as well.
    project.set("method.seed", 42);
    project.set("content.range", "1..=2");
    let words = ["run small was planned with other inputs"];
    compare(&project, &asked)
        .exits(USAGE)
        .complains_about(&words);
    assert_eq!(fs::read(&path).unwrap(), alone);
}
