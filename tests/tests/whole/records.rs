//! Plans and records of runs that are altered, empty, or of a run of another name.

use std::fs;

use tests::program::{Outcome, synth2real};
use tests::project::Project;

use super::fixture::{meddled_with, plan, six_shards};

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
