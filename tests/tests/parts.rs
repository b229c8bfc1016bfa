//! One run made in parts, by processes that share nothing but its storage.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use coordinator::run::plan::{NumParts, Shard, group, part_numbers};
use proptest::collection::{btree_set, vec};
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, TestRunner};
use shared::manifest::{ManifestRow, Status};
use shared::settings::ShardSize;
use tests::program::{Outcome, Running};
use tests::project::{Project, STYLES};
use tests::{repository, stored};

/// Into so many parts runs are divided here.
const NUM_PARTS: usize = 4;

/// What two equal runs agree about.
#[derive(Debug, PartialEq)]
struct Ending {
    pictures: BTreeMap<String, String>,
    rows: Vec<ManifestRow>,
}

/// A project of four contents, each of which is a part, in shards of an item each.
fn project(styles: usize) -> Project {
    let mut project = Project::new(NUM_PARTS, styles);
    project.set("shards.contents", 1);
    project.set("shards.styles", 1);
    project
}

fn part(project: &Project, number: usize) -> Command {
    let mut command = project.run_command();
    command.args(["--part", &format!("{number}/{NUM_PARTS}")]);
    command
}

fn run_part(project: &Project, number: usize) -> Outcome {
    Outcome::of(&mut part(project, number))
}

/// Returns what is printed of the parts that have something to do.
fn array(project: &Project, more: &[&str]) -> String {
    let words = [&["resume", "--parts", "4"][..], more].concat();
    project.about_run(&words).exits(0).stdout
}

/// Returns what a run has made, once an audit has found nothing.
fn ending(project: &Project) -> Ending {
    let _ = project.about_run(&["audit"]).exits(0);
    Ending {
        pictures: project.pictures(),
        rows: stored::deterministic(project.rows()),
    }
}

/// Returns what one process makes of such a project.
fn whole(styles: usize) -> Ending {
    let project = project(styles);
    let _ = project.run().exits(0);
    ending(&project)
}

#[test]
fn parts_in_any_order_and_again_make_what_one_process_makes() {
    let project = project(2);
    let manifest = project.stored("manifest.parquet");
    for number in [3, 1, 4, 3] {
        let outcome = run_part(&project, number).exits(0);
        let told = format!("part {number}/4 has ended: 2 of 2 images done");
        assert!(outcome.stdout.contains(&told), "{outcome}");
        assert!(!manifest.exists(), "{outcome}");
    }
    let images = stored::paths(&project.stored("images"));
    assert_eq!(images.len(), 6, "{images:?}");

    let outcome = project.about_run(&["collect"]).exits(1);
    let told = "2 of 8 shards of run small are still to be made";
    assert!(outcome.stdout.contains(told), "{outcome}");
    assert_eq!(project.rows().len(), 6);

    let outcome = run_part(&project, 2).exits(0);
    assert!(outcome.stdout.contains("8 of 8 images done"), "{outcome}");
    assert!(project.stored("report.json").exists());
    let made = ending(&project);
    assert_eq!(made, whole(2));

    let rows = project.rows();
    for _ in 0..2 {
        let outcome = project.about_run(&["collect"]).exits(0);
        assert!(outcome.stdout.contains("8 of 8 images done"), "{outcome}");
        assert_eq!(project.rows(), rows);
    }
    fs::remove_file(&manifest).unwrap();
    let _ = run_part(&project, 1).exits(0);
    assert_eq!(ending(&project), made);
}

#[test]
fn all_parts_at_once_some_twice_and_one_killed_make_what_one_process_makes() {
    let project = project(2);
    let start = |number| Running::start(&mut part(&project, number));
    let others: Vec<Running> = [1, 2, 3, 1, 2].map(start).into();
    let mut killed = start(4);
    let first = project.stored(&format!("images/{}/00004.png", STYLES[0]));
    assert!(killed.wait_until(|| first.exists()), "it has ended");
    killed.kill();
    for other in others {
        let _ = other.end().exits(0);
    }
    let _ = run_part(&project, 4).exits(0);
    assert_eq!(ending(&project), whole(2));
}

#[test]
fn a_part_that_is_told_to_stop_finishes_its_image_and_goes_on_later() {
    let mut project = Project::new(6, 1);
    project.set("shards.contents", 1);
    let both = |number: u32| {
        let mut command = project.run_command();
        command.args(["--part", &format!("{number}/2")]);
        command
    };
    let mut running = Running::start(&mut both(1));
    let first = project.stored("labels/00001.png");
    assert!(running.wait_until(|| first.exists()));
    running.signal("TERM");
    let outcome = running.end().exits(130);
    let told = "part 1/2 stopped on request; run it again to go on";
    assert!(outcome.stdout.contains(told), "{outcome}");
    assert!(!project.stored("manifest.parquet").exists());
    let _ = Outcome::of(&mut both(2)).exits(0);
    let _ = Outcome::of(&mut both(1)).exits(0);
    assert_eq!(project.rows().len(), 6);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn resume_prints_the_parts_that_have_something_to_do() {
    let project = project(1);
    for number in [2, 3] {
        let _ = run_part(&project, number).exits(0);
    }
    assert_eq!(array(&project, &[]), "--array=1,4\n");
    let previewed = array(&project, &["--dry-run"]);
    assert_eq!(previewed, "--array=1,4\n");
    for number in [1, 4] {
        let _ = run_part(&project, number).exits(0);
    }
    let outcome = project.about_run(&["resume", "--parts", "4"]).exits(0);
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(outcome.stderr.contains("nothing to do again"), "{outcome}");

    let gone = project.stored(&format!("images/{}/00002.png", STYLES[0]));
    fs::remove_file(&gone).unwrap();
    assert_eq!(array(&project, &[]), "--array=2\n");
    let _ = run_part(&project, 2).exits(0);
    assert!(gone.exists());
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn resume_without_a_broker_says_what_goes_on_with_the_run() {
    let project = project(1);
    let _ = run_part(&project, 2).exits(0);
    project.about_run(&["resume"]).exits(2).complains_about(&[
        "3 shards with 3 items",
        "no broker is named",
        "run it again with its settings",
        "--parts N prints the array",
        "SYNTH2REAL_BROKER_URL",
    ]);
}

/// Writes a program into a project's folder.
fn write_program(project: &Project, name: &str, script: &str) -> PathBuf {
    project.write(name, format!("#!/bin/sh\n{script}\n").as_bytes());
    let path = project.path(name);
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_slurm_task_whose_time_is_up_at_once_is_queued_again_a_few_times_and_no_more() {
    let project = Project::empty();
    // In place of synth2real: it works until it is told to stop.
    let works = "trap 'exit 130' TERM\n: > \"$WORKS\"\nwhile :; do sleep 0.01; done";
    let program = write_program(&project, "works", works);
    let _ = write_program(&project, "bin/scontrol", "echo \"$*\" >> \"$QUEUED\"");
    let (works, queued) = (project.path("is-at-work"), project.path("queued"));
    let path = std::env::var("PATH").unwrap();
    let end = |restarts: Option<&str>| {
        let _ = fs::remove_file(&works);
        let mut task = Command::new("sh");
        task.arg(repository("infra/slurm/array.sbatch"));
        task.args(["gta5.toml", "4"]);
        task.env("PATH", format!("{}:{path}", project.path("bin").display()));
        task.env("SYNTH2REAL", &program);
        task.env("WORKS", &works).env("QUEUED", &queued);
        task.env("SLURM_ARRAY_JOB_ID", "7");
        task.env("SLURM_ARRAY_TASK_ID", "3");
        task.env_remove("SLURM_RESTART_COUNT");
        task.envs(restarts.map(|count| ("SLURM_RESTART_COUNT", count)));
        let mut running = Running::start(&mut task);
        assert!(running.wait_until(|| works.exists()), "it has ended");
        running.signal("USR1");
        running.end()
    };
    for restarts in [None, Some("1"), Some("2")] {
        let told = end(restarts).exits(130);
        assert!(told.stderr.contains("queued again to go on"), "{told}");
    }
    let told = end(Some("3")).exits(2);
    for words in ["part 3/4", "3 times", "--time", "--signal"] {
        assert!(told.stderr.contains(words), "no {words:?}: {told}");
    }
    let queued = fs::read_to_string(queued).unwrap();
    assert_eq!(queued, "requeue 7_3\n".repeat(3));
}

#[test]
fn a_run_at_its_limit_is_halted_for_every_part_until_it_is_resumed() {
    let mut project = project(1);
    project.set("limits.max_failed", 0.3);
    for content in ["00001", "00002"] {
        project.write(&format!("gta5/images/{content}.png"), b"no picture");
    }
    let outcome = run_part(&project, 1).exits(1);
    let told = "part 1/4 has ended: 0 of 1 images done";
    assert!(outcome.stdout.contains(told), "{outcome}");
    // The second is one too many, and no part takes that back.
    for number in [2, 3, 2] {
        let outcome = run_part(&project, number).exits(1);
        for words in [
            "run small is halted (2 of 4 items",
            "resume small --parts 4",
        ] {
            assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
        }
    }
    assert!(stored::paths(&project.stored("images")).is_empty());

    assert_eq!(array(&project, &[]), "--array=3,4\n");
    for number in [3, 4] {
        let _ = run_part(&project, number).exits(0);
    }
    let rows = project.rows();
    let done = rows.iter().filter(|row| row.status == Status::Done);
    assert_eq!((rows.len(), done.count()), (4, 2));
    let _ = project.about_run(&["collect"]).exits(1);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn mended_inputs_are_taken_once_whichever_part_sees_them_first() {
    let project = project(1);
    for content in ["00001", "00003"] {
        project.write(&format!("gta5/images/{content}.png"), b"no picture");
    }
    for (number, code) in [(1, 1), (2, 0), (3, 1), (4, 0)] {
        let _ = run_part(&project, number).exits(code);
    }
    for content in ["00001", "00003"] {
        project.add_content(content, |picture| picture, |label| label);
    }
    let start = |number| Running::start(&mut part(&project, number));
    for running in [1, 2, 3, 4].map(start) {
        let _ = running.end().exits(0);
    }
    let decisions = stored::paths(&project.stored("decisions"));
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    assert_eq!(ending(&project).pictures, whole(1).pictures);
}

#[test]
fn a_part_that_there_is_not_is_refused() {
    let project = project(1);
    for part in ["", "3", "a/b", "3/", "0/4", "5/4", "1/0", "1/4/2"] {
        let mut command = project.run_command();
        let outcome = Outcome::of(command.args(["--part", part])).exits(2);
        let mut lines = outcome.stderr.lines();
        let told = lines.find(|line| line.contains("--part <K/N>"));
        assert!(told.is_some(), "{part:?}: {outcome}");
    }
    assert!(project.stored_nothing());
    for parts in ["0", "x", "1/4"] {
        let outcome = project.about_run(&["resume", "--parts", parts]).exits(2);
        assert!(outcome.stderr.contains("--parts <N>"), "{parts}: {outcome}");
    }
}

/// Returns shards of any pairs of contents and styles, and a number of parts.
fn plans() -> impl Strategy<Value = (Vec<Shard>, usize)> {
    let pairs = vec(btree_set(0_usize..40, 0..30), 1..6);
    let sizes = (1_usize..6, 1_usize..4);
    (pairs, sizes, 1_usize..20).prop_map(|(pairs, (contents, styles), num_parts)| {
        let pairs = pairs.into_iter().map(Vec::from_iter);
        let pairs: Vec<Vec<usize>> = pairs.collect();
        (group(&pairs, ShardSize { contents, styles }), num_parts)
    })
}

#[test]
fn parts_have_every_shard_once_and_equal_work_and_keep_contents_together() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&plans(), |(shards, num_parts)| {
        check_parts(&shards, num_parts);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn check_parts(shards: &[Shard], num_parts: usize) {
    let into: NumParts = num_parts.to_string().parse().unwrap();
    let numbers = part_numbers(shards, into);
    assert_eq!(numbers.len(), shards.len());
    let (mut works, mut groups) = (BTreeMap::new(), BTreeMap::new());
    for (shard, number) in shards.iter().zip(numbers) {
        assert!((1..=num_parts).contains(&(number as usize)), "{number}");
        let work = shard.contents.len() * (1 + shard.styles.len());
        *works.entry(number).or_insert(0) += work;
        let (in_parts, of_group) = groups
            .entry(&shard.contents)
            .or_insert((BTreeSet::new(), 0));
        in_parts.insert(number);
        *of_group += work;
    }
    assert!(groups.values().all(|(in_parts, _)| in_parts.len() == 1));
    let largest = groups.values().map(|&(_, work)| work).max().unwrap_or(0);
    let total: usize = works.values().sum();
    for (number, work) in works {
        let most = total + largest * num_parts;
        assert!(work * num_parts <= most, "part {number} has {work}");
    }
}
