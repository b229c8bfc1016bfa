//! No test leaves itself out but by `tests::promised`, which `make test` does not let pass; what the tests' README names is
//! there; and a coordinator without the engine links nothing of it. What the other documents say is looked at in `documents`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::repository;

/// Folders with tests.
const FOLDERS: [&str; 15] = [
    "coordinator/src",
    "shared/src",
    "shared/tests",
    "tests/corpus/src",
    "tests/corpus/tests",
    "tests/src",
    "tests/tests",
    "worker/engine/src",
    "worker/engine/tests",
    "worker/imaging/src",
    "worker/imaging/tests",
    "worker/kernels/src",
    "worker/method",
    "worker/src",
    "worker/tests",
];

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = FOLDERS.map(repository).into();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// Returns the bodies of a file's test functions, in modules too.
fn test_functions(text: &str) -> impl Iterator<Item = &str> {
    let marks = ["#[test]", "#[tokio::test"];
    let starts = text.match_indices('\n').filter_map(move |(at, _)| {
        let from = &text[at + 1..];
        let indent = from.len() - from.trim_start_matches(' ').len();
        let is_marked = |mark: &&str| from[indent..].starts_with(*mark);
        marks.iter().any(is_marked).then_some((from, indent))
    });
    starts.map(|(from, indent)| {
        let end = format!("\n{}}}", " ".repeat(indent));
        from.split_once(&end).map_or(from, |(body, _)| body)
    })
}

/// Returns what stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns whether a source in Rust or Python has a function of this name.
fn has_function(source: &str, name: &str) -> bool {
    ["fn ", "def "].iter().any(|keyword| {
        let after = source.split(keyword).skip(1);
        let mut after = after.filter_map(|after| after.strip_prefix(name));
        after.any(|after| after.starts_with(['(', '<']))
    })
}

fn named(path: &Path) -> String {
    let root = repository("");
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[test]
fn no_test_returns_early_without_asking_what_is_promised() {
    let mut seen = 0;
    for (path, text) in sources() {
        for body in test_functions(&text) {
            seen += 1;
            let returns = body.lines().any(|line| line.trim() == "return;");
            let says = body.contains("println!(\"skipped") || body.contains("println!(\"left out");
            assert!(
                !(returns || says) || text.contains("promised::or_left_out"),
                "{} leaves a test out by itself: use tests::promised\n{body}",
                named(&path)
            );
        }
    }
    assert!(seen > 1000, "only {seen} tests were found: where are they?");
}

#[test]
fn an_ignored_test_says_who_runs_it() {
    for (path, text) in sources() {
        let lines = text.lines().map(str::trim_start);
        for line in lines.filter(|line| line.starts_with("#[ignore")) {
            assert!(
                line.starts_with("#[ignore = \""),
                "{}: {line}",
                named(&path)
            );
        }
    }
}

/// The second cell of a row holds paths, and after each the functions of that file.
#[test]
fn every_function_that_the_readme_of_tests_names_is_in_its_file() {
    let readme = fs::read_to_string(repository("tests/README.md")).unwrap();
    let mut seen = 0;
    for row in readme.lines().filter(|line| line.starts_with('|')) {
        let proof = row.split('|').nth(2).unwrap_or_default();
        let mut file = None;
        for words in quoted(proof) {
            if words.contains('/') {
                let source = fs::read_to_string(repository(words));
                file = Some((words, source.expect(words)));
                continue;
            }
            let (path, source) = file.as_ref().expect(row);
            assert!(
                has_function(source, words),
                "{path} has no function {words}: {row}"
            );
            seen += 1;
        }
    }
    assert!(
        seen > 80,
        "only {seen} names were found: are the tables there?"
    );
}

#[test]
fn a_function_is_found_by_its_whole_name() {
    let source = "async fn one_thing() {}\ndef test_another(tmp_path):\nfn of_many<T>() {}\n";
    for name in ["one_thing", "test_another", "of_many"] {
        assert!(has_function(source, name), "{name}");
    }
    for name in ["one", "thing", "another", "of"] {
        assert!(!has_function(source, name), "{name}");
    }
}

/// What only a coordinator with the feature `embedded` may need.
const OF_THE_ENGINE: [&str; 6] = ["engine", "kernels", "method", "ort", "ort-sys", "worker"];

/// Returns the names of the crates that a coordinator is linked from.
fn crates_of_coordinator(features: &[&str]) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(repository(""))
        .args(["tree", "--package", "coordinator", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(["--offline", "--locked"])
        .args(features);
    let output = tree.output().unwrap();
    let (crates, complaint) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complaint}");
    let crates = String::from_utf8(crates).unwrap();
    let names = crates.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn a_coordinator_without_the_engine_links_nothing_of_it() {
    let with = crates_of_coordinator(&[]);
    for name in OF_THE_ENGINE {
        assert!(with.contains(name), "{name} is no crate any more");
    }
    let without = crates_of_coordinator(&["--no-default-features"]);
    assert!(without.contains("shared"), "{without:?}");
    let found: Vec<&str> = OF_THE_ENGINE
        .into_iter()
        .filter(|name| without.contains(*name))
        .collect();
    assert!(
        found.is_empty(),
        "a coordinator without the engine needs {found:?}; \
         `cargo tree -p coordinator --no-default-features -e normal -i {}` says why",
        found[0]
    );
}
