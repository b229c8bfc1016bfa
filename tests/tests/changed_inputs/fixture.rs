//! Inputs that are replaced, and runs that refuse what they find.

use std::fs;

use tests::images::Picture;
use tests::program::Outcome;
use tests::project::Project;

pub(super) fn refused(project: &Project, words: &[&str]) -> Outcome {
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
pub(super) fn replace(project: &Project, file: &str) -> (Vec<u8>, Vec<u8>) {
    let before = fs::read(project.path(file)).unwrap();
    let shifted = (1..).map(|columns| Picture::decode(&before).shifted(37 * columns).encode());
    let mut others = shifted.filter(|other| other.len() != before.len());
    let after = others.next().unwrap();
    project.write(file, &after);
    (before, after)
}
