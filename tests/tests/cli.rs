//! What a person sees: help, status, probe, and the files of a run.

use serde_json::Value;
use shared::settings::RunConfig;
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
    let expected: [(&[&str], &[&str]); 6] = [
        (
            &[],
            &[
                "run",
                "status",
                "audit",
                "transfer",
                "probe",
                "Exit codes",
                "130",
            ],
        ),
        (
            &["run"],
            &["CONFIG", "resume", "manifest", "infra/demo/run.toml"],
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
                "--style",
                "--style-label",
                "--out",
                "--config",
                "--set",
                "--noise",
                "--trace",
                "preset=paper",
            ],
        ),
        (&["probe"], &["CONFIG", "how long"]),
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
    for command in ["status", "audit"] {
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
    let paths = stored::paths(&project.path("out"));
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
            "runs/small/manifest.parquet",
            "runs/small/run.json",
            "runs/small/shards/000000.parquet",
        ]
    );

    let json = project.about_run(&["status", "--json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        status,
        serde_json::json!({
            "run": "small", "complete": true, "items": 4, "done": 4, "quarantined": 0, "failed": 0,
            "in_progress": 0, "shards": 1, "shards_committed": 1, "failed_attempts": 0, "reasons": {},
        })
    );
    let text = project.about_run(&["status"]).exits(0).stdout;
    assert!(
        text.contains("small is complete: 4 of 4 items done"),
        "{text}"
    );
}

#[test]
fn probe_says_how_much_work_a_run_is_and_starts_nothing() {
    let project = Project::new(2, 3);
    let mut command = synth2real();
    let outcome = Outcome::of(command.arg("probe").arg(project.settings())).exits(0);
    // 2 executed steps: 3 styles, and 2 contents with 3 outputs each.
    for words in [
        "2 contents, 3 styles, 6 items in 1 shards",
        "256x128, 6 injected layers",
        "22 UNet evaluations",
        "device-hours",
        "ETA ",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    assert!(project.stored_nothing());
}

#[test]
fn the_settings_of_the_demo_are_valid() {
    let settings = repository("infra/demo/run.toml");
    if !settings.exists() {
        println!("skipped: {} is not there", settings.display());
        return;
    }
    let config = RunConfig::load(&settings).unwrap();
    assert!(config.content.root.is_dir() && config.style.root.is_dir());
}
