//! The contact sheet of a run, with what was compared.

use std::fs;
use std::process::Stdio;

use coordinator::output::contact_sheet;
use coordinator::run::freeze;
use image::RgbImage;
use shared::storage::LocalStorage;
use tests::program::unread_pipe;
use tests::project::{Project, RUN, STYLES};

use crate::{USAGE, command, compare, project};

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

/// What is asked for in most of these tests.
const ASKED: [&str; 3] = ["--contact-sheet", "--vary", "method=reinhard,identity"];

/// Draws the contact sheet of a project's run as `run` does and as `compare` does.
async fn drawn(project: &Project) -> (Option<String>, Result<Option<String>, String>) {
    let storage = LocalStorage::new(project.path("out"));
    let run = RUN.parse().expect("it names a run");
    let run = freeze::open(&storage, &run).await.expect("it is there");
    let made = contact_sheet::make(&storage, &run).await;
    let beside = contact_sheet::make_beside(&storage, &run, &[]).await;
    (made, beside.map_err(|error| error.to_string()))
}

#[tokio::test]
async fn a_dataset_that_is_away_leaves_the_contact_sheet_as_it_was_and_a_damaged_input_a_blank_tile()
 {
    let project = project(2, 2);
    let _ = project.run().exits(0);
    let path = project.stored("contact-sheet.png");
    let whole = fs::read(&path).unwrap();
    for folder in ["gta5", "style"] {
        let (there, elsewhere) = (project.path(folder), project.path("elsewhere"));
        fs::rename(&there, &elsewhere).unwrap();
        let (made, beside) = drawn(&project).await;
        assert_eq!(made, None, "{folder}");
        let error = beside.unwrap_err();
        assert!(error.contains(folder), "{error}");
        assert_eq!(fs::read(&path).unwrap(), whole, "{folder}");
        fs::rename(&elsewhere, &there).unwrap();
    }
    fs::remove_file(project.path("gta5/images/00002.png")).unwrap();
    let (made, _) = drawn(&project).await;
    assert!(made.is_some());
    let sheet = image::open(&path).unwrap().into_rgb8();
    let is_blank = |row| {
        tile(&sheet, 0, row)
            .pixels()
            .all(|pixel| pixel.0 == [255; 3])
    };
    assert_eq!([1, 2].map(is_blank), [false, true]);
}

#[test]
fn an_output_that_is_cut_short_is_named_and_the_sheet_is_drawn_without_it() {
    let project = project(2, 1);
    let _ = project.run().exits(0);
    let image = format!("images/{}/00001.png", STYLES[0]);
    let bytes = fs::read(project.stored(&image)).unwrap();
    fs::write(project.stored(&image), &bytes[..bytes.len() / 2]).unwrap();
    let outcome = compare(&project, &ASKED).exits(0);
    assert!(outcome.stdout.contains("contact sheet "), "{outcome}");
    let told = outcome.stderr.matches("a picture is left out").count();
    assert_eq!(told, 1, "{outcome}");
    assert!(outcome.stderr.contains(&image), "{outcome}");
}

#[test]
fn the_contact_sheet_is_drawn_whoever_reads_what_is_printed() {
    let project = project(2, 1);
    let _ = project.run().exits(0);
    let path = project.stored("contact-sheet.png");
    let alone = fs::read(&path).unwrap();
    let mut command = command(&project, &ASKED);
    let command = command.stdin(Stdio::null()).stdout(unread_pipe());
    let ended = command.stderr(Stdio::null()).status().unwrap();
    assert_eq!(ended.code(), Some(141));
    assert_ne!(fs::read(&path).unwrap(), alone);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_sheet_that_was_drawn_and_not_told_is_told_by_the_next_comparison() {
    let project = project(2, 1);
    let _ = project.run().exits(0);
    let report = project.stored("report.json");
    let before = fs::read(&report).unwrap();
    let _ = compare(&project, &ASKED).exits(0);
    // As it is after a crash between the two.
    fs::write(&report, before).unwrap();
    let _ = project.about_run(&["audit"]).exits(1);
    let _ = compare(&project, &ASKED).exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}
