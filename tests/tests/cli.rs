//! What a person sees: help, status, probe, and the files of a run.

use serde_json::Value;
use shared::location::Location;
use shared::settings::{RunConfig, WorkerConfig};
use tests::program::{Outcome, synth2real};
use tests::project::Project;
use tests::{repository, stored};

fn help(words: &[&str]) -> String {
    Outcome::of(synth2real().args(words).arg("--help"))
        .exits(0)
        .stdout
}

#[test]
fn the_help_of_every_command_says_what_it_does_and_takes() {
    let expected: [(&[&str], &[&str]); 16] = [
        (
            &[],
            &[
                "run",
                "demo",
                "launch",
                "serve",
                "status",
                "resume",
                "cancel",
                "collect",
                "audit",
                "export",
                "transfer",
                "probe",
                "compare",
                "doctor",
                "completions",
                "man",
                "Exit codes",
                "130",
            ],
        ),
        (
            &["run"],
            &[
                "CONFIG",
                "resume",
                "manifest",
                "infra/demo/run.toml",
                "--part <K/N>",
            ],
        ),
        (
            &["status"],
            &["RUN", "--root", "SYNTH2REAL_ROOT", "--watch", "--json"],
        ),
        (&["audit"], &["RUN", "--root", "digests", "exit 1"]),
        (
            &["transfer"],
            &[
                "--model",
                "--content",
                "--content-label",
                "--content-classes",
                "--style",
                "--style-label",
                "--style-classes",
                "--prior",
                "--prototype",
                "--out",
                "--config",
                "--set",
                "--noise",
                "--trace",
                "preset=paper",
            ],
        ),
        (&["probe"], &["CONFIG", "how long"]),
        (
            &["compare"],
            &[
                "CONFIG",
                "--vary",
                "KEY=V1,V2",
                "--contents",
                "--styles",
                "--pick",
                "--dashboard",
            ],
        ),
        (&["launch"], &["CONFIG", "broker", "Workers", "same path"]),
        (&["serve"], &["--root", "--every", "manifests"]),
        (
            &["resume"],
            &[
                "RUN",
                "--only",
                "missing",
                "failed",
                "quarantined",
                "--reason",
                "bad-input",
                "--reason-contains",
                "--style",
                "--shard",
                "--parts",
                "--array=3,17",
                "--dry-run",
            ],
        ),
        (&["cancel"], &["RUN", "resume"]),
        (
            &["export"],
            &[
                "RUN",
                "--as",
                "cityscapes",
                "webdataset",
                "huggingface",
                "coco-panoptic",
                "fiftyone",
                "--out",
                "--style",
                "--class",
                "--without",
                "doubtful",
                "--val",
                "--split",
                "--partial",
                "--link",
                "--file-bytes",
                "--licence",
                "--check",
                "exit 1",
            ],
        ),
        (&["collect"], &["RUN", "--root", "manifest", "exit 1"]),
        (
            &["doctor"],
            &["CONFIG", "--root", "--broker", "--json", "exit 3"],
        ),
        (&["completions"], &["bash", "zsh", "fish"]),
        (&["man"], &["--out", "man1"]),
    ];
    for (command, words) in expected {
        let help = help(command);
        for word in words {
            assert!(
                help.contains(word),
                "no {word:?} in the help of {command:?}:\n{help}"
            );
        }
    }
}

#[test]
fn an_unknown_command_is_wrong_usage() {
    let outcome = Outcome::of(synth2real().arg("convert")).exits(2);
    assert!(outcome.stderr.contains("convert"), "{outcome}");
}

#[test]
fn a_run_that_does_not_exist_is_wrong_usage_and_named() {
    let project = Project::new(1, 1);
    for command in ["status", "audit", "resume", "cancel", "collect"] {
        project
            .about_run(&[command])
            .exits(2)
            .complains_about(&["small", "--root"]);
    }
}

#[test]
fn a_run_stores_these_files_and_status_counts_them() {
    let project = Project::new(2, 2);
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("4 of 4 images done"), "{outcome}");
    let record: Value =
        serde_json::from_slice(&std::fs::read(project.stored("run.json")).unwrap()).unwrap();
    let plan = record["frozen"]["plan_sha256"].as_str().unwrap();
    let paths = stored::paths(&project.path("out"));
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.replace(plan, "SHA256"))
        .collect();
    assert_eq!(
        paths,
        [
            "runs/small/contact-sheet.png",
            "runs/small/images/night_000001/00001.png",
            "runs/small/images/night_000001/00002.png",
            "runs/small/images/night_000002/00001.png",
            "runs/small/images/night_000002/00002.png",
            "runs/small/labels/00001.png",
            "runs/small/labels/00002.png",
            "runs/small/making/000000.json",
            "runs/small/manifest.parquet",
            "runs/small/plan-SHA256.json",
            "runs/small/report.json",
            "runs/small/run.json",
            "runs/small/shards/000000.parquet",
            "runs/small/tally.json",
        ]
    );

    let json = project.about_run(&["status", "--json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        status,
        serde_json::json!({
            "run": "small", "complete": true, "items": 4, "done": 4, "quarantined": 0, "failed": 0,
            "in_progress": 0, "shards": 1, "shards_committed": 1, "shards_failed": 0,
            "failed_attempts": 0, "retried": 0, "reasons": {},
        })
    );
    let text = project.about_run(&["status"]).exits(0).stdout;
    assert!(
        text.contains("small is complete: 4 of 4 items done"),
        "{text}"
    );
    // How far a run is does not depend on a broker that is away.
    let mut status = synth2real();
    status
        .args(["status", "small", "--root"])
        .arg(project.path("out"));
    status.env("SYNTH2REAL_BROKER_URL", "amqp://127.0.0.1:9");
    let text = Outcome::of(&mut status).exits(0).stdout;
    assert!(text.contains("4 of 4 items done"), "{text}");
    assert!(
        text.contains("broker: cannot connect at amqp://127.0.0.1:9"),
        "{text}"
    );
}

#[test]
fn probe_says_how_much_work_a_run_is_and_starts_nothing() {
    let project = Project::new(2, 3);
    let mut command = synth2real();
    let outcome = Outcome::of(command.arg("probe").arg(project.settings())).exits(0);
    // 2 executed steps, the second of which injects: 3 styles and 6 outputs once, 2 contents twice.
    for words in [
        "2 contents, 3 styles, 6 items in 1 shard\n",
        "256x128, 6 injected layers",
        "13 UNet evaluations",
        "judges   SSIM: 0.",
        "0.00 device-hours so far, ",
        " to come",
        "s of an output",
        "ETA ",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    assert!(project.stored_nothing());
}

#[test]
fn the_worker_says_what_it_takes() {
    let mut command = std::process::Command::new(tests::program::path_of("worker"));
    let help = Outcome::of(command.arg("--help")).exits(0).stdout;
    for word in [
        "--config",
        "SIGTERM",
        "Exit codes",
        "infra/demo/worker.toml",
    ] {
        assert!(help.contains(word), "no {word:?}:\n{help}");
    }
}

#[test]
fn what_needs_a_broker_says_so_when_none_is_named() {
    let project = Project::new(1, 1);
    let launch = Outcome::of(synth2real().arg("launch").arg(project.settings())).exits(2);
    launch.complains_about(&["SYNTH2REAL_BROKER_URL", "broker.url", "synth2real run"]);
    assert!(project.stored_nothing());
    let mut launch = synth2real();
    let nobody = "amqp://user:s3cret@127.0.0.1:9/%2f";
    launch
        .arg("launch")
        .arg(project.settings())
        .env("SYNTH2REAL_BROKER_URL", nobody);
    let outcome = Outcome::of(&mut launch).exits(3);
    outcome.complains_about(&["127.0.0.1:9", "is it running"]);
    assert!(!outcome.stderr.contains("s3cret"), "{outcome}");
}

#[test]
fn the_settings_of_the_demo_are_valid() {
    let worker = WorkerConfig::load(&repository("infra/demo/worker.toml")).unwrap();
    assert_eq!(worker.broker.namespace, "synth2real");
    let config = RunConfig::load(&repository("infra/demo/run.toml")).unwrap();
    let is_folder =
        |location: &Location| matches!(location, Location::Folder(path) if path.is_dir());
    assert!(is_folder(&config.content.root) && is_folder(&config.style.root));
}

#[test]
fn the_demo_is_copied_into_a_folder_and_converted_there() {
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("new/demo");
    let convert = || {
        let mut command = synth2real();
        command.arg("demo").arg(&demo);
        // That it is converted is for `make test-wheel`, as it takes a minute.
        Outcome::of(command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so"))
    };
    let words = ["cannot find ONNX Runtime", "/nowhere/libonnxruntime.so"];
    for _ in 0..2 {
        convert().exits(3).complains_about(&words);
        let config = RunConfig::load(&demo.join("run.toml")).unwrap();
        let root = demo.canonicalize().unwrap().join("out");
        assert_eq!(config.root, Location::Folder(root));
    }
    std::fs::write(demo.join("data/gta5/labels/00001.png"), "a label").unwrap();
    let words = ["00001.png is there", "choose another folder"];
    convert().exits(2).complains_about(&words);
}

#[test]
fn of_a_run_that_has_ended_there_is_nothing_to_cancel() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    let outcome = project.about_run(&["cancel"]).exits(0);
    assert!(
        outcome.stdout.contains("there is nothing to cancel"),
        "{outcome}"
    );
    assert!(!project.stored("decisions").exists());
    std::fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    let outcome = project.about_run(&["cancel"]).exits(0);
    assert!(
        outcome.stdout.contains("run small is cancelled"),
        "{outcome}"
    );
}
