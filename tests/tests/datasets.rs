//! Datasets as they are downloaded, mounted and linked: what is not needed does no harm, and what is left out is
//! said.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;

use shared::manifest::Status;
use tests::images::{Picture, input};
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};
use tests::{golden_model, repository};

/// The user `nobody`, for whom modes hold where tests run as root.
const NOBODY: u32 = 65_534;

/// Returns a project whose conversions take one step without classes.
fn quick(contents: usize, styles: usize) -> Project {
    let mut project = Project::new(contents, styles);
    project.set("method.method", "adain");
    project.set("method.steps", 2);
    project.set("method.skip", 1);
    project
}

fn reference_stats(project: &Project, images: &str, arguments: &[&str]) -> Outcome {
    let mut command = synth2real();
    command.arg("reference-stats").args(arguments);
    command.arg("--images").arg(project.path(images));
    command
        .arg("--model")
        .arg(repository("infra/demo/features"));
    Outcome::of(command.arg("--out").arg(project.path("stats.npz")))
}

#[test]
fn statistics_of_a_night_of_acdc_are_those_of_its_night() {
    let project = Project::empty();
    let photograph = input("night_000001_rgb_anon.png");
    let label = input("night_000001_gt_labelColor.png");
    for frame in 1..=3 {
        let write = |folder: &str, suffix: &str, bytes: &[u8]| {
            let file = format!("night/{folder}/GP01/GP01_frame_{frame}_{suffix}.png");
            project.write(&file, bytes);
        };
        write("train", "rgb_anon", &photograph);
        write("train_ref", "rgb_ref_anon", &photograph);
        for suffix in [
            "labelColor",
            "labelIds",
            "labelTrainIds",
            "invIds",
            "invGray",
        ] {
            write("train", &format!("gt_{suffix}"), &label);
        }
    }
    project.write("night/val/GP02/GP02_frame_1_rgb_anon.png", &photograph);
    let said = reference_stats(&project, "night", &[]).exits(0).stdout;
    for words in [
        "from 4 images",
        "label pictures are left out: 15 (first: train/GP01/GP01_frame_1_gt_invGray.png)",
        "reference pictures of another condition are left out: 3 (first: train_ref/GP01/",
    ] {
        assert!(said.contains(words), "no {words:?}: {said}");
    }
    let said = reference_stats(&project, "night", &["--exclude", "**/GP02/**"]);
    assert!(said.exits(0).stdout.contains("from 3 images"));
    let outcome = reference_stats(&project, "night", &["--include", "val/**"]).exits(2);
    outcome.complains_about(&["1 photograph with --include (val/**)", "at least two"]);
}

#[test]
fn cityscapes_with_its_test_split_is_converted_at_the_default_limit() {
    let mut project = quick(0, 1);
    project.set("content.layout", "cityscapes");
    project.set("limits.max_failed", 0.05);
    let image = input("00001.png");
    let ids = Picture::input("00001_label.png").without_palette();
    let none = ids.clone().mapped(|_| 0).encode();
    let ids = ids.encode();
    let write = |at: &str, label: &[u8]| {
        project.write(&format!("gta5/leftImg8bit/{at}_leftImg8bit.png"), &image);
        project.write(&format!("gta5/gtFine/{at}_gtFine_labelIds.png"), label);
    };
    write("train/aachen/aachen_1", &ids);
    for number in 1..=3 {
        write(&format!("test/berlin/berlin_{number}"), &none);
    }
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("1 of 1 images done"), "{outcome}");
    for words in ["3 pictures of the test split", "content.split"] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
}

#[test]
fn photographs_without_labels_are_styles_of_methods_that_use_none() {
    let mut project = quick(1, 0);
    project.write(
        "style/images/evening.png",
        &input("night_000001_rgb_anon.png"),
    );
    // A label that would be refused is not looked at.
    project.write("style/labels/evening.png", b"");
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("contact sheet"), "{outcome}");
    let row = project.row("00001", "evening");
    assert_eq!((row.status, row.warning), (Status::Done, None));
    let sheet = Picture::decode(&fs::read(project.stored("contact-sheet.png")).unwrap());
    // The style's tile is above the output's: not blank.
    let pixel = |column: u32, row: u32| {
        let at = 3 * (row * sheet.width + column) as usize;
        sheet.bytes[at..at + 3].to_vec()
    };
    let (column, row) = (sheet.width * 3 / 4, sheet.height / 4);
    assert_ne!(
        pixel(column, row),
        pixel(sheet.width / 4, row),
        "the style is not shown"
    );
    let _ = project.about_run(&["report"]).exits(0);
    let _ = project.about_run(&["audit"]).exits(0);

    project.set("run.name", "by-class");
    project.set("method.method", "cactif");
    project.set("method.class_adain_steps", "0..");
    fs::remove_file(project.path("style/labels/evening.png")).unwrap();
    let outcome = project.run().exits(2);
    outcome.complains_about(&[
        "none of 1 picture below",
        "has a label",
        "first: images/evening.png",
    ]);
    project.add_style(STYLES[0], STYLES[0]);
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("1 of 1 images done"), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("1 picture has no label and is left out"),
        "{outcome}"
    );
}

#[test]
fn transfer_asks_for_labels_only_where_they_are_used() {
    let project = quick(1, 1);
    let transfer = |arguments: &[&str]| {
        let mut command = synth2real();
        command.arg("transfer").arg("--model").arg(golden_model());
        for (option, file) in [
            ("--content", "gta5/images/00001.png"),
            ("--style", "style/images/night_000001_rgb_anon.png"),
            ("--out", "out.png"),
        ] {
            command.arg(option).arg(project.path(file));
        }
        Outcome::of(
            command
                .args(["--set", "steps=2", "--set", "skip=1"])
                .args(arguments),
        )
    };
    let out = || fs::read(project.path("out.png")).unwrap();
    let label = project.path("gta5/labels/00001.png").display().to_string();
    let labelled = ["--content-label", &label];
    let _ = transfer(&["--set", "method=adain"]).exits(0);
    let without = out();
    let _ = transfer(&[&labelled[..], &["--set", "method=adain"]].concat()).exits(0);
    assert!(out() == without, "the label is of no use to it");
    let cacti = ["--set", "method=cacti", "--set", "class_adain_steps=0.."];
    let outcome = transfer(&cacti).exits(2);
    outcome.complains_about(&["--content-label", "cacti"]);
    let outcome = transfer(&[&labelled[..], &cacti].concat()).exits(2);
    outcome.complains_about(&["--style-label", "cacti"]);
}

/// Returns how a run ends of a user whom modes concern.
fn run_as_nobody(project: &Project) -> Outcome {
    let mut command = project.run_command();
    command.env("HOME", project.path(""));
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id == b"0\n" {
        command.uid(NOBODY).gid(NOBODY);
    }
    Outcome::of(&mut command)
}

fn set_mode(project: &Project, path: &str, mode: u32) {
    fs::set_permissions(project.path(path), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_cannot_be_read_matters_only_where_it_is_needed() {
    let mut project = quick(1, 1);
    let cache = project.path("cache").display().to_string();
    project.set("engine.cache_dir", cache);
    for folder in ["out", "cache"] {
        fs::create_dir(project.path(folder)).unwrap();
        set_mode(&project, folder, 0o777);
    }
    set_mode(&project, "", 0o755);
    for folder in [
        "gta5/lost+found",
        "gta5/images/lost+found",
        "gta5/videos",
        "style/lost+found",
    ] {
        fs::create_dir(project.path(folder)).unwrap();
        set_mode(&project, folder, 0o000);
    }
    let _ = run_as_nobody(&project).exits(0);

    project.set("content.exclude", "images/private/**");
    fs::create_dir(project.path("gta5/images/private")).unwrap();
    set_mode(&project, "gta5/images/private", 0o000);
    let outcome = run_as_nobody(&project).exits(0);
    assert!(!outcome.stderr.contains("matches nothing"), "{outcome}");

    project.set("run.name", "other");
    set_mode(&project, "gta5/labels", 0o000);
    let outcome = run_as_nobody(&project);
    set_mode(&project, "gta5/labels", 0o755);
    outcome
        .exits(3)
        .complains_about(&["gta5/labels", "not permitted", "owner and mode"]);
}

#[test]
fn links_upwards_in_a_dataset_end() {
    let project = quick(1, 1);
    for (folder, link) in [
        ("gta5", "up"),
        ("gta5/images", "up"),
        ("gta5/images", "up too"),
        ("style/labels", "up"),
    ] {
        symlink("..", project.path(folder).join(link)).unwrap();
    }
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("1 of 1 images done"), "{outcome}");
}
