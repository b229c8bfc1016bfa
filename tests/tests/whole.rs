//! Exit 0 means that everything that was planned is there; what was removed meanwhile is an error, and made again.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;

use tests::program::{Outcome, Running};
use tests::project::Project;

/// A project of six shards with an item each.
fn six_shards() -> Project {
    let mut project = Project::new(6, 1);
    project.set("shards.contents", 1);
    project
}

/// Starts a run, does something once its first shard is committed, and returns how it ended.
fn meddled_with(project: &Project, meddle: impl FnOnce()) -> Outcome {
    let mut running = Running::start(&mut project.run_command());
    let first = project.stored("shards/000000.parquet");
    assert!(running.wait_until(|| first.exists()));
    meddle();
    running.end()
}

/// Proves that a run went wrong in the end and says so, and that the next one puts everything right.
fn is_told_and_mended(project: &Project, outcome: Outcome, words: &[&str]) {
    let outcome = outcome.exits(3);
    assert!(!outcome.stdout.contains("images done"), "{outcome}");
    outcome.complains_about(words);
    let again = project.run().exits(0);
    assert!(again.stdout.contains("6 of 6 images done"), "{again}");
    let _ = project.about_run(&["audit"]).exits(0);
    let _ = project.about_run(&["status"]).exits(0);
}

#[test]
fn a_run_whose_folder_is_moved_away_while_it_works_is_told_and_made_anew() {
    for what in ["out/runs/small", "out"] {
        let project = six_shards();
        let outcome = meddled_with(&project, || {
            fs::rename(project.path(what), project.path("away")).unwrap();
        });
        is_told_and_mended(&project, outcome, &["run.json is gone", "run again"]);
    }
}

#[test]
fn what_is_removed_of_a_committed_shard_while_the_run_works_is_told_and_made_again() {
    let cases = [
        (
            "labels/00001.png",
            &["1 images or labels are gone", "labels/00001.png"][..],
        ),
        (
            "images/night_000001/00001.png",
            &[
                "1 images or labels are gone",
                "images/night_000001/00001.png",
            ],
        ),
        ("shards/000000.parquet", &["shards/000000.parquet is gone"]),
        ("run.json", &["run.json is gone"]),
    ];
    for (path, words) in cases {
        let project = six_shards();
        let outcome = meddled_with(&project, || {
            fs::remove_file(project.stored(path)).unwrap();
        });
        is_told_and_mended(&project, outcome, words);
    }
}

#[test]
fn a_plan_that_is_removed_while_the_run_works_is_told_and_stored_again() {
    let project = six_shards();
    let outcome = meddled_with(&project, || fs::remove_file(plan(&project)).unwrap());
    is_told_and_mended(&project, outcome, &["plan-", "is gone", "run again"]);
    assert!(plan(&project).exists());
}

fn plan(project: &Project) -> PathBuf {
    let entries = fs::read_dir(project.stored("")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let is_plan = |path: &PathBuf| path.to_string_lossy().contains("plan-");
    paths.find(is_plan).unwrap()
}

#[test]
fn what_is_removed_of_a_run_that_has_ended_is_named_by_status_and_made_again_by_the_next_run() {
    let mut project = Project::new(2, 2);
    project.set("shards.styles", 1);
    let _ = project.run().exits(0);
    let pictures = project.pictures();
    let label = "labels/00002.png";
    let image = "images/night_000002/00001.png";
    for paths in [&[label][..], &[image], &[label, image]] {
        for path in paths {
            fs::remove_file(project.stored(path)).unwrap();
        }
        let status = project.about_run(&["status"]).exits(1);
        assert!(status.stdout.contains("small is damaged"), "{status}");
        for path in paths {
            assert!(status.stdout.contains(path), "{status}");
        }
        let json = project.about_run(&["status", "--json"]).exits(1).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["complete"], false);
        assert_eq!(json["gone"], paths.len());
        let report = project.about_run(&["report"]).exits(0);
        assert!(report.stdout.contains("not complete"), "{report}");
        let _ = project.about_run(&["audit"]).exits(1);

        let again = project.run().exits(0);
        assert!(again.stdout.contains("4 of 4 images done"), "{again}");
        assert_eq!(project.pictures(), pictures, "the same bytes");
        let _ = project.about_run(&["audit"]).exits(0);
        let status = project.about_run(&["status"]).exits(0);
        assert!(status.stdout.contains("small is complete"), "{status}");
        let report = project.about_run(&["report"]).exits(0);
        assert!(!report.stdout.contains("not complete"), "{report}");
    }
}

#[test]
fn what_cannot_be_made_again_is_an_error_each_time_until_it_can() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    let pictures = project.pictures();
    let input = project.path("gta5/images/00001.png");
    let whole = fs::read(&input).unwrap();
    fs::remove_file(project.stored("images/night_000001/00001.png")).unwrap();
    // As long as it was, and no picture.
    fs::write(&input, vec![0; whole.len()]).unwrap();
    for _ in 0..2 {
        let outcome = project.run().exits(3);
        outcome.complains_about(&["images/night_000001/00001.png", "gone"]);
    }
    fs::write(&input, whole).unwrap();
    let _ = project.run().exits(0);
    assert_eq!(project.pictures(), pictures);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_run_that_is_told_to_stop_says_what_is_stored() {
    let project = Project::new(3, 1);
    let mut running = Running::start(&mut project.run_command());
    let first_image = project.stored("images/night_000001/00001.png");
    assert!(running.wait_until(|| first_image.exists()));
    running.signal("TERM");
    let outcome = running.end().exits(130);
    let stored = fs::read_dir(project.stored("images/night_000001")).unwrap();
    let told = format!(
        "{} of 3 images stored, 0 of 1 shards committed",
        stored.count()
    );
    assert!(outcome.stdout.contains(&told), "{outcome}");
    let status = project.about_run(&["status"]).exits(0);
    assert!(status.stdout.contains("images in the making"), "{status}");
    let again = project.run().exits(0);
    assert!(again.stdout.contains("3 of 3 images done"), "{again}");
}

#[test]
fn a_run_that_was_halted_at_its_limit_goes_on_when_it_is_run_again() {
    let mut project = Project::new(6, 1);
    project.set("shards.contents", 1);
    project.set("limits.max_failed", 0.2);
    for content in ["00001", "00002"] {
        project.write(&format!("gta5/images/{content}.png"), b"no picture");
    }
    let outcome = project.run().exits(1);
    for words in [
        "2 of 6 items",
        "limits.max_failed (0.2)",
        "0 of 6 images stored, 2 of 6 shards",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    let status = project.about_run(&["status"]).exits(1);
    assert!(
        status.stdout.contains("small is halted (2 of 6 items"),
        "{status}"
    );
    // What failed before no longer counts.
    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("4 of 6 images done"), "{outcome}");
}
