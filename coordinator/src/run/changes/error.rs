//! Why a run cannot go on with inputs that have changed, said in short or in full.

use shared::ids::RunId;
use shared::storage::StorageError;
use shared::wording::Thousands;

use crate::run::ledger::LedgerError;

/// What is said of changes in one sentence; of more there is a line for each.
const MOST_IN_SHORT: usize = 3;

/// Lines about changes, at most.
const MOST_LINES: usize = 20;

/// Why a run cannot go on with inputs that have changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// They are not those that it was planned with, and it depends on those.
    #[error("run {run} was planned with other inputs: {}; {}; {advice}", .found.join(", "), in_short(.refused))]
    Refused {
        /// The run.
        run: RunId,
        /// How they have changed.
        found: Vec<String>,
        /// What of that cannot be accepted, and why.
        refused: Vec<String>,
        /// What to do.
        advice: &'static str,
    },
    /// What was made of them cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was made of them cannot be listed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Returns what cannot be accepted in one sentence: all of a few, else the first.
fn in_short(refused: &[String]) -> String {
    match refused {
        [first, rest @ ..] if refused.len() > MOST_IN_SHORT => {
            format!("{first}; and {} more like it", Thousands(rest.len()))
        }
        few => few.join("; "),
    }
}

impl ChangeError {
    /// Returns a line about each thing that cannot be accepted, and how many more there are, where its sentence has not
    /// all of them.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let refused = match self {
            Self::Refused { refused, .. } if refused.len() > MOST_IN_SHORT => refused,
            Self::Refused { .. } | Self::Ledger(_) | Self::Storage(_) => return Vec::new(),
        };
        // The first is in the sentence.
        let mut lines: Vec<String> = refused[1..].iter().take(MOST_LINES).cloned().collect();
        if let Some(more @ 1..) = (refused.len() - 1).checked_sub(MOST_LINES) {
            lines.push(format!("{} more", Thousands(more)));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(count: usize) -> ChangeError {
        ChangeError::Refused {
            run: "small".parse().unwrap(),
            found: vec![format!("{count} contents changed")],
            refused: (0..count)
                .map(|n| format!("content {n:02} is done"))
                .collect(),
            advice: "put them back",
        }
    }

    #[test]
    fn a_few_changes_are_told_in_a_sentence_and_many_in_lines_each_once() {
        let few = refused(2);
        assert_eq!(
            few.to_string(),
            "run small was planned with other inputs: 2 contents changed; content 00 is done; content 01 is done; put \
             them back"
        );
        assert!(few.lines().is_empty());

        let many = refused(40);
        assert_eq!(
            many.to_string(),
            "run small was planned with other inputs: 40 contents changed; content 00 is done; and 39 more like it; put \
             them back"
        );
        let lines = many.lines();
        assert_eq!(lines.len(), 21);
        assert_eq!(lines[0], "content 01 is done");
        assert_eq!(lines[20], "19 more");
        assert_eq!(refused(4).lines().len(), 3);
    }
}
