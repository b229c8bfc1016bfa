//! Runs whose styles have no labels: the class map of each is made once and stored, tells in every row which it was, and is
//! made again or missed when it is lost or altered.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod shown;

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use shared::digest;
use shared::failure::FailureClass;
use shared::manifest::Status;
use tests::images::Picture;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};
use tests::{golden_model, repository, stored};

/// Returns a project of two contents in two styles, of which none has a label.
fn unlabelled() -> Project {
    let project = Project::new(2, 2);
    for style in &STYLES[..2] {
        fs::remove_file(project.path(&label_of(style))).unwrap();
    }
    project
}

fn label_of(style: &str) -> String {
    format!("style/labels/{style}_gt_labelColor.png")
}

/// Returns the same with a network of priors.
fn with_prior() -> Project {
    let mut project = unlabelled();
    let prior = repository("tests/fixtures/prior");
    project.set("style.prior", prior.display().to_string());
    project
}

/// Returns the same with a segmenter, which learns from no content.
fn with_segmenter() -> Project {
    let mut project = unlabelled();
    let segmenter = repository("tests/fixtures/segmenter");
    project.set("style.segmenter", segmenter.display().to_string());
    project
}

/// Returns a project of two contents in two styles, whose first has a label that cannot be read and whose second has none.
fn with_a_label_that_is_none() -> Project {
    let project = with_prior();
    project.write(&label_of(STYLES[0]), b"<html>404 not found</html>");
    project
}

fn map_of(project: &Project, style: &str) -> Vec<u8> {
    fs::read(project.stored(&format!("priors/{style}.png"))).unwrap()
}

#[test]
fn a_run_whose_styles_have_no_labels_maps_each_once_and_its_rows_tell_which() {
    let project = with_prior();
    let _ = project.run().exits(0);
    assert_eq!(
        stored::paths(&project.stored("priors")),
        ["night_000001.png", "night_000002.png"]
    );
    let rows = project.rows();
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let sha256 = digest::sha256(&map_of(&project, &row.item.style));
        assert_eq!(row.prior_sha256, Some(sha256), "{}", row.item);
    }
    let told: BTreeSet<_> = rows.iter().map(|row| row.prior_sha256.clone()).collect();
    assert_eq!(told.len(), 2, "two photographs have one map");
    let _ = project.about_run(&["audit"]).exits(0);
    let page = project.path("report.html");
    let html = page.display().to_string();
    let _ = project.about_run(&["report", "--html", &html]).exits(0);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("Class maps of styles without labels"));
    assert_eq!(page.matches("classes over it</span>").count(), 2);

    // A style that has a label has no map.
    let half = with_prior();
    half.add_style(STYLES[0], STYLES[0]);
    let _ = half.run().exits(0);
    let maps = stored::paths(&half.stored("priors"));
    assert_eq!(maps, ["night_000002.png"]);
    assert_eq!(half.row("00001", STYLES[0]).prior_sha256, None);
    let _ = half.about_run(&["audit"]).exits(0);
}

#[test]
fn a_map_that_is_lost_is_missed_and_made_again_to_the_same_bytes() {
    let project = with_prior();
    let _ = project.run().exits(0);
    let (pictures, rows) = (project.pictures(), project.rows());
    let map = project.stored("priors/night_000001.png");
    fs::remove_file(&map).unwrap();
    let missed = project.about_run(&["audit"]).exits(1);
    let words = "priors/night_000001.png is missing";
    assert!(missed.stdout.contains(words) || missed.stderr.contains(words));
    let _ = project.about_run(&["status"]).exits(1);
    let _ = project.run().exits(0);
    assert_eq!(project.pictures(), pictures);
    assert_eq!(project.rows(), rows);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_style_whose_label_was_taken_away_since_has_a_map_that_is_missed_as_any() {
    let project = with_a_label_that_is_none();
    let (label, map) = (
        label_of(STYLES[0]),
        project.stored("priors/night_000001.png"),
    );
    let _ = project.run().exits(1);
    assert!(!map.exists());
    fs::remove_file(project.path(&label)).unwrap();
    let outcome = project.run().exits(0);
    assert!(outcome.stderr.contains("1 style changed"), "{outcome}");
    let pictures = project.pictures();
    let _ = project.about_run(&["audit"]).exits(0);
    let page = project.path("report.html");
    let html = page.display().to_string();
    let _ = project.about_run(&["report", "--html", &html]).exits(0);
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("classes over it</span>").count(), 2);
    assert_eq!(page.matches("photograph</span>").count(), 2);

    fs::remove_file(&map).unwrap();
    let _ = project.about_run(&["status"]).exits(1);
    let _ = project.run().exits(0);
    assert!(map.exists());
    assert_eq!(project.pictures(), pictures);
    let _ = project.about_run(&["audit"]).exits(0);
    let _ = project.about_run(&["status"]).exits(0);
}

#[test]
fn a_map_is_made_again_by_a_later_shard_where_the_first_has_no_item_of_its_style() {
    let mut project = with_segmenter();
    project.set("shards.contents", 1);
    let content = "gta5/images/00001.png";
    let whole = fs::read(project.path(content)).unwrap();
    project.write(content, &whole[..whole.len() / 2]);
    let _ = project.run().exits(1);
    let pictures = project.pictures();
    let map = project.stored("priors/night_000001.png");
    fs::remove_file(&map).unwrap();
    let outcome = project.run().exits(1);
    assert!(map.exists(), "{outcome}");
    assert_eq!(project.pictures(), pictures);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_run_that_lost_its_shards_goes_on_with_the_maps_that_are_stored() {
    let project = with_prior();
    let _ = project.run().exits(0);
    let pictures = project.pictures();
    let rows = stored::deterministic(project.rows());
    fs::remove_dir_all(project.stored("shards")).unwrap();
    fs::remove_file(project.stored("images/night_000002/00002.png")).unwrap();
    let _ = project.run().exits(0);
    assert_eq!(project.pictures(), pictures);
    assert_eq!(stored::deterministic(project.rows()), rows);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_map_that_was_altered_is_found() {
    let project = with_prior();
    let _ = project.run().exits(0);
    let (one, other) = ("night_000001", "night_000002");
    let map = map_of(&project, one);
    fs::write(
        project.stored(&format!("priors/{one}.png")),
        map_of(&project, other),
    )
    .unwrap();
    let found = project.about_run(&["audit"]).exits(1);
    let words = "priors/night_000001.png has SHA-256";
    assert!(found.stdout.contains(words) || found.stderr.contains(words));
    fs::write(project.stored(&format!("priors/{one}.png")), map).unwrap();
    fs::write(project.stored("priors/other.png"), map_of(&project, one)).unwrap();
    let found = project.about_run(&["audit"]).exits(1);
    let words = "priors/other.png belongs to no run";
    assert!(found.stdout.contains(words) || found.stderr.contains(words));

    // Nothing stands for the label of a style that has one.
    let half = with_prior();
    half.add_style(one, one);
    let _ = half.run().exits(0);
    let foreign = map_of(&half, other);
    fs::write(half.stored(&format!("priors/{one}.png")), foreign).unwrap();
    let found = half.about_run(&["audit"]).exits(1);
    let words = "priors/night_000001.png belongs to no run";
    assert!(found.stdout.contains(words) || found.stderr.contains(words));
}

#[test]
fn a_page_is_not_written_over_the_network_of_class_maps_and_its_setting_is_named() {
    for (key, network) in [("style.prior", "prior"), ("style.segmenter", "segmenter")] {
        let mut project = Project::new(1, 1);
        fs::remove_file(project.path(&label_of(STYLES[0]))).unwrap();
        let fixture = repository(&format!("tests/fixtures/{network}"));
        for file in stored::paths(&fixture) {
            let bytes = fs::read(fixture.join(&file)).unwrap();
            project.write(&format!("network/{file}"), &bytes);
        }
        project.write("network/page.htm", b"kept");
        project.set(key, "network");
        let _ = project.run().exits(0);
        let page = project.path("network/page.htm");
        let html = format!("--html={}", page.display());
        let outcome = project.about_run(&["report", &html]).exits(2);
        outcome.complains_about(&["--html", &format!("it is what {key} /")]);
        assert_eq!(fs::read(page).unwrap(), b"kept");
    }
}

#[test]
fn a_segmenter_maps_classes_where_no_network_of_priors_is_named() {
    let mut project = with_segmenter();
    let _ = project.run().exits(0);
    assert_eq!(stored::paths(&project.stored("priors")).len(), 2);
    let _ = project.about_run(&["audit"]).exits(0);

    let prior = repository("tests/fixtures/prior");
    project.set("style.prior", prior.display().to_string());
    let outcome = project.run().exits(2);
    outcome.complains_about(&[
        "run small exists",
        "style.prior or style.segmenter was \"segmenter\"",
    ]);
}

#[test]
fn labels_that_are_not_to_be_used_are_as_if_they_were_not_there() {
    let without = with_segmenter();
    let _ = without.run().exits(0);
    let mut project = Project::new(2, 2);
    project.set("style.use_labels", false);
    let words = ["style.use_labels (false)", "style.prior or style.segmenter"];
    project.run().exits(2).complains_about(&words);
    assert!(project.stored_nothing());

    let segmenter = repository("tests/fixtures/segmenter");
    project.set("style.segmenter", segmenter.display().to_string());
    let _ = project.run().exits(0);
    for style in &STYLES[..2] {
        assert_eq!(map_of(&project, style), map_of(&without, style));
    }
    assert_eq!(project.pictures(), without.pictures());
}

#[test]
fn a_method_that_uses_no_labels_maps_no_classes() {
    let mut project = with_prior();
    project.set("method.method", "adain");
    let _ = project.run().exits(0);
    assert!(stored::paths(&project.stored("priors")).is_empty());
    assert!(project.rows().iter().all(|row| row.prior_sha256.is_none()));
}

#[test]
fn prototypes_that_are_too_few_or_show_no_class_are_refused_before_anything_is_stored() {
    let mut project = with_prior();
    project.set("style.prototype_contents", 3);
    let words = ["style.prototype_contents (3)", "must be 2 at most"];
    project.run().exits(2).complains_about(&words);

    project.set("style.prototype_contents", 2);
    let unknown = |label: Picture| label.mapped(|_| 0);
    project.add_content("00002", |image| image, unknown);
    let words = ["gta5/labels/00002.png", "shows none of the 19 classes"];
    project.run().exits(2).complains_about(&words);
    assert!(project.stored_nothing());
}

#[test]
fn a_photograph_that_is_too_small_for_the_network_is_quarantined_with_its_size() {
    let project = with_prior();
    let photograph = "style/images/night_000002_rgb_anon.png";
    let small = Picture::decode(&fs::read(project.path(photograph)).unwrap()).cropped(34, 17);
    project.write(photograph, &small.encode());
    let _ = project.run().exits(1);
    for row in project.rows() {
        let is_small = row.item.style == "night_000002";
        assert_eq!(row.status == Status::Quarantined, is_small, "{}", row.item);
        if is_small {
            assert_eq!(row.error_class, Some(FailureClass::BadInput));
            let told = row.error.unwrap();
            assert!(told.contains("is 34x17: expected at least 35x17"), "{told}");
        }
    }
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_network_for_images_of_another_shape_maps_nothing_for_a_run_or_a_single_image() {
    let mut project = unlabelled();
    let fixture = repository("tests/fixtures/prior/prior.json");
    let mut contract: Value = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
    contract["inputs"][0]["shape"] = json!([1, 3, 140, 140]);
    contract["outputs"][0]["shape"] = json!([1, 100, 96]);
    project.write("prior/prior.json", contract.to_string().as_bytes());
    let words = ["takes images of 140x140", "the model's 256x128"];
    let mut command = synth2real();
    command.arg("transfer").arg("--model").arg(golden_model());
    for (option, file) in [
        ("--content", "gta5/images/00001.png".to_owned()),
        ("--content-label", "gta5/labels/00001.png".to_owned()),
        (
            "--style",
            format!("style/images/{}_rgb_anon.png", STYLES[0]),
        ),
        ("--prior", "prior".to_owned()),
        ("--prototype", "gta5/images/00001.png".to_owned()),
        ("--prototype-label", "gta5/labels/00001.png".to_owned()),
        ("--out", "converted.png".to_owned()),
    ] {
        command.arg(option).arg(project.path(&file));
    }
    let outcome = Outcome::of(&mut command).exits(3);
    outcome.complains_about(&words);
    assert!(!project.path("converted.png").exists());
    let prior = project.path("prior").display().to_string();
    project.set("style.prior", prior);
    project.run().exits(3).complains_about(&words);
    assert!(project.stored_nothing());
}
