//! Inputs that are swapped for others with as many bytes, which no listing shows: quarantined, and mended.

use std::fs;

use shared::failure::FailureClass;
use shared::manifest::Status;
use tests::images::Picture;
use tests::project::{Project, STYLES};

/// Writes a picture anew in more bytes than it needs; returns its file, and that of another picture with as many.
fn twins(project: &Project, file: &str) -> [Vec<u8>; 2] {
    let before = Picture::decode(&fs::read(project.path(file)).unwrap());
    let after = before.clone().shifted(64);
    let longest = before.encode().len().max(after.encode().len());
    let files = [before, after].map(|picture| picture.encode_in(longest + 100));
    project.write(file, &files[0]);
    files
}

/// Proves that an item is quarantined as its input is another one now, in these words.
fn is_changed(project: &Project, content: &str, style: &str, words: &[&str]) {
    let row = project.row(content, style);
    assert_eq!(row.status, Status::Quarantined, "{row:?}");
    assert_eq!(row.error_class, Some(FailureClass::Changed), "{row:?}");
    let reason = row.error.unwrap();
    for words in words {
        assert!(reason.contains(words), "no {words:?}: {reason}");
    }
}

/// Has quarantined items tried again, and proves that the run is whole then.
fn is_mended(project: &Project) {
    let _ = project
        .about_run(&["resume", "--only", "quarantined"])
        .exits(0);
    let _ = project.run().exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_content_that_is_swapped_for_one_as_long_is_made_in_no_other_style() {
    let content = "gta5/images/00001.png";
    let words = [
        "images/00001.png has other bytes than when items of it were done",
        "put the old one back",
        "another run.name",
    ];
    // In a shard that is committed.
    let project = Project::new(2, 2);
    let [before, after] = twins(&project, content);
    let style = "style/images/night_000002_rgb_anon.png";
    let whole = fs::read(project.path(style)).unwrap();
    project.write(style, &whole[..5000]);
    let _ = project.run().exits(1);
    project.write(style, &whole);
    project.write(content, &after);
    let _ = project.run().exits(1);
    assert_eq!(project.row("00001", STYLES[0]).status, Status::Done);
    assert_eq!(project.row("00002", STYLES[1]).status, Status::Done);
    is_changed(&project, "00001", STYLES[1], &words);
    let _ = project.about_run(&["audit"]).exits(0);
    project.write(content, &before);
    is_mended(&project);

    // In one that is not, beside one that is.
    let mut project = Project::new(2, 2);
    project.set("shards.styles", 1);
    let [before, after] = twins(&project, content);
    let _ = project.run().exits(0);
    for path in [
        "shards/000001.parquet",
        "images/night_000002/00001.png",
        "images/night_000002/00002.png",
    ] {
        fs::remove_file(project.stored(path)).unwrap();
    }
    project.write(content, &after);
    let _ = project.run().exits(1);
    assert_eq!(project.row("00002", STYLES[1]).status, Status::Done);
    is_changed(&project, "00001", STYLES[1], &words);
    project.write(content, &before);
    is_mended(&project);
}

#[test]
fn an_image_without_a_commit_is_kept_only_while_its_content_is_the_same() {
    let project = Project::new(2, 1);
    let content = "gta5/images/00001.png";
    let [before, after] = twins(&project, content);
    let _ = project.run().exits(0);
    let pictures = project.pictures();
    // As after a crash.
    fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    project.write(content, &after);
    let _ = project.run().exits(1);
    let image = "images/night_000001/00001.png";
    let made = format!("images/00001.png has other bytes than when runs/small/{image} was made");
    let words = [made.as_str(), "put the old one back", "or remove"];
    is_changed(&project, "00001", STYLES[0], &words);
    assert!(project.row("00002", STYLES[0]).work.is_none());
    project.write(content, &before);
    is_mended(&project);
    assert_eq!(project.pictures(), pictures);

    // What was made of the old one removed, the new one is made.
    let project = Project::new(2, 1);
    let [_, after] = twins(&project, content);
    let _ = project.run().exits(0);
    for path in ["shards/000000.parquet", image] {
        fs::remove_file(project.stored(path)).unwrap();
    }
    project.write(content, &after);
    let _ = project.run().exits(0);
    assert!(project.row("00001", STYLES[0]).work.is_some());
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_label_that_is_swapped_for_one_as_long_costs_its_content_and_no_attempt() {
    let images = ["night_000001/00001", "night_000002/00001"];
    let left: [(&[&str], &[&str]); 2] = [
        // An image and its label.
        (
            &images[1..],
            &[
                "labels/00001.png has other bytes than when runs/small/images/night_000001/00001.png",
            ],
        ),
        // The label alone, before anything was noted.
        (
            &images,
            &[
                "runs/small/labels/00001.png of the run was made when labels/00001.png had other bytes",
            ],
        ),
    ];
    for (removed, words) in left {
        let project = Project::new(2, 2);
        let [before, after] = twins(&project, "gta5/labels/00001.png");
        let _ = project.run().exits(0);
        fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
        for image in removed {
            fs::remove_file(project.stored(&format!("images/{image}.png"))).unwrap();
        }
        if removed.len() == images.len() {
            fs::remove_file(project.stored("making/000000.json")).unwrap();
        }
        project.write("gta5/labels/00001.png", &after);
        let _ = project.run().exits(1);
        for style in &STYLES[..2] {
            is_changed(&project, "00001", style, words);
            is_changed(&project, "00001", style, &["put the old", "or remove"]);
            assert_eq!(project.row("00002", style).status, Status::Done);
        }
        assert!(!project.stored("attempts").exists(), "no attempt failed");
        project.write("gta5/labels/00001.png", &before);
        is_mended(&project);
    }
}
