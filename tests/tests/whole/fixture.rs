//! Runs of the program that are meddled with while they work.

use std::fs;
use std::path::PathBuf;

use tests::program::{Outcome, Running};
use tests::project::Project;

/// A project of six shards with an item each.
pub(super) fn six_shards() -> Project {
    let mut project = Project::new(6, 1);
    project.set("shards.contents", 1);
    project
}

/// Starts a run, does something once its first shard is committed, and returns how it ended.
pub(super) fn meddled_with(project: &Project, meddle: impl FnOnce()) -> Outcome {
    let mut running = Running::start(&mut project.run_command());
    let first = project.stored("shards/000000.parquet");
    assert!(running.wait_until(|| first.exists()));
    meddle();
    running.end()
}

pub(super) fn plan(project: &Project) -> PathBuf {
    let entries = fs::read_dir(project.stored("")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let is_plan = |path: &PathBuf| path.to_string_lossy().contains("plan-");
    paths.find(is_plan).unwrap()
}
