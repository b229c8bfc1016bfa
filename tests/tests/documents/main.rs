//! What the documents say is so: links lead somewhere, commands and settings are accepted, and what they name is there.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod commands;
mod markdown;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use tests::repository;

use self::commands::{Known, commands};
use self::markdown::{FOLDERS, documents};

/// What the first page may have: it is read from its beginning to its end.
const MAX_BYTES: usize = 8_000;
/// What is made by commands, and not there before.
const MADE: [&str; 3] = [
    "onnx-export/.venv",
    "tests/fuzz/artifacts",
    "tests/fuzz/corpus",
];

#[test]
fn the_first_page_is_short_and_every_folder_has_a_page_that_it_links_to() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let bytes = readme.len();
    assert!(bytes <= MAX_BYTES, "README.md has {bytes} bytes");
    for folder in FOLDERS.into_iter().chain(["tests/benches"]) {
        let page = format!("{folder}/README.md");
        assert!(repository(&page).is_file(), "there is no {page}");
        let link = format!("]({page}");
        assert!(readme.contains(&link), "README.md does not link to {page}");
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let documents = documents();
    let real = |path: &str| repository(path).canonicalize();
    let root = real("").unwrap();
    let anchors = documents.iter().map(|document| {
        let path = real(&document.path).unwrap();
        (path, document.anchors())
    });
    let anchors: BTreeMap<PathBuf, BTreeSet<String>> = anchors.collect();
    let mut seen = 0;
    for document in &documents {
        for link in document.links() {
            if link.contains("://") {
                continue;
            }
            seen += 1;
            let told = format!("{} links to {link}", document.path);
            let (file, anchor) = link.split_once('#').unwrap_or((link.as_str(), ""));
            let mut target = repository(&document.path);
            if !file.is_empty() {
                target.pop();
                target.push(file);
            }
            let target = target.canonicalize().expect(&told);
            assert!(target.starts_with(&root), "{told}, outside of the project");
            if !anchor.is_empty() {
                let there = anchors.get(&target).expect(&told);
                assert!(there.contains(anchor), "{told}, and there is {there:?}");
            }
        }
    }
    assert!(seen > 30, "only {seen} links were found");
}

#[test]
fn every_command_is_known_with_its_options() {
    let mut known = Known::default();
    let mut seen = BTreeSet::new();
    for document in documents() {
        for shown in commands(&document) {
            let mistake = known.mistake(&shown);
            let (path, program, arguments) = (&document.path, &shown.program, &shown.arguments);
            assert_eq!(mistake, None, "{path}: {program} {}", arguments.join(" "));
            seen.insert(shown.program);
        }
    }
    for program in ["synth2real", "worker", "make", "python", "cargo"] {
        assert!(seen.contains(program), "no document shows {program}");
    }
}

#[test]
fn every_settings_block_is_accepted() {
    let mut seen = 0;
    for document in documents() {
        for shown in document.blocks("toml") {
            seen += 1;
            let refused = settings::refusal(shown);
            assert_eq!(refused, None, "{}:\n{shown}", document.path);
        }
    }
    assert!(seen > 1, "only {seen} blocks were found");
}

#[test]
fn every_path_in_backticks_is_there() {
    let mut seen = 0;
    for document in documents() {
        for code in document.code() {
            if !is_path(&code) || MADE.iter().any(|made| code.starts_with(made)) {
                continue;
            }
            for path in expanded(&code) {
                seen += 1;
                let is_there = repository(&path).exists();
                assert!(is_there, "{} names {path}", document.path);
            }
        }
    }
    assert!(seen > 100, "only {seen} paths were found");
}

/// Returns whether code is a path from the project's folder on.
fn is_path(code: &str) -> bool {
    let of_paths = |letter: char| letter.is_ascii_alphanumeric() || "/._-{},".contains(letter);
    let top = code.split_once('/').map(|(top, _)| top);
    top.is_some_and(|top| FOLDERS.contains(&top)) && code.chars().all(of_paths)
}

/// Returns the paths that one with `{a,b}` in it stands for.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let (names, after) = rest.split_once('}').expect(path);
    let paths = names
        .split(',')
        .map(|name| format!("{before}{name}{after}"));
    paths.flat_map(|path| expanded(&path)).collect()
}

#[test]
fn a_path_with_braces_stands_for_several() {
    assert!(is_path("shared/src/{a,b}.rs") && !is_path("shards/{shard}.parquet"));
    assert_eq!(expanded("a/{b,c}/d.rs"), ["a/b/d.rs", "a/c/d.rs"]);
    assert_eq!(expanded("a.rs"), ["a.rs"]);
}
