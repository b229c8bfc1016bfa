//! Settings of a combination that are written for a run of all.

use std::fs;
use std::path::Path;

use tests::program::{Outcome, synth2real};
use tests::project::Project;
use tests::stored;

use crate::{USAGE, compare, comparison, picked_path, project, stored_path};

/// Writes settings with comments, and returns the project.
fn with_comments() -> Project {
    let project = project(2, 1);
    let text = fs::read_to_string(project.settings()).expect("settings");
    let text = format!("# What we have tried.\n{text}\n# The end.\n");
    project.write("run.toml", text.as_bytes());
    project
}

#[test]
fn the_settings_of_a_combination_are_written_once_with_comments_and_make_the_same_images() {
    let project = with_comments();
    let _ = compare(&project, &["--vary", "beta=0.02,0.1", "--contents", "2"]).exits(0);
    let comparison = comparison(&project);
    let path = picked_path(&project, &comparison, 2);
    let _ = compare(&project, &["--pick", "2"]).exits(0);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("# What we have tried.") && text.contains("# The end."));
    assert!(text.contains("beta = 0.1"), "{text}");
    let again = compare(&project, &["--pick", "2"]).exits(0);
    assert!(again.stdout.starts_with("there already: "), "{again}");

    let _ = Outcome::of(synth2real().arg("run").arg(&path)).exits(0);
    let small = format!("runs/{}", comparison.combinations[1].run);
    let images = |folder: &Path| {
        let pictures = stored::pictures(folder).into_iter();
        let images = pictures.filter(|(path, _)| path.starts_with("images/"));
        images.collect::<Vec<_>>()
    };
    let made = images(&project.stored(""));
    assert_eq!(made.len(), 2);
    assert_eq!(made, images(&stored_path(&project, &small)));

    fs::write(&path, format!("{text}# by hand\n")).unwrap();
    compare(&project, &["--pick", "2"])
        .exits(USAGE)
        .complains_about(&["is there and is another file", "move it away"]);
    assert!(fs::read_to_string(&path).unwrap().ends_with("# by hand\n"));
}

#[test]
fn what_cannot_be_picked_is_told_in_one_line() {
    let mut project = project(1, 1);
    let pick = |project: &Project, number: &str, words: &[&str]| {
        let outcome = compare(project, &["--pick", number]);
        outcome.exits(USAGE).complains_about(words);
    };
    pick(
        &project,
        "1",
        &["--pick 1: nothing was compared for run small"],
    );
    let _ = compare(&project, &["--vary", "method=fda,identity"]).exits(0);
    for number in ["0", "3", "100000000000"] {
        pick(&project, number, &["it must be 1 to 2"]);
    }
    project.set("method.seed", 43);
    pick(&project, "1", &["is not as it was compared"]);
    let both = compare(&project, &["--pick", "1", "--vary", "method=fda"]);
    let both = both.exits(USAGE);
    assert!(both.stderr.contains("cannot be used with"), "{both}");
    let neither = compare(&project, &[]).exits(USAGE);
    assert!(neither.stderr.contains("--vary"), "{neither}");
}
