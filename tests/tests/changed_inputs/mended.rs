//! Damaged inputs that are replaced by whole ones: made by running again, or by a resume.

use std::fs;

use shared::manifest::Status;
use tests::project::{Project, STYLES};

use super::fixture::refused;

#[test]
fn a_damaged_content_that_is_replaced_is_made_by_running_again() {
    let project = Project::new(3, 1);
    let file = project.path("gta5/images/00002.png");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let _ = project.run().exits(1);
    let commit = fs::read(project.stored("shards/000000.parquet")).unwrap();
    let before = project.pictures();

    fs::write(&file, &whole).unwrap();
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("3 of 3 images done"), "{outcome}");
    for words in [
        "1 content changed",
        "images/00002.png had",
        "goes on with that",
    ] {
        assert!(outcome.stderr.contains(words), "no {words:?}: {outcome}");
    }
    assert_eq!(project.row("00002", STYLES[0]).status, Status::Done);
    assert_eq!(
        fs::read(project.stored("shards/000000.parquet")).unwrap(),
        commit
    );
    assert!(project.stored("shards/000000.1.parquet").exists());
    let pictures = project.pictures();
    assert!(before.iter().all(|(path, sha256)| {
        path == "contact-sheet.png" || pictures.get(path) == Some(sha256)
    }));
    let _ = project.about_run(&["audit"]).exits(0);
    // It is what it is from now on, and a whole run does nothing again.
    let again = project.run().exits(0);
    assert!(!again.stderr.contains("changed"), "{again}");

    // What is made of the new one cannot be taken back, nor changed.
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let _ = refused(
        &project,
        &["content 00002 is done and images/00002.png had"],
    );
}

#[test]
fn a_damaged_style_that_is_replaced_is_recorded_by_running_again() {
    let project = Project::new(2, 2);
    let file = "style/images/night_000002_rgb_anon.png";
    let whole = fs::read(project.path(file)).unwrap();
    // As long as the whole one: only its bytes tell.
    let mut damaged = whole.clone();
    damaged[40..200].fill(0);
    project.write(file, &damaged);
    let _ = project.run().exits(1);
    assert_eq!(project.row("00001", STYLES[1]).status, Status::Quarantined);

    project.write(file, &whole);
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("4 of 4 images done"), "{outcome}");
    assert!(outcome.stderr.contains("1 style changed"), "{outcome}");
    assert_eq!(project.row("00001", STYLES[1]).status, Status::Done);
    let _ = project.about_run(&["audit"]).exits(0);
    let _ = project.run().exits(0);
}

#[test]
fn an_input_that_is_mended_while_nobody_plans_is_taken_by_resume() {
    let project = Project::new(2, 2);
    let (content, style) = (
        "gta5/images/00002.png",
        "style/images/night_000002_rgb_anon.png",
    );
    let whole = [content, style].map(|file| fs::read(project.path(file)).unwrap());
    let mut damaged = whole[1].clone();
    damaged[40..200].fill(0);
    project.write(content, b"<html>404 not found</html>");
    project.write(style, &damaged);
    let _ = project.run().exits(1);
    project.write(content, &whole[0]);
    project.write(style, &whole[1]);
    let _ = project
        .about_run(&["resume", "--only", "quarantined"])
        .exits(0);
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("4 of 4 images done"), "{outcome}");
    assert!(!outcome.stderr.contains("changed"), "{outcome}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn all_quarantined_items_of_a_mended_file_are_made_though_some_are_being_tried_again() {
    let project = Project::new(2, 2);
    let content = "gta5/images/00002.png";
    let whole = fs::read(project.path(content)).unwrap();
    project.write(content, &whole[..whole.len() / 2]);
    let _ = project.run().exits(1);
    let one_style = ["resume", "--only", "quarantined", "--style", STYLES[0]];
    let _ = project.about_run(&one_style).exits(0);
    project.write(content, &whole);
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("4 of 4 images done"), "{outcome}");
    for revision in ["shards/000000.1.parquet", "shards/000000.2.parquet"] {
        assert!(project.stored(revision).exists());
    }
    let _ = project.about_run(&["audit"]).exits(0);
}
