//! What is wrong in settings is said once, with its own name; paths are told as the places they really are.

use std::fs;
use std::process::Command;

use tests::golden_model;
use tests::program::{self, Outcome, synth2real};
use tests::project::{Project, RUN};

const USAGE: i32 = 2;
const ENVIRONMENT: i32 = 3;

#[test]
fn a_mistake_in_a_settings_file_is_said_once_by_every_command() {
    let project = Project::new(1, 1);
    project.write("run.toml", b"[run]\nname = 'small'\nroot = 3\n");
    let file = fs::canonicalize(project.settings()).unwrap();
    let expected = format!(
        "synth2real: settings file {}, line 3: run.root (3) must be text in quotes",
        file.display()
    );
    for command in ["run", "launch", "probe"] {
        let outcome = Outcome::of(synth2real().arg(command).arg(project.settings()));
        assert_eq!(outcome.exits(USAGE).complaint(), expected);
    }
}

#[test]
fn a_workers_setting_is_refused_by_its_own_name() {
    let project = Project::new(1, 1);
    for (setting, words) in [
        (
            "device = 'gpu'",
            "worker.toml: device (gpu) must be cpu or cuda:N",
        ),
        (
            "threads = 2000",
            "worker.toml: threads (2000) must be 0 to 1024",
        ),
        (
            "thread = 2",
            "line 2: unknown key thread: did you mean threads?",
        ),
    ] {
        let text = format!("root = 'out'\n{setting}\n[broker]\nurl = 'amqp://127.0.0.1:1'\n");
        project.write("worker.toml", text.as_bytes());
        let mut worker = Command::new(program::path_of("worker"));
        worker.arg("--config").arg(project.path("worker.toml"));
        worker.env_remove("SYNTH2REAL_BROKER_URL");
        let outcome = Outcome::of(&mut worker).exits(USAGE);
        assert!(outcome.stderr.contains(words), "{outcome}");
        assert!(!outcome.stderr.contains("engine."), "{outcome}");
    }
}

#[test]
fn a_device_that_cannot_be_used_is_told_with_the_key_that_names_it() {
    let mut project = Project::new(1, 1);
    project.set("engine.device", "cuda:0");
    let words = ["built without CUDA", "or set engine.device to cpu"];
    project.run().exits(ENVIRONMENT).complains_about(&words);

    let text = "root = 'out'\ndevice = 'cuda:0'\n[broker]\nurl = 'amqp://127.0.0.1:1'\n";
    project.write("worker.toml", text.as_bytes());
    let mut worker = Command::new(program::path_of("worker"));
    worker.arg("--config").arg(project.path("worker.toml"));
    worker.env_remove("SYNTH2REAL_BROKER_URL");
    let outcome = Outcome::of(&mut worker).exits(ENVIRONMENT);
    assert!(outcome.stderr.contains("or set device to cpu"), "{outcome}");

    let mut transfer = synth2real();
    transfer.arg("transfer").arg("--model").arg(golden_model());
    for (option, path) in [
        ("--content", "gta5/images/00001.png"),
        ("--content-label", "gta5/labels/00001.png"),
        ("--style", "style/images/night_000001_rgb_anon.png"),
        (
            "--style-label",
            "style/labels/night_000001_gt_labelColor.png",
        ),
        ("--out", "out.png"),
    ] {
        transfer.arg(option).arg(project.path(path));
    }
    let outcome = Outcome::of(transfer.args(["--device", "cuda:0"])).exits(ENVIRONMENT);
    outcome.complains_about(&["or set --device to cpu"]);
}

#[test]
fn more_threads_than_the_machine_can_run_are_refused_before_any_work() {
    let mut project = Project::new(1, 1);
    let cores = std::thread::available_parallelism().unwrap().get();
    let threads = i64::try_from(4 * cores + 1).unwrap();
    project.set("engine.threads", threads);
    let words = [
        format!("engine.threads ({threads}) must be 0 to {}", 4 * cores),
        format!("this machine has {cores} cores"),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    project.run().exits(USAGE).complains_about(&words);
    assert!(project.stored_nothing());
}

#[test]
fn home_and_variables_in_paths_are_expanded_and_told_as_the_places_they_are() {
    let mut project = Project::new(1, 1);
    let home = fs::canonicalize(project.path("")).unwrap();
    project.set("run.root", "~/out");
    project.set("content.root", "${DATA}/gta5");
    let mut run = project.run_command();
    run.env("HOME", &home).env("DATA", &home).current_dir("/");
    let outcome = Outcome::of(&mut run).exits(0);
    let stored = home.join("out/runs/small");
    let told = format!("images {0}/images, labels {0}/labels", stored.display());
    assert!(outcome.stdout.contains(&told), "{outcome}");
    assert!(!project.path("~").exists());

    for root in ["~/out", "${HOME}/out"] {
        let mut status = synth2real();
        status.args(["status", RUN]).env("HOME", &home);
        let by_variable = Outcome::of(status.env("SYNTH2REAL_ROOT", root)).exits(0);
        assert!(
            by_variable.stdout.contains("1 of 1 items done"),
            "{by_variable}"
        );
    }
    let mut report = synth2real();
    report.args(["report", RUN, "--root=~/out", "--html=~/page.html"]);
    let outcome = Outcome::of(report.env("HOME", &home)).exits(0);
    let page = home.join("page.html");
    assert!(
        outcome.stdout.contains(&page.display().to_string()),
        "{outcome}"
    );
    assert!(page.exists());
}

#[test]
fn a_path_that_cannot_be_expanded_is_refused_with_what_to_write() {
    let mut project = Project::new(1, 1);
    project.set("run.root", "$HOME/out");
    let words = ["run.root", "must have ${HOME} for the variable HOME"];
    project.run().exits(USAGE).complains_about(&words);
    project.set("run.root", "${SYNTH2REAL_NOWHERE}/out");
    let words = ["run.root", "the variable SYNTH2REAL_NOWHERE is not set"];
    project.run().exits(USAGE).complains_about(&words);

    let mut status = synth2real();
    let status = status.args(["status", RUN, "--root", "~nobody/out"]);
    let words = ["--root (\"~nobody/out\")", "only ~ and ~/ are expanded"];
    Outcome::of(status).exits(USAGE).complains_about(&words);
    let mut transfer = synth2real();
    transfer.args([
        "transfer",
        "--model",
        "$MODEL",
        "--content",
        "a",
        "--content-label",
        "a",
    ]);
    transfer.args(["--style", "a", "--style-label", "a", "--out", "a"]);
    let outcome = Outcome::of(&mut transfer).exits(USAGE);
    assert!(outcome.stderr.contains("${MODEL}"), "{outcome}");
}

#[test]
fn what_is_not_there_is_told_as_the_place_where_it_was_looked_for() {
    let project = Project::new(1, 1);
    let home = fs::canonicalize(project.path("")).unwrap();
    let mut status = synth2real();
    status.args(["status", RUN, "--root", "nowhere/../elsewhere"]);
    let outcome = Outcome::of(status.current_dir(&home)).exits(USAGE);
    let record = home.join("elsewhere/runs/small/run.json");
    outcome.complains_about(&[&record.display().to_string()]);
    let mut run = synth2real();
    let outcome = Outcome::of(run.args(["run", "no.toml"]).current_dir(&home)).exits(USAGE);
    outcome.complains_about(&[&home.join("no.toml").display().to_string()]);
}

#[test]
fn a_setting_of_the_command_line_is_refused_as_it_was_given() {
    let model = golden_model().display().to_string();
    let transfer = |set: &str| {
        let mut command = synth2real();
        command.args([
            "transfer",
            "--model",
            &model,
            "--content",
            "a",
            "--content-label",
            "a",
        ]);
        command.args([
            "--style",
            "a",
            "--style-label",
            "a",
            "--out",
            "/nowhere/a",
            "--set",
            set,
        ]);
        Outcome::of(&mut command).exits(USAGE)
    };
    transfer("steps=0").complains_about(&["--set steps (0) must be 1 to 1000"]);
    transfer("step=5").complains_about(&["--set step=5", "did you mean steps?"]);
    transfer("steps=20").complains_about(&["method.skip (30) must be below method.steps (20)"]);
    transfer("steps=40").complains_about(&["--out", "there is no folder /nowhere"]);
}

#[test]
fn where_what_does_not_fit_into_memory_cannot_be_written_is_told_before_any_work() {
    let mut project = Project::new(1, 1);
    project.write("file", b"");
    project.set("engine.cache_dir", "file/cache");
    let words = ["cannot write temporary files in", "file/cache"];
    project.run().exits(ENVIRONMENT).complains_about(&words);
    let mut probe = synth2real();
    let probe = Outcome::of(probe.arg("probe").arg(project.settings())).exits(ENVIRONMENT);
    assert!(probe.stderr.contains("file/cache"), "{probe}");
    assert!(project.stored_nothing());
}

#[test]
fn what_is_asked_for_and_cannot_be_given_is_told_by_run_and_probe() {
    let mut project = Project::new(2, 1);
    project.set("method.injected_steps", "700..900");
    project.set("pairing.contents_per_style", 50);
    let ran = project.run().exits(0);
    let mut probe = synth2real();
    let probed = Outcome::of(probe.arg("probe").arg(project.settings())).exits(0);
    for words in [
        "injects the style at 0 (method.injected_steps =",
        "contents_per_style (50) asks 50 items of 1 style, and 2 contents make 2",
    ] {
        assert!(ran.stderr.contains(words), "no {words:?}: {ran}");
        assert!(probed.stdout.contains(words), "no {words:?}: {probed}");
    }
    assert_eq!(project.rows().len(), 2);
}
