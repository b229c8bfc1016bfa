//! What no export is made of, or nowhere: one line that names the thing and the way out.

use std::fs;

use tests::program::{Outcome, synth2real};
use tests::project::{RUN, STYLES};
use tests::stored;

use crate::fixture::{check, converted, export, files};

#[test]
fn onto_something_that_is_there_nothing_is_written() {
    let project = converted(1);
    project.write("mine/notes.txt", b"mine");
    export(&project, "cityscapes", "mine", &[])
        .exits(2)
        .complains_about(&["notes.txt is there", "where nothing is"]);
    assert_eq!(stored::paths(&project.path("mine")), ["notes.txt"]);
    check(&project, "mine")
        .exits(2)
        .complains_about(&["is no export"]);

    let stored = stored::paths(&project.path("out"));
    for kept in ["runs/small/set", "runs/.trial-a", ".trial-a", ".writing"] {
        let inside = format!("out/{kept}");
        let words = "among what storage keeps for itself or the results of runs";
        export(&project, "cityscapes", &inside, &[])
            .exits(2)
            .complains_about(&[words, "outside"]);
    }
    assert_eq!(stored::paths(&project.path("out")), stored);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_run_that_is_not_complete_is_exported_only_when_that_is_asked_and_its_card_says_so() {
    let project = converted(3);
    fs::remove_file(project.stored("shards/000001.parquet")).unwrap();
    export(&project, "cityscapes", "set", &[])
        .exits(2)
        .complains_about(&["not complete", "1 of 3 shards", "--partial"]);
    assert!(!project.path("set").exists());
    let told = export(&project, "cityscapes", "set", &["--partial"]).exits(0);
    assert!(
        told.stdout.contains("left out: 2 items not made yet"),
        "{told}"
    );
    let card = fs::read_to_string(project.path("set/README.md")).unwrap();
    assert!(card.contains("**Partial:**") && card.contains("2 items not made yet"));

    let _ = project.run().exits(0);
    export(&project, "cityscapes", "set", &[])
        .exits(2)
        .complains_about(&["is of another export", "name another --out"]);
    let _ = check(&project, "set").exits(0);
}

#[test]
fn a_picture_of_the_run_that_was_altered_or_is_gone_is_named_and_nothing_passes_for_an_export() {
    let project = converted(2);
    let path = format!("images/{}/00001.png", STYLES[1]);
    let image = project.stored(&path);
    let good = fs::read(&image).unwrap();
    let mut other = good.clone();
    other[100] ^= 1;
    fs::write(&image, &other).unwrap();
    for format in ["cityscapes", "webdataset"] {
        export(&project, format, format, &[])
            .exits(3)
            .complains_about(&[&path, "its row says"]);
        assert!(!project.path(format).join("README.md").exists());
    }
    fs::remove_file(&image).unwrap();
    export(&project, "fiftyone", "fiftyone", &[])
        .exits(3)
        .complains_about(&["run small is not whole, 1 picture is gone: ", &path]);
    assert!(!project.path("fiftyone").exists());

    fs::write(&image, good).unwrap();
    let _ = export(&project, "cityscapes", "cityscapes", &[]).exits(0);
    let _ = export(&project, "cityscapes", "undisturbed", &[]).exits(0);
    let expected = files(&project.path("undisturbed"));
    assert_eq!(files(&project.path("cityscapes")), expected);
}

#[test]
fn an_item_larger_than_a_file_may_be_is_refused_and_a_larger_number_helps() {
    let project = converted(1);
    let image = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    let good = fs::read(&image).unwrap();
    // Files are planned by the sizes that a listing shows.
    let large = [good.clone(), vec![0; 2 << 20]].concat();
    fs::write(&image, large).unwrap();
    export(&project, "webdataset", "set", &["--file-bytes", "1048576"])
        .exits(2)
        .complains_about(&["more than --file-bytes (1048576)", "name a larger number"]);
    assert_eq!(stored::paths(&project.path("set")), [""; 0]);

    fs::write(&image, good).unwrap();
    let _ = export(&project, "webdataset", "set", &["--file-bytes", "4194304"]).exits(0);
    let _ = check(&project, "set").exits(0);
}

#[test]
fn a_damaged_shard_is_named() {
    let project = converted(2);
    let shard = project.stored("shards/000000.parquet");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..bytes.len() / 2]).unwrap();
    export(&project, "cityscapes", "set", &["--partial"])
        .exits(3)
        .complains_about(&["shards/000000.parquet is damaged"]);
    assert!(!project.path("set").exists());
}

#[test]
fn options_that_cannot_be_are_refused_before_any_work() {
    let project = converted(1);
    let cases: [(&[&str], &str); 4] = [
        (&["--class", "lamp"], "expected road, sidewalk"),
        (&["--style", "rain*"], "it has night_000001, night_000002"),
        (&["--style", "["], "--style"),
        (&["--val", "0.5"], "are of one split"),
    ];
    for (options, words) in cases {
        let told = export(&project, "cityscapes", "set", options).exits(2);
        assert!(told.stderr.contains(words), "no {words:?}: {told}");
    }
    for options in [
        &["--val", "2"][..],
        &["--split", "val"],
        &["--without", "odd"],
    ] {
        let told = export(&project, "cityscapes", "set", options).exits(2);
        assert!(told.stderr.contains(options[0]), "{told}");
    }
    let packed = export(&project, "webdataset", "set", &["--link"]).exits(2);
    packed.complains_about(&["--link", "packs images"]);
    let mut nowhere = synth2real();
    nowhere.args(["export", RUN, "--out", "set"]);
    let told = Outcome::of(&mut nowhere).exits(2);
    assert!(told.stderr.contains("--as"), "{told}");
    let yolo = export(&project, "yolo", "set", &[]).exits(2);
    assert!(yolo.stderr.contains("cityscapes, webdataset"), "{yolo}");
    assert!(!project.path("set").exists());
}
