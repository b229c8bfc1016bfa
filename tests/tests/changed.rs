//! A run of one name never mixes two plans, and what is stored is proved by an audit.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use shared::settings::Products;
use tests::project::{Project, STYLES};
use tests::{golden_model, stored};

fn converted(contents: usize) -> Project {
    let project = Project::new(contents, 1);
    let _ = project.run().exits(0);
    project
}

fn assert_refused(project: &Project, words: &[&str]) {
    let before = fs::read(project.stored("run.json")).unwrap();
    let outcome = project.run().exits(2);
    outcome.complains_about(&["run small exists", "run.name"]);
    outcome.complains_about(words);
    assert_eq!(fs::read(project.stored("run.json")).unwrap(), before);
}

#[test]
fn a_changed_setting_is_refused_with_both_values() {
    let mut project = converted(1);
    project.set("method.seed", 7);
    assert_refused(&project, &["method.seed was 42 and is now 7"]);
    project.set("method.seed", 42);
    project.set("method.contrast_strength", 1.5);
    assert_refused(
        &project,
        &["method.contrast_strength was 1.67 and is now 1.5"],
    );
}

#[test]
fn a_precision_that_was_chosen_for_another_processor_is_refused_and_said_to_be_chosen() {
    let mut project = Project::new(1, 1);
    let (planned, words) = match Products::named("auto").unwrap() {
        Products::F32 => (
            "bf16",
            "engine.precision was \"bf16\" and is now not set (f32)",
        ),
        Products::Bf16 => (
            "f32",
            "engine.precision was not set (f32) and is now \"bf16\"",
        ),
    };
    project.set("engine.device", "cpu");
    project.set("engine.precision", planned);
    let _ = project.run().exits(0);
    project.set("engine.precision", "auto");
    assert_refused(&project, &[words, "auto chose that for this processor"]);
}

#[test]
fn a_changed_model_is_refused() {
    let mut project = converted(1);
    // The same model under a contract with other bytes.
    for path in stored::paths(&golden_model()) {
        let bytes = fs::read(golden_model().join(&path)).unwrap();
        project.write(&format!("model/{path}"), &bytes);
    }
    project.set("model.path", "model");
    let _ = project.run().exits(0);
    let mut contract = fs::read(golden_model().join("model.json")).unwrap();
    contract.push(b'\n');
    project.write("model/model.json", &contract);
    assert_refused(&project, &["model.path (its SHA-256) was", "and is now"]);
}

#[test]
fn what_only_says_how_to_compute_may_change() {
    let mut project = converted(1);
    project.set("engine.threads", 2);
    project.set("limits.max_attempts", 9);
    let _ = project.run().exits(0);
}

#[test]
fn a_complete_run_does_nothing_again() {
    let project = converted(2);
    let (rows, pictures) = (project.rows(), project.pictures());
    let record = fs::read(project.stored("run.json")).unwrap();
    // A model is loaded only for work, and there is none.
    let mut command = project.run_command();
    let again = command.env("ORT_DYLIB_PATH", "/nowhere");
    let outcome = tests::program::Outcome::of(again).exits(0);
    assert!(outcome.stdout.contains("2 of 2 images done"), "{outcome}");
    assert_eq!(project.rows(), rows);
    assert_eq!(project.pictures(), pictures);
    assert_eq!(fs::read(project.stored("run.json")).unwrap(), record);
}

#[test]
fn an_audit_names_what_is_missing_or_altered() {
    let project = converted(2);
    let clean = project.about_run(&["audit"]).exits(0).stdout;
    let sum = "clean: 2 planned = 2 done + 0 quarantined + 0 failed";
    assert!(clean.contains(sum), "{clean}");
    let finds = |words: &[&str]| {
        let outcome = project.about_run(&["audit"]).exits(1);
        for word in words {
            assert!(outcome.stdout.contains(word), "no {word:?}: {outcome}");
        }
    };
    let image = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    let whole = fs::read(&image).unwrap();
    let mut altered = whole.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(&image, altered).unwrap();
    finds(&["images/night_000001/00001.png has SHA-256", "FAILED"]);
    fs::remove_file(&image).unwrap();
    finds(&[
        "images/night_000001/00001.png is missing",
        "and run again",
        "; 1 finding\n",
    ]);
    fs::write(&image, &whole).unwrap();

    let label = project.stored("labels/00002.png");
    let labels = fs::read(&label).unwrap();
    fs::remove_file(&label).unwrap();
    finds(&["labels/00002.png is missing"]);
    fs::write(&label, labels).unwrap();

    let stray = project.stored(&format!("images/{}/00009.png", STYLES[0]));
    fs::write(&stray, &whole).unwrap();
    finds(&["images/night_000001/00009.png belongs to no committed item"]);
    fs::remove_file(&stray).unwrap();

    let shard = project.stored("shards/000000.parquet");
    let rows = fs::read(&shard).unwrap();
    fs::write(&shard, &rows[..rows.len() / 2]).unwrap();
    finds(&["shards/000000.parquet is damaged"]);
    fs::remove_file(&shard).unwrap();
    finds(&["shard 000000 is not committed"]);
}

#[test]
fn an_audit_tells_twenty_findings_and_counts_the_others() {
    let project = converted(1);
    let image = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    for number in 100..125 {
        let stray = format!("images/{}/{number:05}.png", STYLES[0]);
        fs::copy(&image, project.stored(&stray)).unwrap();
    }
    let outcome = project.about_run(&["audit"]).exits(1);
    let told = outcome.stdout.lines();
    let told = told.filter(|line| line.ends_with("belongs to no committed item"));
    assert_eq!(told.count(), 20, "{outcome}");
    for words in ["and 5 more findings", "; 25 findings"] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
}

#[test]
fn an_image_of_a_quarantined_item_is_a_finding_with_what_helps() {
    let project = Project::new(2, 1);
    project.write("gta5/images/00002.png", b"no picture");
    let _ = project.run().exits(1);
    let _ = project.about_run(&["audit"]).exits(0);
    let image = |name: &str| project.stored(&format!("images/{}/{name}.png", STYLES[0]));
    fs::copy(image("00001"), image("00002")).unwrap();
    let outcome = project.about_run(&["audit"]).exits(1);
    for words in [
        "images/night_000001/00002.png belongs to no committed item: its item is quarantined",
        "`resume --only quarantined` takes it up once its input is back, or remove the image",
        "; 1 finding\n",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
}

#[test]
fn an_image_that_cannot_be_read_is_said_to_be_so() {
    let project = converted(1);
    let image = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    fs::remove_file(&image).unwrap();
    fs::create_dir(&image).unwrap();
    let outcome = project.about_run(&["audit"]).exits(1);
    let words = "images/night_000001/00001.png cannot be read: Is a directory";
    assert!(outcome.stdout.contains(words), "{outcome}");
    assert_eq!(outcome.stdout.matches("00001.png").count(), 1, "{outcome}");
}

#[test]
fn a_lost_shard_is_made_again_from_what_is_stored_without_evaluations() {
    let project = Project::new(2, 1);
    // The whole scene is rider, which no style shows: the item is done with a warning.
    project.add_content("00003", |picture| picture, |label| label.mapped(|_| 25));
    let _ = project.run().exits(0);
    let before = stored::deterministic(project.rows());
    let pictures = project.pictures();
    assert!(before.iter().any(|row| row.warning.is_some()));

    fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    let _ = project.run().exits(0);
    let rows = project.rows();
    assert!(rows.iter().all(|row| row.work.is_none()), "{rows:?}");
    assert_eq!(stored::deterministic(rows), before);
    assert_eq!(project.pictures(), pictures);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn an_image_that_no_attempt_has_made_is_never_taken_for_done() {
    let project = converted(2);
    let image = |name: &str| project.stored(&format!("images/{}/{name}.png", STYLES[0]));
    let whole = fs::read(image("00002")).unwrap();
    fs::copy(image("00001"), image("00002")).unwrap();
    fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    let outcome = project.run().exits(1);
    for words in [
        "not converted (2)",
        "images/night_000001/00002.png",
        "other bytes",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    // What nobody has noted is made again, and kept where it comes out the same.
    fs::write(image("00002"), whole).unwrap();
    fs::remove_file(project.stored("making/000000.json")).unwrap();
    let _ = project.run().exits(0);
    assert!(project.rows().iter().all(|row| row.work.is_some()));
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn what_is_stored_without_its_record_is_taken_up_only_by_the_run_that_it_is_proved_to_be_of() {
    let mut project = converted(2);
    let pictures = project.pictures();
    let refused = |project: &Project, words: &[&str]| {
        let outcome = project.run().exits(2);
        outcome.complains_about(&["run small has no run.json", "another run.name", "move "]);
        outcome.complains_about(words);
        assert!(!project.stored("run.json").exists());
        assert_eq!(project.pictures(), pictures);
    };
    let shard = project.stored("shards/000000.parquet");
    let rows = fs::read(&shard).unwrap();
    let note = project.stored("making/000000.json");
    let noted = fs::read(&note).unwrap();
    fs::remove_file(project.stored("run.json")).unwrap();

    project.set("method.seed", 7);
    fs::remove_file(&shard).unwrap();
    let counted = "2 images, 2 labels and 0 shards";
    refused(
        &project,
        &[
            counted,
            "making/000000.json is of a run with other settings",
        ],
    );
    fs::write(&shard, &rows).unwrap();
    fs::remove_file(&note).unwrap();
    let other = "shards/000000.parquet has rows of seed 42, and this run has 7";
    refused(&project, &["2 images, 2 labels and 1 shards", other]);
    project.set("method.seed", 42);
    fs::remove_file(&shard).unwrap();
    refused(&project, &[counted, "nothing beside them tells"]);

    fs::write(&note, noted).unwrap();
    let again = project.run().exits(0);
    assert!(again.stdout.contains("2 of 2 images done"), "{again}");
    assert!(project.rows().iter().all(|row| row.work.is_none()));
    assert_eq!(project.pictures(), pictures);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_damaged_image_is_never_taken_for_done() {
    let project = converted(1);
    let pictures = project.pictures();
    let image = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    let mut bytes = fs::read(&image).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&image, bytes).unwrap();
    fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    let outcome = project.run().exits(1);
    for words in [
        "not converted (1)",
        "images/night_000001/00001.png",
        "damaged",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    assert!(!project.stored("shards/000000.parquet").exists());

    fs::remove_file(&image).unwrap();
    let _ = project.run().exits(0);
    assert_eq!(project.pictures(), pictures);
}
