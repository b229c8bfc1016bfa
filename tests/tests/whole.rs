//! Exit 0 means that everything that was planned is there; what was removed meanwhile is an error, and made again.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use corpus::files::parquet::contradicting;
use shared::manifest::{self, ManifestRow};
use tests::program::{Outcome, Running, synth2real};
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

/// Proves that a damaged shard is shown beside everything else.
fn is_told(project: &Project, words: &[&str]) {
    for command in ["status", "report"] {
        let outcome = project.about_run(&[command]).exits(1);
        for words in words.iter().chain(&["damaged: "]) {
            assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
        }
    }
}

#[test]
fn a_shard_record_of_another_shard_is_damage_that_every_command_names() {
    let project = six_shards();
    let _ = project.run().exits(0);
    let shard = |number: usize| project.stored(&format!("shards/{number:06}.parquet"));
    fs::copy(shard(1), shard(2)).unwrap();
    let words = [
        "shards/000002.parquet holds other rows than it must",
        "rows of shard 000001",
        "remove it and run again",
    ];
    project.run().exits(3).complains_about(&words);
    // Of the same size it is read by whoever counts it for the first time.
    fs::remove_file(project.stored("tally.json")).unwrap();
    is_told(&project, &words);
    let audit = project.about_run(&["audit"]).exits(1);
    assert!(audit.stdout.contains(words[0]), "{audit}");
    fs::remove_file(shard(2)).unwrap();
    let again = project.run().exits(0);
    assert!(again.stdout.contains("6 of 6 images done"), "{again}");

    fs::copy(shard(1), shard(99)).unwrap();
    let status = project.about_run(&["status"]).exits(0);
    for words in ["6 of 6 items done", "6 of 6 shards committed"] {
        assert!(status.stdout.contains(words), "{status}");
    }
    let _ = project.about_run(&["report"]).exits(0);
    let audit = project.about_run(&["audit"]).exits(1);
    let stray = "shards/000099.parquet belongs to no shard that was planned";
    assert!(audit.stdout.contains(stray), "{audit}");
}

#[test]
fn a_shard_of_a_run_with_another_seed_is_damage_that_every_command_names() {
    let mut other = Project::new(2, 1);
    other.set("method.seed", 7);
    let _ = other.run().exits(0);
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000000.parquet");
    fs::copy(other.stored("shards/000000.parquet"), &shard).unwrap();
    fs::remove_file(project.stored("tally.json")).unwrap();
    let words = [
        "shards/000000.parquet holds other rows than it must",
        "rows of another run of this name, with seed \"7\", expected \"42\"",
        "remove it and run again",
    ];
    is_told(&project, &words);
    let json = project.about_run(&["status", "--json"]).exits(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["done"], 0);
    assert_eq!(json["complete"], false);
    let audit = project.about_run(&["audit"]).exits(1);
    assert!(audit.stdout.contains(words[0]), "{audit}");
    project.run().exits(3).complains_about(&words);
    fs::remove_file(&shard).unwrap();
    let again = project.run().exits(0);
    assert!(again.stdout.contains("2 of 2 images done"), "{again}");
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
            assert!(audit.stdout.contains("1 findings"), "{audit}");
            let again = project.run().exits(0);
            assert!(again.stdout.contains("2 of 2 images done"), "{again}");
            assert_eq!(project.pictures(), pictures, "{path} of {target:?}");
            let _ = project.about_run(&["audit"]).exits(0);
        }
    }
}

#[test]
fn a_plan_that_is_altered_while_the_run_works_is_told_at_its_end() {
    let project = six_shards();
    let outcome = meddled_with(&project, || {
        let path = plan(&project);
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(b' ');
        fs::write(path, bytes).unwrap();
    });
    let words = [
        "plan-",
        "its SHA-256 is another one",
        "put a copy of it back",
    ];
    outcome.exits(3).complains_about(&words);
    project
        .about_run(&["status"])
        .exits(3)
        .complains_about(&words);
    fs::remove_file(plan(&project)).unwrap();
    let _ = project.run().exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn an_audit_finds_a_manifest_that_is_gone_cut_or_of_other_rows() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let path = project.stored("manifest.parquet");
    let finds = |words: &str| {
        let audit = project.about_run(&["audit"]).exits(1);
        let words = format!("manifest.parquet {words}");
        assert!(audit.stdout.contains(&words), "no {words:?}: {audit}");
        assert!(audit.stdout.contains("run again"), "{audit}");
        assert!(audit.stdout.contains("1 findings"), "{audit}");
        let _ = project.run().exits(0);
        let _ = project.about_run(&["audit"]).exits(0);
    };
    fs::remove_file(&path).unwrap();
    finds("is missing");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    finds("cannot be read");
    let changes: [fn(&mut Vec<ManifestRow>); 2] =
        [|rows| rows.truncate(1), |rows| rows[0].attempt += 1];
    for change in changes {
        let mut rows = project.rows();
        change(&mut rows);
        fs::write(&path, manifest::write(rows).unwrap()).unwrap();
        finds("has other rows than the shards");
    }
}

#[test]
fn a_shard_that_is_cut_after_it_was_counted_is_named_and_no_figures_are_made_of_it() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000000.parquet");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..100]).unwrap();
    let words = [
        "shards/000000.parquet is damaged",
        "remove it and run again",
    ];
    is_told(&project, &words);
    let status = project.about_run(&["status", "--json"]).exits(1).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["done"], 0);
    assert_eq!(status["shards_committed"], 0);
    assert_eq!(status["complete"], false);
    let told = status["damaged"]["0"].as_str().unwrap();
    assert!(told.contains(words[0]), "{told}");
    let resume = project.about_run(&["resume"]).exits(1);
    for words in words.iter().chain(&["nothing to do again"]) {
        assert!(resume.stdout.contains(words), "no {words:?}: {resume}");
    }
    assert!(shard.exists(), "nothing is removed");
    project.run().exits(3).complains_about(&words);
    let audit = project.about_run(&["audit"]).exits(1);
    assert!(audit.stdout.contains(words[0]), "{audit}");
    fs::remove_file(&shard).unwrap();
    let _ = project.run().exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_damaged_shard_that_is_put_right_with_its_own_bytes_is_whole_again() {
    let project = six_shards();
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000002.parquet");
    let whole = fs::read(&shard).unwrap();
    fs::write(&shard, &whole[..100]).unwrap();
    is_told(&project, &["shards/000002.parquet is damaged"]);
    fs::write(&shard, whole).unwrap();
    let status = project.about_run(&["status"]).exits(0);
    assert!(status.stdout.contains("small is complete"), "{status}");
    let report = project.about_run(&["report"]).exits(0);
    assert!(!report.stdout.contains("damaged: "), "{report}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_shard_over_which_its_decoder_panics_is_damaged_and_no_panic_is_told() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000000.parquet");
    fs::write(&shard, contradicting()).unwrap();
    let words = [
        "shards/000000.parquet is damaged",
        "it contradicts itself",
        "remove it and run again",
    ];
    for command in ["status", "audit", "resume"] {
        let outcome = project.about_run(&[command]).exits(1);
        assert_eq!(outcome.stderr, "", "{command}");
        for words in words {
            assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
        }
    }
    project.run().exits(3).complains_about(&words);
    fs::remove_file(&shard).unwrap();
    let _ = project.run().exits(0);
}

#[test]
fn an_empty_record_is_refused_with_what_helps() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    let record = project.stored("run.json");
    fs::write(&record, b"").unwrap();
    let words = [
        "run.json",
        "it is empty",
        "put a copy of it back",
        "run again",
    ];
    for outcome in [project.run(), project.about_run(&["status"])] {
        outcome.exits(3).complains_about(&words);
    }
    fs::remove_file(&record).unwrap();
    let _ = project.run().exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn one_changed_digit_in_a_record_is_found_by_every_command() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    let record = project.stored("run.json");
    let whole = fs::read_to_string(&record).unwrap();
    for (was, is, word) in [
        ("\"seed\": 42", "\"seed\": 43", "plan_hash is "),
        ("\"max_attempts\": 3", "\"max_attempts\": 4", "sha256 is "),
        (
            "\"format_version\": 4",
            "\"format_version\": 3",
            "version is 3",
        ),
    ] {
        let changed = whole.replace(was, is);
        assert_ne!(changed, whole, "no {was}");
        fs::write(&record, changed).unwrap();
        let words = ["run.json", word, "expected ", "; "];
        for command in ["status", "report", "audit", "resume", "cancel"] {
            let outcome = project.about_run(&[command]).exits(3);
            outcome.complains_about(&words);
        }
        project.run().exits(3).complains_about(&words);
    }
    fs::write(&record, whole).unwrap();
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_run_in_the_folder_of_another_name_is_no_run() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    fs::rename(project.stored(""), project.path("out/runs/other")).unwrap();
    for command in ["status", "report", "audit", "resume", "cancel"] {
        let mut words = synth2real();
        words.args([command, "other", "--root"]);
        let outcome = Outcome::of(words.arg(project.path("out"))).exits(3);
        outcome.complains_about(&["its run is small, expected other", "its name back"]);
    }
}
