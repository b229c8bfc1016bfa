//! Many inputs or shards of which the same is to be said: said once.

use std::fs;

use tests::images::input;
use tests::project::Project;

use super::fixture::{refused, replace};

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
