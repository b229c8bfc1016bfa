//! Every file of the corpus becomes what its row says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use corpus::read::{Outcome, read};
use corpus::table::{Expected, Row, rows};

/// Returns what is wrong with what became of a row's file.
fn complaint(row: &Row) -> Option<String> {
    let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| read(row.reads, &row.bytes))) else {
        return Some("panics".to_owned());
    };
    let text = match (&row.expected, &outcome) {
        (Expected::Read, Outcome::Read(kinds, text)) if kinds.is_empty() => text,
        (Expected::Warned(expected), Outcome::Read(kinds, text)) if kinds == expected => text,
        (Expected::Refused, Outcome::Refused(text)) => text,
        (Expected::Read | Expected::Warned(_) | Expected::Refused, _) => {
            return Some(format!("expected {:?}, found {outcome:?}", row.expected));
        }
    };
    if let Some(word) = row.words.iter().find(|word| !text.contains(**word)) {
        return Some(format!("no {word:?} in: {text}"));
    }
    if text.lines().count() > 20 || text.len() > 2048 {
        return Some(format!("is told at length: {} bytes", text.len()));
    }
    text.contains("panicked")
        .then(|| format!("speaks of a panic: {text}"))
}

#[test]
fn every_file_of_the_corpus_becomes_what_its_row_says() {
    let rows = rows();
    let complaints: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            Some(format!(
                "{} ({:?}): {}",
                row.name,
                row.reads,
                complaint(row)?
            ))
        })
        .collect();
    assert!(
        complaints.is_empty(),
        "{} of {} rows:\n{}",
        complaints.len(),
        rows.len(),
        complaints.join("\n")
    );
}

#[test]
fn a_name_stands_for_one_file() {
    let mut names: Vec<String> = rows().into_iter().map(|row| row.name).collect();
    names.sort();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None);
}
