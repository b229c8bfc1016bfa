//! Runs that end before they are whole: they say what is stored, and go on when they are run again.

use std::fs;

use tests::program::Running;
use tests::project::Project;

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
