//! Documents of the repository, taken apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tests::repository;

/// The folders of the top level.
pub(crate) const FOLDERS: [&str; 6] = [
    "coordinator",
    "infra",
    "onnx-export",
    "shared",
    "tests",
    "worker",
];

/// A document.
pub(crate) struct Document {
    /// Its path in the repository.
    pub(crate) path: String,
    /// What is in no block.
    prose: String,
    /// Blocks of code: language and text.
    blocks: Vec<(String, String)>,
}

/// Returns every document of the repository.
pub(crate) fn documents() -> Vec<Document> {
    let mut paths = vec!["README.md".to_owned()];
    for folder in FOLDERS {
        find(folder, &mut paths);
    }
    paths.into_iter().map(Document::read).collect()
}

fn find(folder: &str, paths: &mut Vec<String>) {
    for entry in fs::read_dir(repository(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_dir() {
            // What is made there is not the project's.
            if !name.starts_with('.') && name != "target" {
                find(&path, paths);
            }
        } else if Path::new(&name).extension().is_some_and(|it| it == "md") {
            paths.push(path);
        }
    }
}

impl Document {
    fn read(path: String) -> Self {
        let text = fs::read_to_string(repository(&path)).expect(&path);
        let (mut prose, mut blocks) = (String::new(), Vec::new());
        let mut open: Option<(String, String)> = None;
        for line in text.lines() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (Some(language), None) => open = Some((language.to_owned(), String::new())),
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some((language, body))) => open = Some((language, body + line + "\n")),
                (None, None) => {
                    prose.push_str(line);
                    prose.push('\n');
                }
            }
        }
        assert!(open.is_none(), "{path} has a block without an end");
        Self {
            path,
            prose,
            blocks,
        }
    }

    /// Returns its blocks in a language.
    pub(crate) fn blocks(&self, language: &str) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.iter();
        blocks
            .filter(move |(of, _)| of == language)
            .map(|(_, body)| body.as_str())
    }

    /// Returns what stands in backticks, and what stands outside of them.
    fn parts(&self) -> (Vec<String>, String) {
        let (mut code, mut words) = (Vec::new(), String::new());
        for paragraph in self.prose.split("\n\n") {
            let parts: Vec<&str> = paragraph.split('`').collect();
            let is_whole = parts.len() % 2 == 1;
            assert!(is_whole, "{} lacks a backtick in: {paragraph}", self.path);
            for (position, part) in parts.into_iter().enumerate() {
                if position % 2 == 1 {
                    code.push(part.replace('\n', " "));
                } else {
                    words.push_str(part);
                }
            }
            words.push_str("\n\n");
        }
        (code, words)
    }

    /// Returns what stands in backticks.
    pub(crate) fn code(&self) -> Vec<String> {
        self.parts().0
    }

    /// Returns where its links lead and its pictures are.
    pub(crate) fn links(&self) -> Vec<String> {
        let (_, words) = self.parts();
        let targets = words.split("](").skip(1);
        let targets = targets.filter_map(|rest| rest.split_once(')'));
        targets.map(|(target, _)| target.to_owned()).collect()
    }

    /// Returns the anchors of its headings.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut times = BTreeMap::new();
        let anchors = self.prose.lines().filter_map(heading).map(|heading| {
            let anchor = anchor(heading);
            let before: &mut usize = times.entry(anchor.clone()).or_default();
            *before += 1;
            match *before - 1 {
                0 => anchor,
                before => format!("{anchor}-{before}"),
            }
        });
        anchors.collect()
    }
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    text.strip_prefix(' ').filter(|_| (1..=6).contains(&level))
}

/// Returns a heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    };
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(kept)
        .collect()
}

#[test]
fn a_heading_has_the_anchor_that_browsers_know() {
    for (line, expected) in [
        ("## On a GPU", "on-a-gpu"),
        ("### `run.toml`", "runtoml"),
        ("# FID, KID: what is it?", "fid-kid-what-is-it"),
    ] {
        assert_eq!(anchor(heading(line).unwrap()), expected);
    }
    assert_eq!(heading("#key = 3"), None);
    assert_eq!(heading("text"), None);
}
