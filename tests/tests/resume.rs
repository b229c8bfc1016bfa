//! Runs that are killed, stopped and run again end as if nothing had happened.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use shared::manifest::ManifestRow;
use tests::program::{Outcome, Running, synth2real};
use tests::project::Project;
use tests::{repository, stored};

const KILLS: usize = 5;
const SEED: &str = "SYNTH2REAL_TEST_SEED";

/// Returns a generator whose seed is printed and can be given.
fn chance() -> ChaCha12Rng {
    let given = std::env::var(SEED).ok();
    let seed = given.map_or(20, |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    ChaCha12Rng::seed_from_u64(seed)
}

/// A run under some root.
struct Run<'a> {
    name: &'a str,
    root: PathBuf,
    settings: PathBuf,
}

/// What two equal runs agree about.
#[derive(Debug, PartialEq)]
struct Ending {
    pictures: BTreeMap<String, String>,
    rows: Vec<ManifestRow>,
}

impl Run<'_> {
    fn command(&self) -> Command {
        let mut command = synth2real();
        command.arg("run").arg(&self.settings);
        command
    }

    fn folder(&self) -> PathBuf {
        self.root.join("runs").join(self.name)
    }

    fn num_files(&self) -> usize {
        stored::paths(&self.folder()).len()
    }

    fn result(&self) -> Ending {
        let mut audit = synth2real();
        audit.args(["audit", self.name, "--root"]).arg(&self.root);
        let _ = Outcome::of(&mut audit).exits(0);
        Ending {
            pictures: stored::pictures(&self.folder()),
            rows: stored::deterministic(stored::rows(&self.folder().join("manifest.parquet"))),
        }
    }
}

/// When a run is killed.
#[derive(Debug)]
enum Moment {
    /// As soon as it has stored this many files more.
    Stored(usize),
    /// After this time.
    Elapsed(Duration),
}

/// Kills a run at random moments, resumes it each time, and lets it end.
fn kill_and_resume(run: &Run<'_>, whole: &Run<'_>) {
    let mut chance = chance();
    let started = Instant::now();
    let _ = Outcome::of(&mut whole.command()).exits(0);
    let (length, files) = (started.elapsed(), whole.num_files());

    let mut killed = 0;
    for kill in 0..KILLS {
        let moment = if kill % 2 == 0 {
            Moment::Stored(chance.random_range(1..=files / KILLS))
        } else {
            let share = length.as_millis() as u64 / KILLS as u64;
            Moment::Elapsed(Duration::from_millis(chance.random_range(0..=share)))
        };
        let (before, started) = (run.num_files(), Instant::now());
        let mut running = Running::start(&mut run.command());
        let alive = running.wait_until(|| match moment {
            Moment::Stored(more) => run.num_files() >= before + more,
            Moment::Elapsed(time) => started.elapsed() >= time,
        });
        running.kill();
        killed += usize::from(alive);
        println!(
            "{} {moment:?}: {} of {files} files",
            if alive { "killed at" } else { "ended before" },
            run.num_files()
        );
    }
    assert!(killed > KILLS / 2, "only {killed} of {KILLS} were killed");
    let _ = Outcome::of(&mut run.command()).exits(0);
    assert_eq!(run.result(), whole.result());
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_bytes() {
    let mut project = Project::new(4, 2);
    project.set("shards.contents", 2);
    project.set("shards.styles", 1);
    let text = std::fs::read_to_string(project.settings()).unwrap();
    let run = |root: &str| {
        let root = project.path(root);
        Run {
            name: tests::project::RUN,
            settings: absolute_settings(&text, &project.path(""), &root),
            root,
        }
    };
    kill_and_resume(&run("killed"), &run("whole"));
}

#[test]
#[ignore = "takes minutes: make test-demo"]
fn the_demo_killed_at_random_moments_ends_with_the_same_bytes() {
    let demo = repository("infra/demo");
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(demo.join("run.toml")).unwrap();
    let name = text.parse::<toml::Table>().unwrap()["run"]["name"].clone();
    let run = |root: &str| {
        let root = folder.path().join(root);
        Run {
            name: name.as_str().unwrap(),
            settings: absolute_settings(&text, &demo, &root),
            root,
        }
    };
    kill_and_resume(&run("killed"), &run("whole"));
}

/// Writes a copy of settings with absolute paths and another storage root, and returns where it is.
fn absolute_settings(text: &str, folder: &Path, root: &Path) -> PathBuf {
    let mut settings: toml::Table = text.parse().unwrap();
    for (table, key) in [("content", "root"), ("style", "root"), ("model", "path")] {
        let value = &mut settings[table][key];
        let absolute = folder.join(value.as_str().unwrap());
        *value = absolute.to_str().unwrap().into();
    }
    settings["run"]["root"] = root.to_str().unwrap().into();
    let path = root.with_extension("toml");
    std::fs::write(&path, toml::to_string(&settings).unwrap()).unwrap();
    path
}

/// Signals a run when its first label is there, and checks that it ends in order and can be resumed.
fn stop_and_resume(signal: &str) {
    let project = Project::new(3, 1);
    let mut running = Running::start(&mut project.run_command());
    let first_label = project.stored("labels/00001.png");
    assert!(running.wait_until(|| first_label.exists()));
    running.signal(signal);
    let outcome = running.end().exits(130);
    for words in ["stopped on request", "run the same command again"] {
        assert!(outcome.stdout.contains(words), "{outcome}");
    }
    // The item in hand was finished, the others were not begun.
    assert!(project.stored("images/night_000001/00001.png").exists());
    assert!(!project.stored("labels/00003.png").exists());
    assert!(!project.stored("shards/000000.parquet").exists());

    let _ = project.run().exits(0);
    assert_eq!(project.rows().len(), 3);
    assert!(project.row("00001", "night_000001").work.is_none());
    assert!(project.row("00003", "night_000001").work.is_some());
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn an_interrupted_run_finishes_the_image_in_hand_and_goes_on_later() {
    stop_and_resume("INT");
}

#[test]
fn a_terminated_run_finishes_the_image_in_hand_and_goes_on_later() {
    stop_and_resume("TERM");
}
