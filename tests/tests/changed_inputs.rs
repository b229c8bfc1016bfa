//! Inputs that change after a run was planned: compared file by file, and accepted only if nothing was made of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use shared::failure::FailureClass;
use shared::manifest::Status;
use tests::images::{Picture, input};
use tests::program::Outcome;
use tests::project::{Project, STYLES};

fn refused(project: &Project, words: &[&str]) -> Outcome {
    let record = fs::read(project.stored("run.json")).unwrap();
    let outcome = project.run().exits(2);
    outcome.complains_about(&[
        "run small was planned with other inputs",
        "another run.name",
    ]);
    outcome.complains_about(words);
    assert!(outcome.complaint().len() < 4000, "{outcome}");
    assert!(!outcome.complaint().contains("sha256"), "{outcome}");
    assert_eq!(fs::read(project.stored("run.json")).unwrap(), record);
    outcome
}

/// Replaces a picture by another one with another number of bytes; returns both files.
fn replace(project: &Project, file: &str) -> (Vec<u8>, Vec<u8>) {
    let before = fs::read(project.path(file)).unwrap();
    let shifted = (1..).map(|columns| Picture::decode(&before).shifted(37 * columns).encode());
    let mut others = shifted.filter(|other| other.len() != before.len());
    let after = others.next().unwrap();
    project.write(file, &after);
    (before, after)
}

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

/// Returns a project with shards of one content each, which take little time.
fn of_single_shards(contents: usize) -> Project {
    let mut project = Project::new(contents, 1);
    project.set("method.method", "adain");
    project.set("shards.contents", 1);
    project
}

#[test]
fn many_changed_inputs_are_told_in_a_line_each_and_once() {
    let project = of_single_shards(6);
    let _ = project.run().exits(0);
    for content in 1..=6 {
        replace(&project, &format!("gta5/images/{content:05}.png"));
    }
    let outcome = refused(
        &project,
        &[
            "6 contents changed; content 00001 is done and images/00001.png had",
            "; and 5 more like it; ",
        ],
    );
    for content in 1..=6 {
        let sizes = format!("images/{content:05}.png had");
        assert_eq!(outcome.stderr.matches(&sizes).count(), 1, "{outcome}");
    }
}

#[test]
fn shards_whose_retry_is_pending_are_counted_in_one_line() {
    let project = of_single_shards(3);
    let whole = fs::read(project.path("gta5/images/00001.png")).unwrap();
    for content in 1..=3 {
        let file = format!("gta5/images/{content:05}.png");
        project.write(&file, &whole[..whole.len() / 2]);
    }
    let _ = project.run().exits(1);
    let only = ["resume", "--only", "quarantined"];
    let _ = project.about_run(&only).exits(0);
    for content in 1..=3 {
        project.write(&format!("gta5/images/{content:05}.png"), &whole);
    }
    let outcome = project.run();
    let told = "quarantined items of 3 shards are being tried again";
    assert!(outcome.stderr.contains(told), "{outcome}");
    let lines = outcome.stderr.matches("being tried again").count();
    assert_eq!(lines, 1, "{outcome}");
}

#[test]
fn of_many_shards_to_be_done_again_twenty_are_told_and_the_others_counted() {
    let project = of_single_shards(0);
    let label = input("00001_label.png");
    for content in 1..=23 {
        project.write(&format!("gta5/images/{content:05}.png"), b"");
        project.write(&format!("gta5/labels/{content:05}.png"), &label);
    }
    let _ = project.run().exits(1);
    let only = ["resume", "--only", "quarantined", "--dry-run"];
    let preview = project.about_run(&only).exits(0);
    let lines = preview.stdout.lines();
    let shards = lines.filter(|line| line.starts_with("shard ")).count();
    assert_eq!(shards, 20, "{preview}");
    for words in [
        "and 3 more shards to be done again",
        "23 shards with 23 items",
        "no image was made yet",
    ] {
        assert!(preview.stdout.contains(words), "no {words:?}: {preview}");
    }
}

#[test]
fn a_report_tells_of_damaged_shards_once() {
    let project = of_single_shards(2);
    let _ = project.run().exits(0);
    for shard in ["shards/000000.parquet", "shards/000001.parquet"] {
        let mut file = fs::read(project.stored(shard)).unwrap();
        file.push(0);
        fs::write(project.stored(shard), file).unwrap();
    }
    let outcome = project.about_run(&["report"]).exits(1);
    for shard in ["000000.parquet", "000001.parquet"] {
        let both = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(both.matches(shard).count(), 1, "{outcome}");
    }
}
