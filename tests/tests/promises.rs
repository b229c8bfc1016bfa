//! No test leaves itself out but by `tests::promised`, which `make test` does not let pass; what the tests' README names is
//! there; a coordinator without the engine links nothing of it; and `unsafe` stands in few files. What the other documents
//! say is looked at in `documents`.
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
/// Folders with all that is compiled.
const CRATES: [&str; 4] = ["coordinator", "shared", "tests", "worker"];

/// Returns the files below some folders that end with this, but for what tools make there.
fn files(folders: &[&str], end: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = folders.iter().map(|folder| repository(folder)).collect();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    pending.push(path);
                }
            } else if name.ends_with(end) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    files(&FOLDERS, ".rs")
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

/// The files that open the lint: calls of CUDA's libraries, and instructions of a processor.
const OPEN: [&str; 3] = [
    "worker/engine/src/cuda/calls.rs",
    "worker/kernels/src/bf16/dot_products.rs",
    "worker/kernels/src/vectorised.rs",
];
/// The file that calls ONNX Runtime in C, by a macro of another crate: the lint does not look into those.
const BY_MACRO: [&str; 1] = ["worker/engine/src/arena.rs"];

/// Returns the Rust files with a line of code of which this holds.
fn with_line(holds: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let with = files(&CRATES, ".rs").into_iter().filter(|(path, text)| {
        let is_this = path.ends_with("tests/tests/promises.rs");
        let lines = text.lines().map(str::trim_start);
        let mut code = lines.filter(|line| !line.starts_with("//"));
        !is_this && code.any(&holds)
    });
    with.map(|(path, _)| named(&path)).collect()
}

#[test]
fn unsafe_code_stands_in_the_files_of_instructions_and_of_a_gpu_alone() {
    let open = BTreeSet::from(OPEN.map(str::to_owned));
    let opens = |line: &str| line.contains("unsafe_code") && !line.contains("forbid(unsafe_code)");
    assert_eq!(with_line(opens), open);
    let by_macro = |line: &str| line.contains("![unsafe");
    assert_eq!(
        with_line(by_macro),
        BTreeSet::from(BY_MACRO.map(str::to_owned))
    );
    let uses = |line: &str| {
        let kinds = ["{", "fn ", "impl ", "extern ", "trait "];
        kinds
            .iter()
            .any(|kind| line.contains(&format!("unsafe {kind}")))
    };
    assert_eq!(with_line(uses), open);
}

#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    let workspace = fs::read_to_string(repository("Cargo.toml")).unwrap();
    assert!(workspace.contains("\nunsafe_code = \"deny\"\n"));
    let mut seen = 0;
    for (path, manifest) in files(&CRATES, "Cargo.toml") {
        // It is no member of the workspace: its targets are a line each.
        if path.starts_with(repository("tests/fuzz")) {
            continue;
        }
        seen += 1;
        let keeps = manifest.contains("\n[lints]\nworkspace = true\n");
        assert!(keeps, "{} has lints of its own", named(&path));
    }
    assert!(seen > 8, "only {seen} crates were found");
}
