//! Methods without a model: whole runs, transfers and workers where there is neither a model nor ONNX Runtime.

use std::fs;
use std::process::Command;
use std::time::Duration;

use shared::item_metric::ItemMetric;
use shared::manifest::Status;
use tests::broker::Options;
use tests::fleet::{Fleet, RUN as FLEET_RUN};
use tests::http::{Answer, ask};
use tests::program::{Outcome, synth2real};
use tests::project::{Project, RUN};
use tests::service::Service;
use tests::{golden_model, stored};

const USAGE: i32 = 2;
const METHODS: [&str; 4] = ["reinhard", "histogram", "fda", "identity"];
const NO_RUNTIME: (&str, &str) = ("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");

fn project(method: &str) -> Project {
    let mut project = Project::new(2, 2);
    project.make_without_model(method);
    project
}

/// Returns how a command ends where ONNX Runtime is not there.
fn without_runtime(command: &mut Command) -> Outcome {
    Outcome::of(command.env(NO_RUNTIME.0, NO_RUNTIME.1))
}

#[test]
fn a_run_without_a_model_converts_audits_and_reports_where_onnx_runtime_is_not_there() {
    for method in METHODS {
        let project = project(method);
        let _ = without_runtime(&mut project.run_command()).exits(0);
        let rows = project.rows();
        assert_eq!(rows.len(), 4, "{method}");
        for row in &rows {
            assert_eq!(row.status, Status::Done, "{row:?}");
            assert_eq!(row.model_sha256, "", "{row:?}");
            assert_eq!(row.device, "cpu", "{row:?}");
            let work = row.work.unwrap();
            assert_eq!(work.unet_evaluations + work.style_evaluations, 0.0);
            let ssim = row.quality.as_ref().unwrap().figures[ItemMetric::Ssim].unwrap();
            assert_eq!(ssim > 0.999_999, method == "identity", "{method}: {ssim}");
        }
        let _ = project.about_run(&["audit"]).exits(0);
        let _ = project.about_run(&["audit", "--deep"]).exits(0);
        let report = project.about_run(&["report"]).exits(0);
        let expected = format!("run {RUN}: {method} at 256x128; 4 of 4 items done");
        assert!(report.stdout.contains(&expected), "{report}");
        assert!(!report.stdout.contains("UNet"), "{report}");
        assert!(project.stored("contact-sheet.png").is_file());
    }
}

#[test]
fn a_run_without_a_model_goes_on_to_the_same_bytes() {
    let project = project("fda");
    let _ = project.run().exits(0);
    let before = project.pictures();
    fs::remove_file(project.stored("images/night_000001/00001.png")).unwrap();
    let _ = without_runtime(&mut project.run_command()).exits(0);
    assert_eq!(project.pictures(), before);

    // Without its commit a shard is made again: of what is stored nothing, of what is gone the same.
    let shards = project.stored("shards");
    fs::remove_dir_all(&shards).unwrap();
    fs::remove_file(project.stored("images/night_000002/00002.png")).unwrap();
    let _ = without_runtime(&mut project.run_command()).exits(0);
    assert_eq!(project.pictures(), before);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn other_settings_of_a_method_without_a_model_are_another_run() {
    let mut project = project("fda");
    let _ = project.run().exits(0);
    project.set("method.steps", 10);
    let _ = project.run().exits(0);
    project.set("method.beta", 0.1);
    let words = ["method.beta was 0.01 and is now 0.1"];
    project.run().exits(USAGE).complains_about(&words);
    project.set("method.method", "identity");
    let words = ["method.beta was 0.01 and is now not set"];
    project.run().exits(USAGE).complains_about(&words);
}

#[test]
fn a_model_is_refused_where_the_method_has_none_and_missed_where_it_has_one() {
    let mut project = project("reinhard");
    project.set("method.method", "cactif");
    let words = ["model.path (absent) must be there", "method cactif"];
    project.run().exits(USAGE).complains_about(&words);
    project.set("method.method", "reinhard");
    project.set("model.path", golden_model().display().to_string());
    let words = [
        "model.path (",
        "must be absent: method reinhard has no model",
    ];
    project.run().exits(USAGE).complains_about(&words);
    assert!(project.stored_nothing());
}

#[test]
fn networks_judge_a_run_without_a_model_as_any_other() {
    let mut project = project("histogram");
    project.judge_by_demo_features();
    project.judge_labels();
    let _ = project.run().exits(0);
    let report = project.about_run(&["report"]).exits(0);
    assert!(report.stdout.contains("FID"), "{report}");
    for row in project.rows() {
        let quality = row.quality.unwrap();
        assert!(quality.agreement_figures.is_some());
    }
}

#[test]
fn a_probe_and_a_doctor_tell_of_a_run_without_a_model_what_it_needs() {
    let project = project("identity");
    let mut probe = synth2real();
    let probed = without_runtime(probe.arg("probe").arg(project.settings())).exits(0);
    for words in [
        "model    none: identity at 256x128",
        "device   cpu: an output takes 0.",
        "ETA      ",
    ] {
        assert!(probed.stdout.contains(words), "no {words:?}: {probed}");
    }
    assert!(!probed.stdout.contains("UNet"), "{probed}");
    assert!(project.stored_nothing());

    let mut doctor = synth2real();
    let told = without_runtime(doctor.arg("doctor").arg(project.settings())).exits(0);
    for words in [
        "onnxruntime  ok       not needed: method identity has no model",
        "2 contents, 2 styles, 4 items; identity at 256x128",
    ] {
        assert!(told.stdout.contains(words), "no {words:?}: {told}");
    }
}

/// Returns the page of the run, once the dashboard has read it.
fn page(service: &Service) -> Answer {
    for _ in 0..600 {
        let page = ask(&service.address, "GET", &format!("/runs/{RUN}"), &[], "");
        if page.status == 200 {
            return page;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("the run does not come: {}", service.said());
}

#[test]
fn the_dashboard_shows_a_run_without_a_model_by_its_method() {
    let project = project("reinhard");
    let _ = project.run().exits(0);
    let service = Service::serve(&project.path("out"), &[]);
    let page = page(&service);
    assert!(page.body.contains("reinhard") && page.body.contains("256 × 128"));
    for word in ["<dt>Steps</dt>", "<dt>Model</dt>", "UNet"] {
        assert!(!page.body.contains(word), "{word}: {}", page.body);
    }
    let _ = service.stop();
}

#[test]
fn a_transfer_without_a_model_gives_the_image_of_a_run() {
    let project = project("fda");
    let _ = project.run().exits(0);
    let transfer = |options: &[&str]| {
        let mut command = synth2real();
        command.arg("transfer").args(options);
        for (option, file) in [
            ("--content", "gta5/images/00001.png"),
            ("--style", "style/images/night_000001_rgb_anon.png"),
            ("--out", "out.png"),
        ] {
            command.arg(option).arg(project.path(file));
        }
        command.args(["--set", "width=256", "--set", "height=128"]);
        without_runtime(&mut command)
    };
    let _ = transfer(&["--set", "method=fda"]).exits(0);
    let made = fs::read(project.path("out.png")).unwrap();
    let image = project.stored("images/night_000001/00001.png");
    assert!(made == fs::read(image).unwrap());

    let model = golden_model().display().to_string();
    transfer(&["--set", "method=fda", "--model", &model])
        .exits(USAGE)
        .complains_about(&["--model is of methods with a model", "fda has none"]);
    transfer(&["--set", "method=adain"])
        .exits(USAGE)
        .complains_about(&["--model is missing", "method adain"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_without_onnx_runtime_make_a_run_without_a_model() {
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.make_without_model("histogram");
    let (name, value) = NO_RUNTIME;
    fleet.environment.push((name, value.to_owned()));
    let outcome = fleet.launch().exits(0);
    assert!(outcome.stdout.contains("12 shards published"), "{outcome}");
    fleet.serve();
    fleet.worker_arguments = &["--without-runtime"];
    (0..2).for_each(|_| fleet.join());
    fleet.wait_until_complete();
    let images = stored::paths(&fleet.stored().join("images"));
    assert_eq!(images.len(), 36, "{images:?}");
    assert_eq!(fleet.ending(), fleet.undisturbed());
    let _ = fleet.synth2real(&["audit", FLEET_RUN]).exits(0);
    let _ = fleet.end();
}
