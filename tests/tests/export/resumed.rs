//! Exports that were stopped, whenever that was, end as if nothing had happened.

use std::fs;
use std::path::Path;

use tests::program::Running;
use tests::stored;

use crate::fixture::{FORMATS, check, command, converted, export, files};

/// Copies some files of an export into another folder, as if the export had been stopped when it had written those.
fn copy(from: &Path, to: &Path, paths: &[String]) {
    for path in paths {
        let copy = to.join(path);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(from.join(path), copy).unwrap();
    }
}

#[test]
fn an_export_that_was_stopped_after_any_file_goes_on_to_the_same_bytes() {
    let project = converted(2);
    for format in FORMATS {
        let whole = format!("whole-{format}");
        let _ = export(&project, format, &whole, &[]).exits(0);
        let expected = files(&project.path(&whole));
        // The record is written first, the card last.
        let record = ".synth2real-export.json".to_owned();
        let between = expected.keys().filter(|path| **path != record);
        let between: Vec<String> = between
            .filter(|path| *path != "README.md")
            .cloned()
            .collect();
        for count in [0, 1, between.len() / 2, between.len()] {
            let part = format!("part-{format}-{count}");
            let mut paths = vec![record.clone()];
            paths.extend(between.iter().take(count).cloned());
            copy(&project.path(&whole), &project.path(&part), &paths);
            // What a kill leaves of a file that was being written.
            fs::create_dir_all(project.path(&part).join(".writing")).unwrap();
            fs::write(project.path(&part).join(".writing/.tmpabc"), "half").unwrap();
            check(&project, &part)
                .exits(2)
                .complains_about(&["was stopped", "run the command again"]);
            let _ = export(&project, format, &part, &[]).exits(0);
            assert_eq!(files(&project.path(&part)), expected, "{part}");
            let _ = check(&project, &part).exits(0);
        }
    }
}

#[test]
fn a_killed_export_goes_on_to_the_same_bytes() {
    let project = converted(3);
    let _ = export(&project, "cityscapes", "whole", &[]).exits(0);
    for more in [1, 8] {
        let part = project.path("part");
        let before = stored::paths(&part).len();
        let mut running = Running::start(&mut command(&project, "cityscapes", "part", &[]));
        running.wait_until(|| stored::paths(&part).len() >= before + more);
        running.kill();
    }
    let _ = export(&project, "cityscapes", "part", &[]).exits(0);
    assert_eq!(files(&project.path("part")), files(&project.path("whole")));
    let _ = check(&project, "part").exits(0);
}

#[test]
fn an_export_that_goes_on_is_of_what_it_began_with() {
    let project = converted(2);
    let _ = export(&project, "cityscapes", "set", &["--val", "0.5"]).exits(0);
    fs::remove_file(project.path("set/README.md")).unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["--val", "0.4", "--split", "train"], "validation was 0.5"),
        (&[], "validation was 0.5 and is now null"),
        (&["--val", "0.5", "--without", "warned"], "without was []"),
    ];
    for (options, words) in cases {
        let told = export(&project, "cityscapes", "set", options).exits(2);
        told.complains_about(&["is of another export", words, "name another --out"]);
    }
    export(&project, "fiftyone", "set", &["--val", "0.5"])
        .exits(2)
        .complains_about(&["format was \"cityscapes\" and is now \"fiftyone\""]);
    let _ = export(&project, "cityscapes", "set", &["--val", "0.5"]).exits(0);
    let _ = check(&project, "set").exits(0);
}
