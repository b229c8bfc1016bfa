//! Inputs that change after something was made of them: refused by name.

use std::fs;

use tests::images::input;
use tests::project::{Project, STYLES};

use super::fixture::{refused, replace};

#[test]
fn a_done_item_whose_input_changed_is_refused_by_name_with_both_sizes() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let file = "gta5/images/00002.png";
    let (before, after) = replace(&project, file);
    let sizes = format!(
        "had {} bytes and has {}",
        grouped(before.len()),
        grouped(after.len())
    );
    let changed = "1 content changed; content 00002 is done";
    refused(
        &project,
        &[
            changed,
            "content 00002 is done and images/00002.png",
            &sizes,
            "1 item",
        ],
    );
    // The old one put back is as if nothing had been.
    project.write(file, &before);
    let _ = project.run().exits(0);

    let (before, _) = replace(&project, "gta5/labels/00001.png");
    refused(
        &project,
        &["content 00001 is done and labels/00001.png had"],
    );
    project.write("gta5/labels/00001.png", &before);

    let file = "style/images/night_000001_rgb_anon.png";
    let mut bytes = fs::read(project.path(file)).unwrap();
    let last = bytes.len() - 30;
    bytes[last] ^= 1;
    project.write(file, &bytes);
    refused(
        &project,
        &["style night_000001 is done and", "other bytes", "2 items"],
    );
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let (head, tail) = digits.split_at(digits.len() - 3);
    match head {
        "" => tail.to_owned(),
        head => format!("{head},{tail}"),
    }
}

#[test]
fn a_resume_refuses_a_content_that_is_done_in_another_style_and_changed() {
    let project = Project::new(1, 2);
    let style = "style/images/night_000002_rgb_anon.png";
    project.write(style, &input("night_000001_rgb_anon.png")[..5000]);
    let _ = project.run().exits(1);
    replace(&project, "gta5/images/00001.png");
    let outcome = project
        .about_run(&["resume", "--only", "quarantined"])
        .exits(2);
    outcome.complains_about(&[
        "content 00001 is done and images/00001.png had",
        "put the old files back",
    ]);
    assert!(!project.stored("decisions").exists());
}

#[test]
fn what_was_made_of_an_old_file_is_never_taken_for_what_is_made_of_a_new_one() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    // As after a crash: images and labels are there, and no commit.
    fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    replace(&project, "gta5/images/00002.png");
    refused(
        &project,
        &[
            "00002 in the style of night_000001 has an image, though it is not done",
            "remove the image",
        ],
    );
    fs::remove_file(project.stored("images/night_000001/00002.png")).unwrap();
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("2 of 2 images done"), "{outcome}");
    assert!(project.row("00002", STYLES[0]).work.is_some());
    let _ = project.about_run(&["audit"]).exits(0);

    fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    fs::remove_file(project.stored("images/night_000001/00001.png")).unwrap();
    replace(&project, "gta5/labels/00001.png");
    refused(
        &project,
        &["the label of content 00001 is stored and its file changed"],
    );
}
