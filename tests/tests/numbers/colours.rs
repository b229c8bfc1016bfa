//! Frames of one colour are done with a warning, and what a model makes of others has none.

use std::fs::{self, File};

use ndarray::Array2;
use serde_json::Value;
use shared::manifest::Status;
use shared::warning::WarningKind;
use tests::images::{Picture, input};
use tests::program::Outcome;
use tests::project::{Project, STYLES};
use tests::{golden, golden_model};

use super::command::transfer_of;

fn plain(level: u8) -> impl Fn(Picture) -> Picture {
    move |picture| picture.mapped(|_| level)
}

#[test]
fn frames_of_one_colour_are_done_with_a_warning_that_is_counted() {
    let mut project = Project::new(1, 1);
    for (name, level) in [("black", 0), ("white", 255), ("grey", 119)] {
        project.add_content(name, plain(level), |label| label);
    }
    project.add_content(
        "almost-black",
        |mut picture| {
            for (i, byte) in picture.bytes.iter_mut().enumerate() {
                *byte = (i * 31 % 7) as u8;
            }
            picture
        },
        |label| label,
    );
    project.set("shards.contents", 2);
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
    let counted = "done with a warning (4): constant-content";
    assert!(outcome.stdout.contains(counted), "{outcome}");
    assert_eq!(project.row("00001", STYLES[0]).warning, None);
    for (content, colour) in [
        ("black", "black rgb(0, 0, 0)"),
        ("white", "white rgb(255, 255, 255)"),
        ("grey", "rgb(119, 119, 119)"),
        ("almost-black", "rgb(3, 3, 3)"),
    ] {
        let row = project.row(content, STYLES[0]);
        assert_eq!(row.status, Status::Done);
        assert!(
            row.warning_kinds.contains(&WarningKind::ConstantContent),
            "{row:?}"
        );
        let warning = row.warning.unwrap();
        assert!(
            warning.contains(content) && warning.contains(colour),
            "{warning}"
        );
    }
    for command in [&["status"][..], &["report"]] {
        let outcome = project.about_run(command).exits(0);
        assert!(outcome.stdout.contains(counted), "{outcome}");
    }
    let json = project.about_run(&["status", "--json"]).exits(0);
    let status: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(status["warnings"]["constant-content"], 4);
    let page = project.path("report.html");
    let _ = project
        .about_run(&["report", "--html", page.to_str().unwrap()])
        .exits(0);
    assert!(fs::read_to_string(page).unwrap().contains(counted));

    // A later attempt that finds the images stored says the same of them.
    let before = project.rows();
    let shards = fs::read_dir(project.stored("shards")).unwrap();
    shards.for_each(|shard| fs::remove_file(shard.unwrap().path()).unwrap());
    let _ = project.run().exits(0);
    for (before, after) in before.iter().zip(project.rows()) {
        assert_eq!(
            (&before.warning, &before.quality),
            (&after.warning, &after.quality)
        );
    }
}

#[test]
fn a_style_of_one_colour_is_told_with_each_of_its_items_made_or_found() {
    let project = Project::new(2, 2);
    let file = format!("style/images/{}_rgb_anon.png", STYLES[0]);
    let black = Picture::input("night_000001_rgb_anon.png").mapped(|_| 0);
    project.write(&file, &black.encode());
    let outcome = project.run().exits(0);
    let counted = "done with a warning (2): constant-style";
    assert!(outcome.stdout.contains(counted), "{outcome}");
    let before = project.rows();
    for row in &before {
        let is_plain = row.item.style == STYLES[0];
        let kinds = &row.warning_kinds;
        assert_eq!(kinds.contains(&WarningKind::ConstantStyle), is_plain);
        let warning = row.warning.as_deref().unwrap_or_default();
        let told = warning.contains(&file) && warning.contains("shows one colour, black");
        assert_eq!(told, is_plain, "{warning}");
    }

    let shards = fs::read_dir(project.stored("shards")).unwrap();
    shards.for_each(|shard| fs::remove_file(shard.unwrap().path()).unwrap());
    let _ = project.run().exits(0);
    for (before, after) in before.iter().zip(project.rows()) {
        assert_eq!(before.warning, after.warning);
    }
}

#[test]
fn transfer_says_that_its_content_shows_one_colour() {
    let folder = tempfile::tempdir().unwrap();
    let (black, out) = (
        folder.path().join("black.png"),
        folder.path().join("out.png"),
    );
    let picture = Picture::input("00001.png").mapped(|_| 0);
    fs::write(&black, picture.encode()).unwrap();
    let mut command = transfer_of(&golden_model(), &black);
    let outcome = Outcome::of(command.arg("--out").arg(&out)).exits(0);
    let words = "black.png shows one colour, black";
    assert!(outcome.stderr.contains(words), "{outcome}");
    assert!(out.exists());
}

#[test]
fn what_the_golden_model_makes_is_in_proportion_to_its_contents() {
    for folder in [
        "adain-snow",
        "cacti-night",
        "cactif-night",
        "cactif-snow-warm",
        "paper-night",
    ] {
        let file = File::open(golden(folder).join("golden.npz")).unwrap();
        let mut npz = ndarray_npy::NpzReader::new(file).unwrap();
        let output: ndarray::Array3<u8> = npz.by_name("image_output").unwrap();
        let content = image::load_from_memory(&input("00001.png"))
            .unwrap()
            .into_rgb8();
        let (width, height) = (content.width() as usize, content.height() as usize);
        let content = Array2::from_shape_vec((height, 3 * width), content.into_raw()).unwrap();
        let content = content.into_shape_with_order((height, width, 3)).unwrap();
        let warnings = imaging::tones::warnings("00001", content.view(), output.view());
        assert_eq!(warnings, [], "{folder}");
    }
}
