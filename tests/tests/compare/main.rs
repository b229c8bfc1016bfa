//! Small runs of every combination of some settings, side by side; and the settings of the one that is picked.

mod contact_sheet;
mod pick;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use coordinator::output::comparison::Comparison;
use shared::manifest::ManifestRow;
use shared::settings::{Method, RunConfig};
use shared::storage::LocalStorage;
use tests::program::{Outcome, Running, synth2real};
use tests::project::{Project, RUN, STYLES};
use tests::stored;

const USAGE: i32 = 2;

/// Returns a project of methods without a model, so that a combination takes milliseconds.
fn project(contents: usize, styles: usize) -> Project {
    let mut project = Project::new(contents, styles);
    project.make_without_model("fda");
    project
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = synth2real();
    command.arg("compare").arg(project.settings());
    command.args(arguments);
    command
}

fn compare(project: &Project, arguments: &[&str]) -> Outcome {
    Outcome::of(&mut command(project, arguments))
}

/// Returns a path below the storage root of comparisons.
fn stored_path(project: &Project, relative: &str) -> PathBuf {
    project.path("out/compare").join(relative)
}

fn comparison(project: &Project) -> Comparison {
    let storage = LocalStorage::new(project.path("out/compare"));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let run = RUN.parse().expect("a name");
    let stored = runtime.block_on(Comparison::stored(&storage, &run));
    stored.expect("it can be read").expect("it is there")
}

/// Returns the rows of a small run.
fn rows(project: &Project, run: &str) -> Vec<ManifestRow> {
    stored::rows(&stored_path(
        project,
        &format!("runs/{run}/manifest.parquet"),
    ))
}

/// Returns the names of the small runs that are stored.
fn runs(project: &Project) -> Vec<String> {
    let folder = stored_path(project, "runs");
    let entries = fs::read_dir(folder).expect("runs");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Returns where the settings of a combination are written.
fn picked_path(project: &Project, comparison: &Comparison, number: usize) -> PathBuf {
    let run = &comparison.combinations[number - 1].run;
    let folder = fs::canonicalize(project.path("")).expect("a folder");
    folder.join(format!("run-{run}.toml"))
}

#[test]
fn every_combination_that_makes_a_difference_is_an_ordinary_run_of_the_same_items() {
    let project = project(5, 3);
    let vary = ["--vary", "method=reinhard,fda,identity"];
    let more = [
        "--vary",
        "beta=0.01,0.1",
        "--contents",
        "2",
        "--styles",
        "2",
    ];
    let arguments = [&vary[..], &more].concat();
    let outcome = compare(&project, &arguments).exits(0);
    for words in [
        "combination 4 of 4: method=identity (run identity-",
        "1: method=reinhard: done 4 of 4; SSIM 0.",
        "3: method=fda, beta=0.1: done 4 of 4; SSIM 0.",
        "4: method=identity: done 4 of 4; SSIM 1.000; seconds an image 0.",
        "; device-hours, whole dataset 0.",
        "compare/comparisons/small.html, picture ",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    assert!(!project.path("out/runs").exists());
    let comparison = comparison(&project);
    assert_eq!(comparison.contents, ["00001", "00003"]);
    assert_eq!(comparison.styles, [STYLES[0], STYLES[1]]);
    let labels = comparison.combinations.iter().map(|it| it.label());
    let expected = [
        "method=reinhard",
        "method=fda, beta=0.01",
        "method=fda, beta=0.1",
        "method=identity",
    ];
    assert_eq!(labels.collect::<Vec<_>>(), expected);
    for combination in &comparison.combinations {
        // Five contents in three styles, each content once for all of them.
        let whole = combination.whole;
        let sizes = (whole.styles, whole.contents, whole.outputs);
        assert_eq!(sizes, (3.0, 5.0, 15.0));
        let run = combination.run.as_str();
        assert_eq!(rows(&project, run).len(), 4, "{run}");
        let mut audit = synth2real();
        audit.args(["audit", run, "--root"]);
        let _ = Outcome::of(audit.arg(stored_path(&project, ""))).exits(0);
    }
    let page = fs::read_to_string(stored_path(&project, "comparisons/small.html")).unwrap();
    // Of each item the content, the style and four outputs.
    assert_eq!(page.matches("<img src=\"data:image/jpeg").count(), 4 * 6);
    // Figures are read with the heads of their columns, above all pictures.
    let figures = page.find("device-hours, whole dataset");
    assert!(figures.is_some() && figures < page.find("<img "), "{page}");
    let sheet = fs::read(stored_path(&project, "comparisons/small.png")).unwrap();
    assert!(sheet.starts_with(b"\x89PNG"));
}

#[test]
fn a_second_call_goes_on_and_another_comparison_shares_what_is_made() {
    let project = project(2, 1);
    let _ = compare(&project, &["--vary", "method=reinhard,fda"]).exits(0);
    let before = stored::pictures(&stored_path(&project, "runs"));
    let made = runs(&project);
    assert_eq!(made.len(), 2);

    // Of one run the second shard is gone, and with it what was made of all shards.
    let run = comparison(&project).combinations[1].run.to_string();
    for gone in ["shards/000001.parquet", "images/night_000001/00002.png"] {
        fs::remove_file(stored_path(&project, &format!("runs/{run}/{gone}"))).unwrap();
    }
    let words = ["--pick 1: 1 of 2 combinations are complete"];
    compare(&project, &["--pick", "1"])
        .exits(USAGE)
        .complains_about(&words);
    let _ = compare(&project, &["--vary", "method=reinhard,fda"]).exits(0);
    assert_eq!(stored::pictures(&stored_path(&project, "runs")), before);
    let _ = compare(&project, &["--pick", "1"]).exits(0);

    let _ = compare(&project, &["--vary", "method=fda,histogram,reinhard"]).exits(0);
    let more = runs(&project);
    assert_eq!(more.len(), 3);
    assert!(made.iter().all(|run| more.contains(run)), "{more:?}");
    let _ = compare(
        &project,
        &["--vary", "method=fda,reinhard", "--contents", "1"],
    )
    .exits(0);
    assert_eq!(runs(&project).len(), 5, "other items are other runs");
}

#[test]
fn a_comparison_that_is_told_to_stop_finishes_its_image_and_goes_on_later() {
    let project = Project::new(4, 1);
    let _ = project.run().exits(0);
    let sheet = project.stored("contact-sheet.png");
    let alone = fs::read(&sheet).unwrap();
    let arguments = [
        "--vary",
        "method=cactif,adain",
        "--styles",
        "1",
        "--contact-sheet",
    ];
    let mut running = Running::start(&mut command(&project, &arguments));
    let runs = stored_path(&project, "runs");
    let is_begun = || {
        stored::paths(&runs)
            .iter()
            .any(|path| path.contains("/labels/"))
    };
    assert!(running.wait_until(is_begun));
    running.signal("TERM");
    let outcome = running.end().exits(130);
    assert!(outcome.stdout.contains("stopped on request"), "{outcome}");
    assert!(!outcome.stdout.contains("combination 2 of 2"), "{outcome}");
    assert!(
        outcome.stdout.contains("2: method=adain: done 0 of 4"),
        "{outcome}"
    );
    let page = fs::read_to_string(stored_path(&project, "comparisons/small.html")).unwrap();
    assert!(page.contains("0 of 2 complete"), "{page}");
    // A sheet of some of them would look as if it were of all.
    let words = "the contact sheet of run small stays as it is";
    assert!(outcome.stderr.contains(words), "{outcome}");
    assert_eq!(fs::read(&sheet).unwrap(), alone);

    let _ = compare(&project, &arguments).exits(0);
    assert_ne!(fs::read(&sheet).unwrap(), alone);
    for combination in comparison(&project).combinations {
        assert_eq!(rows(&project, combination.run.as_str()).len(), 4);
    }
}

#[test]
fn methods_with_and_without_a_model_are_compared_at_the_same_size_with_all_figures() {
    let mut project = Project::new(2, 1);
    project.judge_by_demo_features();
    project.judge_labels();
    let outcome = compare(
        &project,
        &["--vary", "method=adain,identity", "--vary", "skip=2,3"],
    )
    .exits(0);
    for words in [
        "combination 3 of 3: method=identity",
        "; FID ",
        " (N 2)",
        "; labels, mean IoU % ",
        "3: method=identity: done 2 of 2",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    let comparison = comparison(&project);
    for combination in &comparison.combinations {
        let run = combination.run.as_str();
        for row in rows(&project, run) {
            let image = format!(
                "runs/{run}/images/{}/{}.png",
                row.item.style, row.item.content
            );
            let size = image::image_dimensions(stored_path(&project, &image));
            assert_eq!(size.expect("an image"), (256, 128));
        }
    }
    let picked = compare(&project, &["--pick", "3"]).exits(0);
    let path = picked_path(&project, &comparison, 3);
    assert!(
        picked.stdout.contains(&path.display().to_string()),
        "{picked}"
    );
    let config = RunConfig::load(&path).unwrap();
    assert_eq!(
        (config.method.method(), config.model),
        (Method::Identity, None)
    );
}

#[test]
fn what_cannot_be_compared_is_told_in_one_line_before_anything_is_stored() {
    let project = project(2, 2);
    let seeds: Vec<String> = (0..65).map(|seed| seed.to_string()).collect();
    let seeds = format!("seed={}", seeds.join(","));
    let cases: [(&[&str], &[&str]); 9] = [
        (
            &["--vary", "filter_fractoin=0.5"],
            &["filter_fractoin is no key", "did you mean filter_fraction?"],
        ),
        (
            &["--vary", "beta=much"],
            &["--vary beta=much: method.beta (\"much\") must be a number"],
        ),
        (
            &["--vary", "beta=0.1", "--vary", "method.beta=0.2"],
            &["method.beta is varied twice"],
        ),
        (&["--vary", "beta"], &["it must be KEY=V1,V2"]),
        (&["--vary", "beta=0.1,0.1"], &["0.1 is there twice"]),
        (
            &["--vary", seeds.as_str()],
            &["asks for 65 combinations, and at most 64"],
        ),
        (
            &["--vary", "method=fda,cactif"],
            &["--vary method=cactif: model.path (absent) must be there"],
        ),
        (
            &["--vary", "beta=0.1,7"],
            &["--vary beta=7: method.beta (7) must be 0"],
        ),
        (
            &["--vary", "run.name=a,b"],
            &["run.name is no key that outputs depend on"],
        ),
    ];
    for (arguments, words) in cases {
        let outcome = compare(&project, arguments).exits(USAGE);
        outcome.complains_about(words);
    }
    assert!(project.stored_nothing());
    let none = compare(&project, &["--vary", "beta=0.1", "--contents", "0"]).exits(USAGE);
    assert!(none.stderr.contains("must be 1 to 10000"), "{none}");
}

#[test]
fn combinations_in_which_nothing_differs_are_one() {
    let project = project(1, 1);
    let outcome = compare(&project, &["--vary", "filter_fraction=0,0.25,0.5"]).exits(0);
    assert!(
        outcome.stdout.contains("combination 1 of 1: as it is"),
        "{outcome}"
    );
    assert!(
        outcome.stderr.contains("of 3 combinations 1 is made"),
        "{outcome}"
    );
    assert!(!outcome.stderr.contains("no more than"), "{outcome}");
    let few = compare(&project, &["--vary", "beta=0.1", "--styles", "2"]).exits(0);
    assert!(
        few.stderr
            .contains("--styles 2: there are no more than 1 style"),
        "{few}"
    );
}

#[test]
fn an_item_that_cannot_be_made_is_lost_of_every_combination_and_keeps_no_other() {
    let project = project(2, 1);
    project.write("gta5/labels/00002.png", b"no picture");
    let outcome = compare(&project, &["--vary", "method=fda,identity"]).exits(1);
    for words in [
        "1: method=fda: done 1 of 2, 1 lost",
        "2: method=identity: done 1 of 2, 1 lost",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    let _ = compare(&project, &["--pick", "1"]).exits(0);
}

#[test]
fn prototypes_of_a_comparison_are_those_of_the_whole_dataset() {
    let mut project = Project::new(6, 1);
    let style = STYLES[0];
    fs::remove_file(project.path(&format!("style/labels/{style}_gt_labelColor.png"))).unwrap();
    let prior = tests::repository("tests/fixtures/prior");
    project.set("style.prior", prior.display().to_string());
    project.set("style.prototype_contents", 3);
    let arguments = ["--vary", "method=cacti,identity", "--contents", "1"];
    let _ = compare(&project, &arguments).exits(0);
    let run = comparison(&project).combinations[0].run.to_string();
    let folder = stored_path(&project, &format!("runs/{run}"));
    let mut paths = stored::paths(&folder).into_iter();
    let plan = paths.find(|path| path.starts_with("plan-"));
    let plan = fs::read(folder.join(plan.unwrap())).unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    let names = plan["contents"].as_array().unwrap().iter();
    let names: Vec<_> = names
        .map(|content| content["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["00001", "00003", "00005"]);
    assert_eq!(plan["prototypes"], serde_json::json!([0, 1, 2]));
    assert_eq!(rows(&project, &run).len(), 1);
    assert!(folder.join(format!("priors/{style}.png")).is_file());
}
