//! The rule of the crate, proved of its sources: no room names one above it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the bottom up.
const ROOMS: [&str; 4] = ["run", "output", "work", "ui"];

/// Returns the Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the name that a text begins with; empty if it begins with none.
fn name(text: &str) -> &str {
    let is_other = |c: char| !(c.is_alphanumeric() || c == '_');
    &text[..text.find(is_other).unwrap_or(text.len())]
}

/// Returns what a path begins with: a name, or each name of a group, with its place.
fn first_names(path: &str) -> Vec<(usize, &str)> {
    if !path.starts_with('{') {
        return vec![(0, name(path))];
    }
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, false);
    for (at, c) in path.char_indices() {
        match c {
            '{' => {
                depth += 1;
                begins = depth == 1;
            }
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' => begins = depth == 1,
            c if begins && !c.is_whitespace() => {
                names.push((at, name(&path[at..])));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

/// Returns which of the `forbidden` rooms a source names in a path, with the lines.
fn named(source: &str, forbidden: &[&str]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in source.match_indices(start) {
            let at = at + start.len();
            for (offset, name) in first_names(&source[at..]) {
                if forbidden.contains(&name) {
                    let line = 1 + source[..at + offset].matches('\n').count();
                    found.push((line, format!("{start}{name}")));
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_room_names_one_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders, BTreeSet::from(ROOMS.map(str::to_owned)));

    let (mut num_files, mut wrong) = (0, Vec::new());
    for (rank, room) in ROOMS.into_iter().enumerate() {
        for file in sources(&root.join(room)) {
            num_files += 1;
            let source = fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(&root).unwrap().display().to_string();
            let above = named(&source, &ROOMS[rank + 1..]);
            let lines = above.into_iter().map(|(line, what)| {
                format!("coordinator/src/{path}:{line} names {what}, which is above {room}")
            });
            wrong.extend(lines);
        }
    }
    assert!(num_files > 100, "only {num_files} sources were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_room_is_found_wherever_a_path_names_it() {
    let source = "use crate::run::plan;\nuse crate::{\n    run::{gone, ui},\n    ui::cli,\n};\n/// [`crate::work::x`]\n\
                  fn f() { super::super::ui::g(); work(); }\nuse crate::run_view::ui;\n";
    let found = named(source, &["work", "ui"]);
    let expected = [(4, "crate::ui"), (6, "crate::work"), (7, "super::ui")];
    assert_eq!(found, expected.map(|(line, what)| (line, what.to_owned())));
}
