//! What comes out of a run is reported as the shards say it, however the run went.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod labels;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use shared::item_metric::ItemMetric;
use tests::images::Picture;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};
use tests::repository;

const CONTENTS: usize = 3;

/// Returns a project whose outputs are judged with the demo's features and a distance that tests can work out.
fn judged(contents: usize, styles: usize) -> Project {
    let mut project = Project::new(contents, styles);
    let perceptual = repository("tests/fixtures/perceptual");
    project.set("quality.lpips", perceptual.display().to_string());
    project.judge_by_demo_features();
    project
}

fn report(project: &Project, arguments: &[&str]) -> Value {
    let mut command = synth2real();
    command.args(["report", tests::project::RUN, "--json", "--root"]);
    command.arg(project.path("out")).args(arguments);
    let outcome = Outcome::of(&mut command).exits(0);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    report["runs"][0].clone()
}

fn style<'a>(report: &'a Value, name: &str) -> &'a Value {
    let styles = report["styles"].as_array().unwrap();
    styles.iter().find(|style| style["style"] == name).unwrap()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_report_says_for_each_style_what_its_rows_say() {
    let project = judged(CONTENTS, 2);
    let outcome = project.run().exits(0);
    for words in [
        "FID night_000001",
        "synth2real demo street features",
        "256x128 bilinear",
        "not comparable with published figures",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }

    let report = report(&project, &[]);
    assert_eq!((&report["items"], &report["done"]), (&6.into(), &6.into()));
    assert_eq!(report["complete"], true);
    assert_eq!(
        report["extractor"]["name"],
        "synth2real demo street features"
    );
    assert_eq!(report["extractor"]["published"], false);
    assert_eq!(report["extractor"]["resize"], "256x128 bilinear");
    let rows = project.rows();
    for name in &STYLES[..2] {
        let figures = style(&report, name);
        assert_eq!(figures["items"], CONTENTS);
        assert!(number(&figures["fid"]) > 0.0);
        assert_eq!(figures["reference"]["items"], CONTENTS);
        let notes = figures["notes"].to_string();
        assert!(notes.contains("singular"), "{notes}");
        let of_style = rows.iter().filter(|row| row.item.style == *name);
        let of_style: Vec<_> = of_style.map(|row| row.quality.clone().unwrap()).collect();
        let mean = |of: fn(&shared::manifest::Quality) -> f64| {
            of_style.iter().map(of).sum::<f64>() / CONTENTS as f64
        };
        assert!(
            (number(&figures["ssim"]) - mean(|quality| quality.figures[ItemMetric::Ssim].unwrap()))
                .abs()
                < 1e-12
        );
        assert!(
            (number(&figures["lpips"])
                - mean(|quality| quality.figures[ItemMetric::Lpips].unwrap()))
            .abs()
                < 1e-9
        );
        assert!(
            of_style
                .iter()
                .filter_map(|quality| quality.figures[ItemMetric::Ssim])
                .all(|ssim| ssim > 0.0 && ssim < 1.0)
        );
        assert!(of_style.iter().all(|quality| !quality.train_ids.is_empty()));
    }
    let text = project.about_run(&["report"]).exits(0).stdout;
    for words in [
        "night_000001",
        "not comparable with published figures",
        "256x128 bilinear",
        "compared with 3 images of",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
}

#[test]
fn statistics_of_a_run_are_those_of_its_images_and_as_far_from_themselves_as_nothing() {
    let project = judged(CONTENTS, 1);
    let _ = project.run().exits(0);
    let images = project.stored(&format!("images/{}", STYLES[0]));
    let images = images.strip_prefix(project.path("")).unwrap();
    let _ = project
        .reference_stats(images.to_str().unwrap(), "own.npz")
        .exits(0);
    let own = project.path("own.npz").display().to_string();
    let fid = |report: &Value| number(&style(report, STYLES[0])["fid"]);
    let from_itself = fid(&report(&project, &["--reference", &own]));
    assert!(from_itself < 1e-9, "{from_itself}");

    // The file that the run stored is as good as a reference.
    let stored = project.stored("fid/{style}.npz").display().to_string();
    let from_stored = report(&project, &["--reference", &stored]);
    assert!(fid(&from_stored) < 1e-9, "{from_stored}");
    let notes = style(&from_stored, STYLES[0])["notes"].to_string();
    assert!(notes.contains("no features, which KID needs"), "{notes}");
    assert!(fid(&report(&project, &[])) > 1e-3);
}

#[test]
fn a_run_that_lost_shards_reports_what_an_undisturbed_one_does() {
    let undisturbed = judged(CONTENTS, 2);
    let _ = undisturbed.run().exits(0);
    let disturbed = judged(CONTENTS, 2);
    let _ = disturbed.run().exits(0);
    // One shard is made again from the images that are there, but for one.
    fs::remove_file(disturbed.stored("shards/000000.parquet")).unwrap();
    fs::remove_file(disturbed.stored(&format!("images/{}/00001.png", STYLES[0]))).unwrap();
    fs::remove_file(disturbed.stored("report.json")).unwrap();
    let _ = disturbed.run().exits(0);
    let reported = |project: &Project| {
        let mut styles = report(project, &[])["styles"].clone();
        for style in styles.as_array_mut().unwrap() {
            style["reference"] = Value::Null;
        }
        styles
    };
    assert_eq!(reported(&disturbed), reported(&undisturbed));
}

#[test]
fn a_report_that_is_damaged_is_made_anew_and_named_with_what_was_wrong() {
    let mut project = Project::new(2, 1);
    project.make_without_model("fda");
    let _ = project.run().exits(0);
    let path = project.stored("report.json");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("\"items\": 2", "\"items\": 3")).unwrap();
    let outcome = project.about_run(&["report"]).exits(0);
    for words in [
        "runs/small/report.json counts as none until it is made anew",
        "something in it was altered",
    ] {
        assert!(outcome.stderr.contains(words), "no {words:?}: {outcome}");
    }
    let again = project.about_run(&["report"]).exits(0);
    assert!(!again.stderr.contains("report.json"), "{again}");
}

#[test]
fn figures_for_each_class_count_the_items_that_show_it() {
    let mut project = judged(CONTENTS, 1);
    project.set("quality.per_class", true);
    let _ = project.run().exits(0);
    let report = report(&project, &[]);
    let figures = style(&report, STYLES[0]);
    let classes = figures["classes"].as_object().unwrap();
    let qualities: Vec<_> = project
        .rows()
        .into_iter()
        .map(|row| row.quality.unwrap())
        .collect();
    for (id, name) in [(0, "road"), (10, "sky")] {
        let showing: Vec<_> = qualities
            .iter()
            .filter(|quality| quality.train_ids.contains(&id))
            .collect();
        let class = &classes[name];
        assert_eq!(class["items"], showing.len(), "{name}");
        let ssim = showing
            .iter()
            .filter_map(|quality| quality.figures[ItemMetric::Ssim]);
        let ssim = ssim.sum::<f64>() / showing.len() as f64;
        assert!((number(&class["ssim"]) - ssim).abs() < 1e-12, "{name}");
        // What every item shows is as far from the reference as all items are.
        if showing.len() == CONTENTS {
            let (of_class, of_style) = (number(&class["fid"]), number(&figures["fid"]));
            assert!((of_class - of_style).abs() <= 1e-9 * of_style, "{name}");
        }
    }
    assert_eq!(classes["road"]["items"], CONTENTS);
}

#[test]
fn several_runs_stand_side_by_side_in_text_json_and_on_a_page() {
    let mut project = judged(CONTENTS, 2);
    let _ = project.run().exits(0);
    project.set("run.name", "adain");
    project.set("method.method", "adain");
    let _ = project.run().exits(0);
    let page = project.path("report.html");
    let mut command = synth2real();
    command.args(["report", tests::project::RUN, "adain", "--json", "--html"]);
    command.arg(&page).arg("--root").arg(project.path("out"));
    let outcome = Outcome::of(&mut command).exits(0);
    let reports: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let methods = [0, 1].map(|run| reports["runs"][run]["method"].clone());
    assert_eq!(methods, ["cactif", "adain"]);

    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg"), "no plot");
    // Two contents of two styles, each before and after in both runs, each shown in one slider a run.
    assert_eq!(
        page.matches("data:image/jpeg;base64,").count(),
        2 * 2 * 2 * 2
    );
    let without_pictures = page.replace("http://www.w3.org/2000/svg", "");
    assert!(
        !without_pictures.contains("http"),
        "the page needs something else"
    );
}

#[test]
fn a_reference_of_another_network_and_a_missing_one_are_not_compared_with() {
    let mut project = judged(CONTENTS, 1);
    for file in ["features.json", "features.onnx", "features.data"] {
        let mut bytes = fs::read(repository("infra/demo/features").join(file)).unwrap();
        if file == "features.json" {
            bytes.push(b'\n');
        }
        project.write(&format!("features/{file}"), &bytes);
    }
    project.set("quality.features", "features");
    let _ = project.run().exits(0);
    let notes = |report: &Value| {
        let figures = style(report, STYLES[0]);
        assert_eq!(figures["fid"], Value::Null);
        figures["notes"].to_string()
    };
    let other = notes(&report(&project, &[]));
    assert!(other.contains("another feature network"), "{other}");
    let missing = project.path("nowhere.npz").display().to_string();
    let missing = notes(&report(&project, &["--reference", &missing]));
    assert!(
        missing.contains("nowhere.npz") && missing.contains("not there"),
        "{missing}"
    );
}

#[test]
fn a_reference_that_comes_later_is_compared_with_when_a_report_is_asked_for() {
    let project = judged(CONTENTS, 1);
    let (there, away) = (project.path("photographs.npz"), project.path("away.npz"));
    fs::rename(&there, &away).unwrap();
    let outcome = project.run().exits(0);
    let warned = "until that is mended, reports have no FID";
    assert!(outcome.stderr.contains(warned), "{outcome}");
    let stored_fid = || {
        let json = fs::read(project.stored("report.json")).unwrap();
        style(&serde_json::from_slice(&json).unwrap(), STYLES[0])["fid"].clone()
    };
    assert_eq!(stored_fid(), Value::Null);
    fs::rename(&away, &there).unwrap();
    let made = report(&project, &[]);
    assert!(number(&style(&made, STYLES[0])["fid"]) > 0.0);
    assert_eq!(
        stored_fid(),
        style(&made, STYLES[0])["fid"],
        "it was not stored"
    );
}

#[test]
fn probe_names_what_judges_and_what_cannot_be_compared_with() {
    let mut project = judged(2, 1);
    project.set("quality.reference", "nowhere.npz");
    let mut command = synth2real();
    let outcome = Outcome::of(command.arg("probe").arg(project.settings())).exits(0);
    for words in [
        "SSIM, synth2real demo street features",
        "nowhere.npz",
        "not there",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    assert!(project.stored_nothing());
}

#[test]
fn a_changed_network_is_another_run() {
    let mut project = judged(2, 1);
    let _ = project.run().exits(0);
    project.set("quality.lpips", "nowhere");
    project
        .run()
        .exits(3)
        .complains_about(&["nowhere/perceptual.json", "onnx-export"]);
    let mut bytes = fs::read(repository("tests/fixtures/perceptual/perceptual.json")).unwrap();
    bytes.push(b'\n');
    project.write("other/perceptual.json", &bytes);
    let graph = fs::read(repository("tests/fixtures/perceptual/perceptual.onnx")).unwrap();
    project.write("other/perceptual.onnx", &graph);
    project.set("quality.lpips", "other");
    project
        .run()
        .exits(2)
        .complains_about(&["quality.lpips (its SHA-256) was", "and is now"]);
}

#[test]
fn a_damaged_photograph_is_left_out_and_named() {
    let project = Project::new(CONTENTS, 1);
    project.write("gta5/images/broken.png", b"no image");
    let outcome = project
        .reference_stats("gta5/images", "photographs.npz")
        .exits(1);
    assert!(outcome.stdout.contains("broken.png"), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("from 3 images"),
        "{}",
        outcome.stdout
    );
    project.write("one/photograph.png", &Picture::input("00001.png").encode());
    project
        .reference_stats("one", "none.npz")
        .exits(2)
        .complains_about(&["at least two"]);
    assert!(!project.path("none.npz").exists());
}

/// The distance of the fixture's network is the mean squared difference of content and output.
#[test]
fn the_perceptual_distance_is_between_the_content_and_the_stored_image() {
    let mut project = Project::empty();
    let crop = |picture: Picture| picture.cropped(256, 128);
    project.add_content("00001", crop, crop);
    project.add_style(STYLES[0], STYLES[0]);
    let network = repository("tests/fixtures/perceptual");
    project.set("quality.lpips", network.display().to_string());
    let _ = project.run().exits(0);
    let row = project.row("00001", STYLES[0]);
    let pixels = |path: PathBuf| Picture::decode(&fs::read(path).unwrap()).bytes;
    let before = pixels(project.path("gta5/images/00001.png"));
    let after = pixels(project.path("out").join(&row.output.unwrap().image_key));
    assert_eq!(before.len(), after.len());
    let unit = |value: u8| f64::from(value) / 255.0;
    let squares = before
        .iter()
        .zip(&after)
        .map(|(&a, &b)| (unit(a) - unit(b)).powi(2));
    let expected = squares.sum::<f64>() / before.len() as f64;
    let found = row.quality.unwrap().figures[ItemMetric::Lpips].unwrap();
    assert!(
        (found - expected).abs() < 1e-6,
        "found {found}, expected {expected}"
    );
}
