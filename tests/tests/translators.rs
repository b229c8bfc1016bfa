//! Runs that convert with a translator: planned, sharded, resumed, audited, judged and shown as any, and what of one is no
//! image.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use shared::digest;
use shared::failure::FailureClass;
use shared::item_metric::ItemMetric;
use shared::manifest::Status;
use tests::broker::Options;
use tests::fleet::{Fleet, RUN as FLEET_RUN};
use tests::http::ask;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, RUN, STYLES};
use tests::service::Service;
use tests::{golden_model, repository};

const USAGE: i32 = 2;
const ENVIRONMENT: i32 = 3;
/// Takes the image, the label, the style and noise.
const ALL: &str = "translator";
/// Takes the image alone, and gives none where it shows one colour.
const CONTRAST: &str = "translator-contrast";
/// Gives another size than its contract says.
const CUT: &str = "translator-cut";

/// Has a project converted with a translator of the fixtures.
fn converted_with(mut project: Project, name: &str) -> Project {
    let model = repository("tests/fixtures").join(name);
    project.set("method.method", "translator");
    project.set("model.path", model.display().to_string());
    project
}

fn project(name: &str) -> Project {
    converted_with(Project::new(2, 2), name)
}

/// Copies a translator of the fixtures into a project, for a test that changes it.
fn with_own_copy(name: &str) -> Project {
    let mut project = project(name);
    let fixture = repository("tests/fixtures").join(name);
    for entry in fs::read_dir(fixture).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        project.write(&format!("own/{file}"), &fs::read(&path).unwrap());
    }
    project.set("model.path", "own");
    project
}

/// Returns the digests of outputs by their paths.
fn images(project: &Project) -> BTreeMap<String, String> {
    let mut pictures = project.pictures();
    pictures.retain(|path, _| path.starts_with("images/"));
    pictures
}

#[test]
fn a_run_with_a_translator_converts_audits_and_reports() {
    let project = project(ALL);
    let _ = project.run().exits(0);
    let contract = repository("tests/fixtures/translator/translator.json");
    let sha256 = digest::sha256(&fs::read(contract).unwrap());
    let rows = project.rows();
    assert_eq!(rows.len(), 4);
    for row in &rows {
        assert_eq!(row.status, Status::Done, "{row:?}");
        assert_eq!(row.model_sha256, sha256);
        let work = row.work.unwrap();
        assert_eq!(work.unet_evaluations + work.style_evaluations, 0.0);
        let figures = &row.quality.as_ref().unwrap().figures;
        assert!(figures[ItemMetric::Ssim].unwrap() < 0.99, "{row:?}");
    }
    let mut digests: Vec<String> = images(&project).into_values().collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 4, "each item has an image of its own");
    let _ = project.about_run(&["audit"]).exits(0);
    let _ = project.about_run(&["audit", "--deep"]).exits(0);
    let report = project.about_run(&["report"]).exits(0);
    let expected = format!("run {RUN}: translator at 256x128; 4 of 4 items done");
    assert!(report.stdout.contains(&expected), "{report}");
    assert!(!report.stdout.contains("UNet"), "{report}");
    assert!(project.stored("contact-sheet.png").is_file());
}

#[test]
fn bytes_depend_neither_on_what_shares_a_pass_nor_on_what_was_made_before() {
    let whole = project(ALL);
    let _ = whole.run().exits(0);
    let expected = images(&whole);

    let mut parts = project(ALL);
    parts.set("shards.contents", 1);
    parts.set("shards.styles", 1);
    let _ = parts.run().exits(0);
    assert_eq!(images(&parts), expected);

    // Without its commit a shard is made again: of what is stored nothing, of what is gone the same.
    fs::remove_dir_all(whole.stored("shards")).unwrap();
    fs::remove_file(whole.stored("images/night_000002/00002.png")).unwrap();
    let _ = whole.run().exits(0);
    assert_eq!(images(&whole), expected);
    let _ = whole.about_run(&["audit"]).exits(0);

    let mut other = project(ALL);
    other.set("method.seed", 43);
    let _ = other.run().exits(0);
    let made = images(&other);
    assert!(made.iter().all(|(path, sha256)| expected[path] != *sha256));
}

#[test]
fn an_output_that_takes_nothing_of_a_style_is_the_same_in_every_style() {
    let project = project(CONTRAST);
    let _ = project.run().exits(0);
    let made = images(&project);
    for content in ["00001", "00002"] {
        let [first, second] = [STYLES[0], STYLES[1]].map(|style| {
            let path = format!("images/{style}/{content}.png");
            made[&path].clone()
        });
        assert_eq!(first, second);
    }
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn an_output_that_is_not_finite_is_quarantined_and_the_others_are_done() {
    let project = project(CONTRAST);
    project.add_content("00003", |picture| picture.mapped(|_| 90), |label| label);
    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("4 of 6 images done"), "{outcome}");
    for style in &STYLES[..2] {
        let row = project.row("00003", style);
        assert_eq!(row.status, Status::Quarantined);
        assert_eq!(row.error_class, Some(FailureClass::BadOutput));
        let reason = row.error.unwrap();
        assert!(reason.contains("the output of content 00003"), "{reason}");
        assert!(reason.contains("values that are not finite"), "{reason}");
        assert_eq!(project.row("00001", style).status, Status::Done);
    }
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn an_output_of_another_size_ends_the_run_in_a_line_and_is_not_stored() {
    let project = project(CUT);
    let outcome = project.run().exits(ENVIRONMENT);
    for words in ["translator.json", "output of shape", "[1, 3, 128, 256]"] {
        assert!(outcome.stderr.contains(words), "no {words:?}: {outcome}");
    }
    assert!(!project.stored("images").exists());
}

#[test]
fn another_translator_or_an_altered_one_never_goes_on_with_a_run() {
    let mut project = with_own_copy(ALL);
    let _ = project.run().exits(0);
    let before = project.pictures();
    let contract = project.path("own/translator.json");
    let text = fs::read_to_string(&contract).unwrap();
    fs::write(&contract, text.replace("\"channel\"", "\"channel\" ")).unwrap();
    let words = ["model.path (its SHA-256) was", "and is now"];
    project.run().exits(USAGE).complains_about(&words);
    fs::write(&contract, text).unwrap();
    let _ = project.run().exits(0);

    let weights = project.path("own/translator.data");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[100] ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::remove_dir_all(project.stored("shards")).unwrap();
    fs::remove_file(project.stored("images/night_000001/00001.png")).unwrap();
    let outcome = project.run().exits(ENVIRONMENT);
    for words in ["translator.data", "truncated or altered"] {
        assert!(outcome.stderr.contains(words), "no {words:?}: {outcome}");
    }
    let after = project.pictures();
    assert!(after.iter().all(|(path, sha256)| before[path] == *sha256));
    project.set("method.method", "cactif");
    project
        .run()
        .exits(ENVIRONMENT)
        .complains_about(&["model.json"]);
}

#[test]
fn a_folder_without_a_translator_is_refused_before_anything_is_stored() {
    let mut project = project(ALL);
    project.set("model.path", golden_model().display().to_string());
    let words = ["translator.json"];
    project.run().exits(ENVIRONMENT).complains_about(&words);
    assert!(project.stored_nothing());
}

#[test]
fn networks_judge_a_run_with_a_translator_as_any_other() {
    let mut project = project(ALL);
    project.judge_by_demo_features();
    project.judge_labels();
    let _ = project.run().exits(0);
    let report = project.about_run(&["report"]).exits(0);
    assert!(report.stdout.contains("FID"), "{report}");
    for row in project.rows() {
        assert!(row.quality.unwrap().agreement_figures.is_some());
    }
}

#[test]
fn a_probe_and_a_doctor_tell_of_a_translator_what_it_takes() {
    let project = project(ALL);
    let probed = Outcome::of(synth2real().arg("probe").arg(project.settings())).exits(0);
    for words in [
        "model    translator at 256x128, takes image, label, style, noise, digests right",
        ": an output takes 0.",
        "ETA      ",
    ] {
        assert!(probed.stdout.contains(words), "no {words:?}: {probed}");
    }
    assert!(!probed.stdout.contains("UNet"), "{probed}");
    assert!(project.stored_nothing());
    let told = Outcome::of(synth2real().arg("doctor").arg(project.settings())).exits(0);
    let words = "2 contents, 2 styles, 4 items; translator at 256x128";
    assert!(told.stdout.contains(words), "{told}");
}

/// Converts the first content in the first style.
fn transfer(project: &Project, model: &Path, options: &[&str]) -> Outcome {
    let mut command = synth2real();
    command.arg("transfer").arg("--model").arg(model);
    command.args(["--set", "method=translator"]).args(options);
    for (option, file) in [
        ("--content", "gta5/images/00001.png"),
        ("--style", "style/images/night_000001_rgb_anon.png"),
        ("--out", "out.png"),
    ] {
        command.arg(option).arg(project.path(file));
    }
    Outcome::of(&mut command)
}

#[test]
fn a_transfer_with_a_translator_gives_the_image_of_a_run() {
    let project = project(CONTRAST);
    let _ = project.run().exits(0);
    let fixtures = repository("tests/fixtures");
    let _ = transfer(&project, &fixtures.join(CONTRAST), &[]).exits(0);
    let made = fs::read(project.path("out.png")).unwrap();
    let image = project.stored("images/night_000001/00001.png");
    assert!(made == fs::read(image).unwrap());

    let of_all = fixtures.join(ALL);
    let words = ["--content-label is missing", "translator takes"];
    let outcome = transfer(&project, &of_all, &[]).exits(USAGE);
    outcome.complains_about(&words);
    let label = project.path("gta5/labels/00001.png").display().to_string();
    let _ = transfer(&project, &of_all, &["--content-label", &label]).exits(0);
    assert!(made != fs::read(project.path("out.png")).unwrap());
    let trace = project.path("trace.npz").display().to_string();
    let outcome = transfer(&project, &of_all, &["--trace", &trace]).exits(USAGE);
    outcome.complains_about(&["--trace is of methods with a diffusion model", "translator"]);
}

#[test]
fn the_dashboard_shows_a_run_with_a_translator_by_its_method_and_model() {
    let project = project(CONTRAST);
    let _ = project.run().exits(0);
    let service = Service::serve(&project.path("out"), &[]);
    let page = (0..600).find_map(|_| {
        let page = ask(&service.address, "GET", &format!("/runs/{RUN}"), &[], "");
        if page.status == 200 {
            return Some(page);
        }
        std::thread::park_timeout(Duration::from_millis(50));
        None
    });
    let page = page.unwrap_or_else(|| panic!("the run does not come: {}", service.said()));
    for words in ["translator", "256 × 128", "<dt>Model</dt>", CONTRAST] {
        assert!(page.body.contains(words), "no {words:?}: {}", page.body);
    }
    for word in ["<dt>Steps</dt>", "UNet"] {
        assert!(!page.body.contains(word), "{word}: {}", page.body);
    }
    let _ = service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_make_of_a_translator_what_one_process_makes() {
    let mut fleet = Fleet::new(Options::default()).await;
    let model = repository("tests/fixtures").join(ALL);
    fleet.set("method.method", "translator");
    fleet.set("model.path", model.display().to_string());
    let outcome = fleet.launch().exits(0);
    assert!(outcome.stdout.contains("12 shards published"), "{outcome}");
    fleet.serve();
    (0..2).for_each(|_| fleet.join());
    fleet.wait_until_complete();
    assert_eq!(fleet.num_images(), 36);
    assert_eq!(fleet.ending(), fleet.undisturbed());
    let _ = fleet.synth2real(&["audit", FLEET_RUN]).exits(0);
    let _ = fleet.end();
}
