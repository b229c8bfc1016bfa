//! One row for each file: what it is, who reads it, what becomes of it, and words of the message.

mod arrays;
mod cameras;
mod contracts;
mod formats;
mod labels;
mod messages;
mod photographs;
mod records;
mod settings;
mod shards;

use shared::warning::WarningKind;

use crate::read::Reads;

/// A file and what must become of it.
#[derive(Debug, Clone)]
pub struct Row {
    /// What is the matter with it.
    pub name: String,
    /// The file, made by [`crate::files`].
    pub bytes: Vec<u8>,
    /// Who reads it.
    pub reads: Reads,
    /// What becomes of it.
    pub expected: Expected,
    /// Words of the message.
    pub words: Vec<&'static str>,
}

/// What must become of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It is read, and nothing is said.
    Read,
    /// It is read, with these warnings.
    Warned(Vec<WarningKind>),
    /// It is refused: an item is quarantined as bad input, a command ends before any work.
    Refused,
}

impl Row {
    fn new(name: impl Into<String>, reads: Reads, bytes: Vec<u8>, expected: Expected) -> Self {
        Self {
            name: name.into(),
            bytes,
            reads,
            expected,
            words: Vec::new(),
        }
    }

    fn read(name: impl Into<String>, reads: Reads, bytes: Vec<u8>) -> Self {
        Self::new(name, reads, bytes, Expected::Read)
    }

    fn warned(
        name: impl Into<String>,
        reads: Reads,
        bytes: Vec<u8>,
        kinds: &[WarningKind],
    ) -> Self {
        Self::new(name, reads, bytes, Expected::Warned(kinds.to_vec()))
    }

    fn refused(name: impl Into<String>, reads: Reads, bytes: Vec<u8>) -> Self {
        Self::new(name, reads, bytes, Expected::Refused)
    }

    fn says(mut self, words: &[&'static str]) -> Self {
        self.words.extend_from_slice(words);
        self
    }
}

/// Returns every row.
#[must_use]
pub fn rows() -> Vec<Row> {
    let parts = [
        photographs::rows,
        cameras::rows,
        formats::rows,
        labels::rows,
        arrays::rows,
        contracts::rows,
        records::rows,
        settings::rows,
        messages::rows,
        shards::rows,
    ];
    parts.into_iter().flat_map(|part| part()).collect()
}
