//! Exports that were stopped, whenever that was, end as if nothing had happened.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tests::program::Running;
use tests::stored;

use crate::fixture::{FORMATS, check, command, converted, export, files};

/// Unfinished files that are older were left by a process that is gone, wherever that was.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Writes a file that was begun and not finished, some time ago.
fn write_unfinished(out: &Path, name: &str, age: Duration) {
    let folder = out.join(".writing");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), "half").unwrap();
    let file = fs::File::options().write(true).open(folder.join(name));
    let then = SystemTime::now() - age;
    file.unwrap().set_modified(then).unwrap();
}

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
            write_unfinished(&project.path(&part), ".tmpabc", 2 * ABANDONED_AFTER);
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
fn an_export_whose_list_of_digests_is_gone_has_it_written_again() {
    let project = converted(1);
    for format in FORMATS {
        let _ = export(&project, format, format, &[]).exits(0);
        let folder = project.path(format);
        let expected = files(&folder);
        fs::remove_file(folder.join("SHA256SUMS")).unwrap();
        let told = check(&project, format).exits(1);
        let words = "SHA256SUMS is missing: run the command again";
        assert!(told.stdout.contains(words), "{told}");
        let _ = export(&project, format, format, &[]).exits(0);
        assert_eq!(files(&folder), expected, "{format}");
        let _ = check(&project, format).exits(0);
    }
}

#[test]
fn a_killed_export_goes_on_to_the_same_bytes() {
    let project = converted(8);
    let _ = export(&project, "cityscapes", "whole", &[]).exits(0);
    for more in [1, 8] {
        let part = project.path("part");
        let before = stored::paths(&part).len();
        let mut running = Running::start(&mut command(&project, "cityscapes", "part", &[]));
        let is_under_way = || stored::paths(&part).len() >= before + more;
        assert!(running.wait_until(is_under_way), "it has ended");
        running.kill();
        assert!(!part.join("README.md").exists(), "it was not stopped");
    }
    let _ = export(&project, "cityscapes", "part", &[]).exits(0);
    assert_eq!(files(&project.path("part")), files(&project.path("whole")));
    let _ = check(&project, "part").exits(0);
}

/// Changes a file without changing its size.
fn alter(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).unwrap();
    let mut altered = whole.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(path, altered).unwrap();
    whole
}

#[test]
fn what_was_altered_while_an_export_was_stopped_is_refused_by_name() {
    let project = converted(1);
    for format in FORMATS {
        let _ = export(&project, format, format, &[]).exits(0);
        let folder = project.path(format);
        let expected = files(&folder);
        fs::remove_file(folder.join("README.md")).unwrap();
        let paths = expected.keys();
        for path in paths.filter(|path| *path != "README.md") {
            let whole = alter(&folder.join(path));
            let told = export(&project, format, format, &[]);
            assert!(matches!(told.code, Some(2 | 3)), "{path}: {told}");
            told.complains_about(&[path.as_str()]);
            fs::write(folder.join(path), whole).unwrap();
        }
        let _ = export(&project, format, format, &[]).exits(0);
        assert_eq!(files(&folder), expected, "{format}");
    }
}

#[test]
fn a_file_of_many_items_without_its_note_is_made_again_and_compared() {
    let project = converted(1);
    for (format, path) in [
        ("webdataset", "train-000000.tar"),
        ("huggingface", "data/train-00000-of-00001.parquet"),
    ] {
        let _ = export(&project, format, format, &[]).exits(0);
        let folder = project.path(format);
        let expected = files(&folder);
        let stop = || {
            fs::remove_file(folder.join("README.md")).unwrap();
            let note = format!(".synth2real-export/{path}.sha256");
            fs::remove_file(folder.join(note)).unwrap();
        };
        stop();
        let _ = export(&project, format, format, &[]).exits(0);
        assert_eq!(files(&folder), expected, "{format}");

        stop();
        let whole = alter(&folder.join(path));
        export(&project, format, format, &[])
            .exits(3)
            .complains_about(&[path, "other bytes", "remove it"]);
        assert_eq!(fs::read(folder.join(path)).unwrap().len(), whole.len());
        fs::remove_file(folder.join(path)).unwrap();
        let _ = export(&project, format, format, &[]).exits(0);
        assert_eq!(files(&folder), expected, "{format}");
    }
}

#[test]
fn an_export_that_is_there_is_rid_of_what_was_left_and_not_of_what_is_being_written() {
    let project = converted(1);
    let _ = export(&project, "cityscapes", "set", &[]).exits(0);
    let set = project.path("set");
    let expected = files(&set);
    write_unfinished(&set, ".tmpold", 2 * ABANDONED_AFTER);
    write_unfinished(&set, ".tmpnew", Duration::ZERO);
    let told = export(&project, "cityscapes", "set", &[]).exits(0);
    assert!(told.stdout.contains("nothing was written"), "{told}");
    assert_eq!(stored::paths(&set.join(".writing")), [".tmpnew"]);

    write_unfinished(&set, ".tmpnew", 2 * ABANDONED_AFTER);
    let _ = export(&project, "cityscapes", "set", &[]).exits(0);
    assert!(!set.join(".writing").exists());
    assert_eq!(files(&set), expected);
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
