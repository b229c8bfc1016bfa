//! Agreement of predictions with labels: what a report says of it is what the shards have counted.

use std::fs;

use serde_json::{Value, json};
use shared::confusion::{LabelAgreement, NUM_PREDICTIONS};
use shared::dataset::classes::{CLASSES, NUM_CLASSES};
use shared::manifest::{ManifestRow, Quality};
use tests::program::Running;
use tests::project::{Project, STYLES};

use super::{CONTENTS, number, report, style};

/// Proves that a report tells the figures of all pixels that were counted of some items.
fn tells_what_was_counted(told: &Value, rows: &[&ManifestRow]) {
    let items: Vec<&Quality> = rows.iter().filter_map(|row| row.quality.as_ref()).collect();
    let doubtful = items.iter().filter(|item| item.is_doubtful).count();
    assert_eq!(told["items"], items.len());
    assert_eq!(told["doubtful"], doubtful);
    type Counts = fn(&LabelAgreement) -> &[u64];
    let both: [(&str, Counts); 2] = [
        ("output", |of| of.output.counts()),
        ("content", |of| of.content.counts()),
    ];
    for (whose, counts_of) in both {
        let mut sums = vec![0_u64; NUM_CLASSES * NUM_PREDICTIONS];
        for item in &items {
            let counts = counts_of(item.agreement.as_ref().unwrap());
            sums.iter_mut()
                .zip(counts)
                .for_each(|(sum, count)| *sum += count);
        }
        let at = |label: usize, predicted: usize| sums[NUM_PREDICTIONS * label + predicted];
        let told = &told[whose];
        let all: u64 = sums.iter().sum();
        let right: u64 = (0..NUM_CLASSES).map(|class| at(class, class)).sum();
        assert_eq!(told["pixel_accuracy"], right as f64 / all as f64, "{whose}");
        let mut shown = Vec::new();
        for (class, named) in CLASSES.iter().enumerate() {
            let labelled: u64 = (0..NUM_PREDICTIONS).map(|other| at(class, other)).sum();
            let predicted: u64 = (0..NUM_CLASSES).map(|other| at(other, class)).sum();
            let right = at(class, class);
            let union = labelled + predicted - right;
            let iou = (labelled > 0).then(|| right as f64 / union as f64);
            assert_eq!(
                told["iou"][named.name],
                json!(iou),
                "{whose} {}",
                named.name
            );
            shown.extend(iou);
        }
        let mean = shown.iter().sum::<f64>() / shown.len() as f64;
        assert_eq!(told["miou"], mean, "{whose}");
    }
}

/// Proves that the report of a run tells what its shards have counted, for each style and for the run; returns it.
fn tells_what_shards_counted(project: &Project) -> Value {
    let report = report(project, &[]);
    let rows = project.shard_rows();
    tells_what_was_counted(&report["label_agreement"], &rows.iter().collect::<Vec<_>>());
    for name in &STYLES[..2] {
        let of_style = rows.iter().filter(|row| row.item.style == *name);
        let told = &style(&report, name)["label_agreement"];
        tells_what_was_counted(told, &of_style.collect::<Vec<_>>());
    }
    report
}

#[test]
fn label_agreement_is_that_of_all_pixels_that_shards_have_counted() {
    let project = Project::drawn(CONTENTS, 2);
    let outcome = project.run().exits(0);
    let doubtful = "done with doubtful labels (6): ";
    for words in ["labels: agreement 100.0 -> ", doubtful] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    let told = tells_what_shards_counted(&project);
    assert_eq!(told["segmenter"]["name"], "nearest colour of Cityscapes");
    assert_eq!(told["segmenter"]["sha256"].as_str().unwrap().len(), 64);
    let agreement = &told["label_agreement"];
    assert_eq!(agreement["content"]["miou"], 1.0);
    assert!(number(&agreement["output"]["miou"]) < 1.0, "{agreement}");

    let text = project.about_run(&["report"]).exits(0).stdout;
    for words in [
        "  labels: agreement 100.0 -> ",
        "; 6 of 6 items doubtful",
        &format!("  {}: agreement 100.0 -> ", STYLES[1]),
        "agreement of labels with nearest colour of Cityscapes (",
        "\n  pixel accuracy  ",
        "\n  road            ",
    ] {
        assert!(text.contains(words), "no {words:?}: {text}");
    }
    let status = project.about_run(&["status"]).exits(0).stdout;
    assert!(status.contains(doubtful), "{status}");
    let json = project.about_run(&["status", "--json"]).exits(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["doubtful"], 6);

    let page = project.path("labels.html");
    let _ = project
        .about_run(&["report", "--html", page.to_str().unwrap()])
        .exits(0);
    let page = fs::read_to_string(page).unwrap();
    for words in [
        "Labels of all styles by class",
        "traffic light",
        "100.0 -",
        "Some of the items whose labels are doubtful",
        "predicted for the output",
    ] {
        assert!(page.contains(words), "no {words:?}");
    }
    // Of each of six items a label and two predictions.
    let pictures = page.matches("data:image/png;base64,").count();
    assert_eq!(pictures, 6 * 3);
}

#[test]
fn label_agreement_of_a_run_that_was_killed_and_of_one_that_lost_things_is_that_of_an_undisturbed_one()
 {
    let undisturbed = Project::drawn(CONTENTS, 2);
    let _ = undisturbed.run().exits(0);
    let disturbed = Project::drawn(CONTENTS, 2);
    let mut running = Running::start(&mut disturbed.run_command());
    let image = disturbed.stored(&format!("images/{}/00001.png", STYLES[0]));
    assert!(running.wait_until(|| image.exists()));
    running.kill();
    let _ = disturbed.run().exits(0);
    let told = |project: &Project| {
        let report = tells_what_shards_counted(project);
        let styles = report["styles"].as_array().unwrap().iter();
        let styles: Vec<Value> = styles
            .map(|style| style["label_agreement"].clone())
            .collect();
        (report["label_agreement"].clone(), styles)
    };
    let expected = told(&undisturbed);
    assert_eq!(told(&disturbed), expected);

    fs::remove_file(disturbed.stored("shards/000000.parquet")).unwrap();
    fs::remove_file(&image).unwrap();
    fs::remove_dir_all(disturbed.stored("predictions/outputs")).unwrap();
    fs::remove_file(disturbed.stored("report.json")).unwrap();
    let _ = disturbed.run().exits(0);
    assert_eq!(told(&disturbed), expected);
    assert_eq!(disturbed.pictures(), undisturbed.pictures());
    let _ = disturbed.about_run(&["audit"]).exits(0);
}
