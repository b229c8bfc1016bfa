//! Predictions of doubtful items: they are objects of the run, found where they are altered, gone or nobody's, and made again.

use std::fs;

use shared::manifest;
use tests::project::{Project, STYLES};

/// Returns a run of two drawn contents in two styles, all of whose items are doubtful.
fn made() -> Project {
    let project = Project::drawn(2, 2);
    let _ = project.run().exits(0);
    assert!(project.pictures().contains_key(OF_CONTENT));
    project
}

const OF_CONTENT: &str = "predictions/contents/night_000001/00001.png";

fn of_output() -> String {
    format!("predictions/outputs/{}/00002.png", STYLES[1])
}

fn finds(project: &Project, words: &[&str]) {
    let outcome = project.about_run(&["audit"]).exits(1);
    for words in words {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
}

#[test]
fn a_prediction_that_is_altered_or_gone_or_of_nothing_that_is_doubtful_is_found() {
    let project = made();
    let _ = project.about_run(&["audit"]).exits(0);
    for stored in [OF_CONTENT, &of_output()] {
        let path = project.stored(stored);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&path, changed).unwrap();
        finds(&project, &[stored, "has SHA-256"]);
        fs::write(&path, b"").unwrap();
        finds(&project, &[stored, "is empty"]);
        fs::remove_file(&path).unwrap();
        finds(&project, &[stored, "is missing"]);
        fs::write(&path, whole).unwrap();
    }
    for stray in [
        "predictions/contents/night_000001/00009.png",
        "predictions/outputs/night_000009/00001.png",
        "predictions/outputs/night_000001/00009.png",
    ] {
        let path = project.stored(stray);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(project.stored(OF_CONTENT), &path).unwrap();
        finds(&project, &[stray, "is a prediction for no item of the run"]);
        fs::remove_file(path).unwrap();
    }
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_row_that_doubts_a_label_otherwise_than_its_pixels_is_found_though_it_is_sealed_anew() {
    let project = made();
    let path = project.stored("shards/000000.parquet");
    let mut rows = project.shard_rows();
    let item = rows[0].item.clone();
    let quality = rows[0].quality.as_mut().unwrap();
    (quality.is_doubtful, quality.predictions) = (false, None);
    fs::write(&path, manifest::write(rows).unwrap()).unwrap();
    finds(
        &project,
        &[
            &format!("the row of {item} in shard 000000 has doubtful \"false\", expected \"true\""),
            "has predictions \"none\", expected \"stored\"",
            "report.json says",
            "note: 2 predictions are stored for items whose rows speak of none",
        ],
    );
}

#[test]
fn predictions_that_are_gone_are_told_and_made_again_to_the_same_bytes() {
    let project = made();
    let whole = project.pictures();
    let of_output = of_output();
    for stored in [OF_CONTENT, &of_output] {
        fs::remove_file(project.stored(stored)).unwrap();
    }
    let status = project.about_run(&["status"]).exits(1).stdout;
    for stored in [OF_CONTENT, &of_output] {
        assert!(status.contains(stored), "no {stored}: {status}");
    }
    let _ = project.run().exits(0);
    assert_eq!(project.pictures(), whole);
    let _ = project.about_run(&["status"]).exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn one_that_is_gone_is_told_where_an_attempt_has_left_one_of_another_item_of_its_style() {
    let project = made();
    let path = project.stored("shards/000000.parquet");
    let mut rows = project.shard_rows();
    let of_output = of_output();
    let (style, gone) = (STYLES[1], "00002");
    let row = rows.iter_mut();
    let mut row = row.filter(|row| row.item.style == style && row.item.content != gone);
    let quality = row.next().unwrap().quality.as_mut().unwrap();
    (quality.is_doubtful, quality.predictions) = (false, None);
    fs::write(&path, manifest::write(rows).unwrap()).unwrap();
    fs::remove_file(project.stored("tally.json")).unwrap();
    let _ = project.about_run(&["status"]).exits(0);

    fs::remove_file(project.stored(&of_output)).unwrap();
    let status = project.about_run(&["status"]).exits(1).stdout;
    assert!(status.contains(&of_output), "no {of_output:?}: {status}");
}

#[test]
fn what_an_attempt_left_that_doubted_what_was_committed_without_doubt_is_told_and_no_finding() {
    let mut project = Project::drawn(1, 1);
    // Nothing is doubted of which any agreement is enough.
    project.set("quality.min_label_agreement", 0.0);
    let _ = project.run().exits(0);
    let item = format!("{}/00001.png", STYLES[0]);
    let of_output = project.stored(&format!("predictions/outputs/{item}"));
    let of_content = project.stored(&format!("predictions/contents/{item}"));
    for left in [&of_output, &of_content] {
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::copy(project.stored("labels/00001.png"), left).unwrap();
    }
    let told = project.about_run(&["audit"]).exits(0).stdout;
    for words in ["note: 2 predictions are stored", item.as_str()] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    let _ = project.about_run(&["status"]).exits(0);
    // What is left half is damage all the same.
    fs::write(&of_content, b"no picture").unwrap();
    finds(&project, &["predictions/contents", "is damaged"]);
}
