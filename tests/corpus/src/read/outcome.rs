//! What becomes of a file that is read.

use shared::failure::chain;
use shared::warning::WarningKind;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was read, with these warnings.
    Read(Vec<WarningKind>, String),
    /// It was refused, with this message.
    Refused(String),
}

pub(super) fn refused(error: &(dyn std::error::Error + 'static)) -> Outcome {
    Outcome::Refused(chain(error))
}

pub(super) fn outcome<T, E: std::error::Error + 'static>(result: Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Read(Vec::new(), String::new()),
        Err(error) => refused(&error),
    }
}
