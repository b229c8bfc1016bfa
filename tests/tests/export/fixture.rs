//! A small run, and exports of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use shared::digest;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, RUN};
use tests::stored;

/// Every layout.
pub(crate) const FORMATS: [&str; 5] = [
    "cityscapes",
    "webdataset",
    "huggingface",
    "coco-panoptic",
    "fiftyone",
];

/// Returns a project whose run of some contents in two styles has ended, a content in each shard.
pub(crate) fn converted(contents: usize) -> Project {
    let mut project = Project::new(contents, 2);
    project.set("shards.contents", 1);
    project.set("run.licences", "for research only");
    let _ = project.run().exits(0);
    project
}

/// Returns the command that exports a project's run into a folder of it.
pub(crate) fn command(project: &Project, format: &str, out: &str, options: &[&str]) -> Command {
    let mut command = synth2real();
    command.args(["export", RUN, "--as", format, "--root"]);
    command.arg(project.path("out")).arg("--out");
    command.arg(project.path(out)).args(options);
    command
}

/// Exports a project's run into a folder of it.
pub(crate) fn export(project: &Project, format: &str, out: &str, options: &[&str]) -> Outcome {
    Outcome::of(&mut command(project, format, out, options))
}

/// Compares an export in a folder of a project with its digests.
pub(crate) fn check(project: &Project, out: &str) -> Outcome {
    let mut command = synth2real();
    command.args(["export", RUN, "--check", "--out"]);
    Outcome::of(command.arg(project.path(out)))
}

/// Returns the digest of each file below a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, String> {
    let digested = |path: String| {
        let sha256 = digest::sha256_of_file(&folder.join(&path)).unwrap();
        (path, sha256)
    };
    stored::paths(folder).into_iter().map(digested).collect()
}
