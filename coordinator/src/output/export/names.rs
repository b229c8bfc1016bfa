//! Names of files in an export. Tools take names apart at underscores and dots, so a part of a name has neither.

use std::collections::{HashMap, HashSet};

/// Bytes of a part at most: two of them with an ending are far below what archives and file systems take.
const MAX_BYTES: usize = 40;

/// Returns a part for each name: letters, digits and dashes, each part once.
pub(super) fn parts<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    // The last number of each beginning, below which all are taken.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let unique = |name: &str| {
        let plain = plain(name);
        let mut part = shortened(&plain, MAX_BYTES).to_owned();
        let beginning = part.to_ascii_lowercase();
        if taken.insert(beginning.clone()) {
            return part;
        }
        let number = numbers.entry(beginning).or_insert(1);
        while !taken.insert(part.to_ascii_lowercase()) {
            *number += 1;
            let ending = format!("-{number}");
            let start = shortened(&plain, MAX_BYTES - ending.len());
            part = format!("{start}{ending}");
        }
        part
    };
    names.into_iter().map(unique).collect()
}

/// Returns a name with a dash for each run of what is neither letter nor digit.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for letter in name.chars() {
        if letter.is_alphanumeric() {
            plain.push(letter);
        } else if !plain.ends_with('-') {
            plain.push('-');
        }
    }
    let trimmed = plain.trim_matches('-');
    if trimmed.is_empty() { "x" } else { trimmed }.to_owned()
}

/// Returns the beginning of a text that has so many bytes at most.
fn shortened(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text[..end.unwrap_or(0)].trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_nothing_at_which_tools_take_names_apart() {
        let names = [
            "00001",
            "GP010376_frame_000001",
            "aachen_000000_000019",
            "a.b/c d",
            "Kreuzung Süd",
            "...",
        ];
        let expected = [
            "00001",
            "GP010376-frame-000001",
            "aachen-000000-000019",
            "a-b-c-d",
            "Kreuzung-Süd",
            "x",
        ];
        assert_eq!(parts(names), expected);
    }

    #[test]
    fn two_names_never_become_one() {
        let long = "a".repeat(300);
        let other = format!("{long}b");
        let (long, other) = (long.as_str(), other.as_str());
        let names = ["a_b", "a-b", "A.b", "a-b-2", long, other, "é é", "é_é"];
        let parts = parts(names);
        assert_eq!(parts[..4], ["a-b", "a-b-2", "A-b-3", "a-b-2-2"]);
        let different: HashSet<&String> = parts.iter().collect();
        assert_eq!(different.len(), names.len(), "{parts:?}");
        assert!(
            parts.iter().all(|part| part.len() <= MAX_BYTES),
            "{parts:?}"
        );
    }

    #[test]
    fn many_names_with_one_beginning_are_numbered() {
        let names: Vec<String> = (0..1000)
            .map(|n| format!("{}{n}", "ü".repeat(40)))
            .collect();
        let parts = parts(names.iter().map(String::as_str));
        assert_eq!(parts.iter().collect::<HashSet<_>>().len(), 1000);
        assert!(parts.iter().all(|part| part.len() <= MAX_BYTES));
    }

    #[test]
    fn very_many_equal_names_are_numbered_without_counting_anew() {
        // Counting anew for each would be five thousand million looks.
        let parts = parts(std::iter::repeat_n("scene", 100_000));
        assert_eq!(parts[1], "scene-2");
        assert_eq!(parts[99_999], "scene-100000");
    }
}
