//! What is removed of a run, while it works and afterwards: told, and made again.

use std::fs;
use std::path::Path;

use tests::program::Outcome;
use tests::project::Project;

use super::fixture::{meddled_with, plan, six_shards};

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
            &["1 picture is gone", "labels/00001.png"][..],
        ),
        (
            "images/night_000001/00001.png",
            &["1 picture is gone", "images/night_000001/00001.png"],
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
fn a_commit_that_is_made_again_beside_its_revision_leaves_an_audit_nothing_to_find() {
    let project = Project::new(2, 2);
    let content = "gta5/images/00002.png";
    let whole = fs::read(project.path(content)).unwrap();
    project.write(content, &whole[..whole.len() / 2]);
    let _ = project.run().exits(1);
    project.write(content, &whole);
    let _ = project.run().exits(0);
    let pictures = project.pictures();
    for commit in ["shards/000000.parquet", "shards/000000.1.parquet"] {
        fs::remove_file(project.stored(commit)).unwrap();
        let again = project.run().exits(0);
        assert!(again.stdout.contains("4 of 4 images done"), "{again}");
        assert!(project.stored(commit).exists());
        assert!(project.rows().iter().all(|row| row.work.is_none()));
        assert_eq!(project.pictures(), pictures);
        let _ = project.about_run(&["audit"]).exits(0);
        let status = project.about_run(&["status"]).exits(0);
        assert!(status.stdout.contains("small is complete"), "{status}");
    }
}

#[test]
fn a_picture_without_a_byte_or_with_a_link_to_nothing_in_its_place_is_gone_and_made_again() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let pictures = project.pictures();
    for path in ["images/night_000001/00001.png", "labels/00002.png"] {
        let file = project.stored(path);
        let itself = Path::new(file.file_name().unwrap());
        for target in [None, Some(Path::new("/no/such/file")), Some(itself)] {
            match target {
                None => fs::write(&file, b"").unwrap(),
                Some(target) => {
                    fs::remove_file(&file).unwrap();
                    std::os::unix::fs::symlink(target, &file).unwrap();
                }
            }
            let status = project.about_run(&["status"]).exits(1);
            assert!(status.stdout.contains("small is damaged"), "{status}");
            assert!(status.stdout.contains(path), "{status}");
            let audit = project.about_run(&["audit"]).exits(1);
            assert!(audit.stdout.contains("; 1 finding\n"), "{audit}");
            let again = project.run().exits(0);
            assert!(again.stdout.contains("2 of 2 images done"), "{again}");
            assert_eq!(project.pictures(), pictures, "{path} of {target:?}");
            let _ = project.about_run(&["audit"]).exits(0);
        }
    }
}
