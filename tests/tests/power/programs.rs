//! Real programs on a disk whose power is cut at random moments.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;
use rand::RngExt;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::manifest::{self, ManifestRow};
use tests::power::MountedDisk;
use tests::program::Running;
use tests::project::{Project, RUN};
use tests::{mounts, stored};

use super::fixture::{Files, chance};

/// Cuts of a run of real programs.
const CUTS: usize = 6;

/// What two equal runs agree about.
#[derive(Debug, PartialEq)]
struct Ending {
    pictures: BTreeMap<String, String>,
    rows: Vec<ManifestRow>,
}

impl Ending {
    fn of(project: &Project) -> Self {
        let _ = project.about_run(&["audit"]).exits(0);
        Self {
            pictures: project.pictures(),
            rows: stored::deterministic(project.rows()),
        }
    }
}

#[test]
fn a_run_whose_power_is_cut_at_random_moments_ends_with_the_same_bytes() {
    mounts::served(
        "programs::a_run_whose_power_is_cut_at_random_moments_ends_with_the_same_bytes",
        cut_and_run_again,
    );
}

fn cut_and_run_again() {
    let mut chance = chance();
    let mut project = Project::new(3, 2);
    project.set("shards.contents", 1);
    project.set("shards.styles", 1);
    fs::create_dir_all(project.path("out")).unwrap();
    let disk = MountedDisk::mount(&project.path("out")).unwrap();
    let _ = project.run().exits(0);
    let (steps, whole, files) = (disk.steps(), Ending::of(&project), disk.files());
    disk.erase();

    let mut cuts = 0;
    while cuts < CUTS {
        // What the last call was about need not be safe yet.
        let mut most_lost = 1;
        let mut has_ended = false;
        if chance.random_range(0..2) == 0 {
            // The program alone is killed, so that the next one finds what nobody has synced.
            has_ended = !run_until_stopped(&project, &disk, chance.random_range(0..steps));
            disk.go_on();
            most_lost += 1;
        }
        let moment = chance.random_range(0..steps);
        has_ended = has_ended || !run_until_stopped(&project, &disk, moment);
        if has_ended {
            assert_eq!(Ending::of(&project), whole);
            disk.erase();
            continue;
        }
        let before = disk.files();
        let is_all_lost = cuts % 2 == 0;
        disk.cut_power(&mut |of| match is_all_lost {
            true => 0,
            false => chance.random_range(0..of),
        });
        let left = disk.files();
        println!(
            "cut after {moment} of {steps} steps: {} of {} files are left",
            left.len(),
            before.len()
        );
        check_what_is_left(&before, &left, &files, most_lost);
        cuts += 1;
    }
    let _ = project.run().exits(0);
    assert_eq!(Ending::of(&project), whole);
}

/// Runs the program until the disk stops after some steps, and kills it then; returns false if it ended before, as one that
/// is not disturbed.
fn run_until_stopped(project: &Project, disk: &MountedDisk, steps: usize) -> bool {
    disk.stop_after(steps);
    let mut running = Running::start(&mut project.run_command());
    let has_stopped = running.wait_until(|| disk.has_stopped()) || disk.has_stopped();
    if has_stopped {
        running.kill();
    } else {
        disk.go_on();
        let _ = running.end().exits(0);
    }
    has_stopped
}

/// Proves that nothing is half there, that no commit speaks of what is lost, and that little is lost: a run makes one object
/// after the other, so all but the last had been acknowledged.
fn check_what_is_left(before: &Files, left: &Files, whole: &Files, most_lost: usize) {
    let lost: Vec<&String> = before
        .keys()
        .filter(|path| is_written_once(path) && !left.contains_key(*path))
        .collect();
    assert!(lost.len() <= most_lost, "lost: {lost:?}");
    let of_run = |folder: &str| format!("runs/{RUN}/{folder}/");
    for (path, bytes) in left {
        let pictures = ["images", "labels"].map(of_run);
        if pictures.iter().any(|folder| path.starts_with(folder)) {
            assert!(whole[path] == *bytes, "{path} has other bytes");
        }
        if path.starts_with(&of_run("shards")) {
            check_commit(path, bytes, left);
        }
    }
}

/// Proves that all is there that a commit speaks of.
fn check_commit(path: &str, bytes: &[u8], left: &Files) {
    let rows = manifest::read(Bytes::copy_from_slice(bytes));
    let rows = rows.unwrap_or_else(|error| panic!("{path} is half there: {error}"));
    for row in rows {
        let output = row.output.unwrap();
        for (key, sha256) in [
            (output.image_key, output.image_sha256),
            (output.label_key, output.label_sha256),
        ] {
            let there = left.get(&key).map(|bytes| digest::sha256(bytes));
            assert_eq!(there, Some(sha256), "{path} speaks of {key}");
        }
    }
}

fn is_written_once(path: &str) -> bool {
    let run = || RUN.parse().unwrap();
    let rebuildable = [
        ArtifactKey::Manifest(run()),
        ArtifactKey::Report(run()),
        ArtifactKey::Tally(run()),
        ArtifactKey::ContactSheet(run()),
    ];
    path.starts_with(&format!("runs/{RUN}/"))
        && !path.starts_with(&format!("runs/{RUN}/fid/"))
        && !path.starts_with(&format!("runs/{RUN}/making/"))
        && rebuildable.iter().all(|key| key.path() != path)
}
