//! Inputs that were added, removed, or left out by settings.

use std::fs;

use shared::failure::FailureClass;
use tests::images::Picture;
use tests::project::{Project, STYLES};

use super::fixture::refused;

#[test]
fn added_and_removed_files_are_told_with_counts_and_the_first_of_them() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    for number in 2..=14 {
        project.add_content(&format!("{number:05}"), |picture| picture, |label| label);
    }
    project.add_style(STYLES[2], STYLES[2]);
    refused(
        &project,
        &[
            "13 contents added",
            "00002, 00003",
            "and 3 more were not there when the run was planned",
            "1 style added",
            "snow_000002 was not there when the run was planned",
        ],
    );
}

#[test]
fn a_content_of_which_nothing_is_left_to_be_made_may_go() {
    let project = Project::new(2, 1);
    let bad = Picture::input("00001.png").encode();
    project.add_content("00003", |picture| picture, |label| label);
    project.write("gta5/images/00003.png", &bad[..bad.len() / 3]);
    let _ = project.run().exits(1);
    for name in ["00001", "00003"] {
        fs::remove_file(project.path(&format!("gta5/images/{name}.png"))).unwrap();
    }
    let outcome = project.run().exits(1);
    let said = "2 contents not listed any more (00001, 00003)";
    assert!(outcome.stderr.contains(said), "{outcome}");
    assert!(outcome.stdout.contains("2 of 3 images done"), "{outcome}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn no_content_may_be_left_out_by_settings_and_one_that_is_gone_is_quarantined_as_missing() {
    let mut project = Project::new(3, 1);
    project.set("shards.contents", 1);
    let _ = project.run().exits(0);
    project.set("content.range", "1..=2");
    refused(
        &project,
        &["content 00003 is there, and the settings leave it out"],
    );
    project.set("content.range", "1..=3");
    fs::remove_file(project.stored("shards/000002.parquet")).unwrap();
    fs::remove_file(project.path("gta5/images/00003.png")).unwrap();
    refused(
        &project,
        &["00003 in the style of night_000001 has an image, though its shard is not committed"],
    );
    fs::remove_file(project.stored("images/night_000001/00003.png")).unwrap();
    fs::remove_file(project.stored("labels/00003.png")).unwrap();
    let outcome = project.run().exits(1);
    let said = "1 item not made yet will be quarantined as missing";
    assert!(outcome.stderr.contains(said), "{outcome}");
    let row = project.row("00003", STYLES[0]);
    assert_eq!(row.error_class, Some(FailureClass::Missing), "{row:?}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_content_whose_label_is_gone_is_not_taken_for_one_that_settings_leave_out() {
    let project = Project::new(3, 1);
    let _ = project.run().exits(0);
    fs::remove_file(project.path("gta5/labels/00003.png")).unwrap();
    let outcome = project.run().exits(0);
    let said = "1 content not listed any more (00003)";
    assert!(outcome.stderr.contains(said), "{outcome}");
}
