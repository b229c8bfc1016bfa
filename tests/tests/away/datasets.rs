//! Datasets that are away while the program runs, or when it starts.

use std::fs;

use tests::program::Running;
use tests::project::{Project, STYLES};

use super::fixture::started;

#[test]
fn a_dataset_that_is_away_for_a_moment_of_a_run_costs_nothing() {
    let project = Project::new(5, 1);
    let log = project.path("log");
    let mut running = Running::start_into(&mut project.run_command(), &log);
    let first = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    assert!(running.wait_until(|| first.exists()));
    let (there, aside) = (project.path("gta5"), project.path("aside"));
    fs::rename(&there, &aside).unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let waits = running.wait_until(|| said().contains("an input is away"));
    fs::rename(&aside, &there).unwrap();
    let _ = running.end().exits(0);
    assert!(waits, "it went on: {}", said());
    assert!(said().contains("5 of 5 images done"), "{}", said());
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_dataset_that_stays_away_ends_a_run_with_3_and_running_again_goes_on() {
    for folder in ["gta5", "gta5/labels"] {
        let mut project = Project::new(5, 1);
        project.set("limits.input_patience_seconds", 1);
        let running = started(&project);
        let (there, aside) = (project.path(folder), project.path("aside"));
        fs::rename(&there, &aside).unwrap();
        let outcome = running.end().exits(3);
        outcome.complains_about(&[
            "is the dataset mounted?",
            "limits.input_patience_seconds",
            "run again to go on",
        ]);
        assert!(!project.stored("shards/000000.parquet").exists());
        fs::rename(&aside, &there).unwrap();
        let outcome = project.run().exits(0);
        assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
        let _ = project.about_run(&["audit"]).exits(0);
    }
}

#[test]
fn a_dataset_that_comes_back_elsewhere_is_read_where_the_settings_at_hand_say() {
    let mut project = Project::new(5, 1);
    project.set("limits.input_patience_seconds", 1);
    let running = started(&project);
    let elsewhere = project.path("elsewhere");
    fs::rename(project.path("gta5"), &elsewhere).unwrap();
    let _ = running.end().exits(3);
    project.set("content.root", elsewhere.display().to_string());
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_dataset_that_is_away_at_the_start_of_a_planned_run_is_no_fault_of_its_settings() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    for folder in ["gta5/images", "gta5/labels"] {
        let (there, aside) = (project.path(folder), project.path("aside"));
        fs::rename(&there, &aside).unwrap();
        fs::create_dir(&there).unwrap();
        let outcome = project.run().exits(3);
        outcome.complains_about(&["run small was planned with inputs from there", "mounted?"]);
        fs::remove_dir(&there).unwrap();
        fs::rename(&aside, &there).unwrap();
    }
    // Of a run that is not planned yet the settings may be wrong.
    let mut project = Project::new(1, 1);
    project.set(
        "content.root",
        project.path("nowhere").display().to_string(),
    );
    let _ = project.run().exits(2);
}
