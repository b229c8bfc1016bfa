//! How a command ends: exit codes and one-line errors.

use std::process::ExitCode;

use shared::console::{self, PrintError};
use shared::failure::chain;
use shared::wording::{MOST_MESSAGE_BYTES, shortened};

/// How a command that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is done.
    Done,
    /// Finished with quarantined or failed items, or an audit that failed.
    WithFailures,
    /// Told to stop; what is stored is kept.
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::from(0),
            Outcome::WithFailures => Self::from(1),
            Outcome::Interrupted => Self::from(130),
        }
    }
}

/// Why a command did not do its work: the kind, which decides the exit code, and one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Usage or settings.
    #[error("{0}")]
    Usage(String),
    /// Model, device, storage, broker.
    #[error("{0}")]
    Environment(String),
    /// What was asked for cannot be printed.
    #[error("{}", chain(.0))]
    Printing(#[from] PrintError),
}

impl CliError {
    /// Returns an error of usage or settings with its whole chain.
    pub fn usage(error: impl std::error::Error + 'static) -> Self {
        Self::Usage(chain(&error))
    }

    /// Returns an error of model, device, storage or broker with its whole chain.
    pub fn environment(error: impl std::error::Error + 'static) -> Self {
        Self::Environment(chain(&error))
    }

    /// Tells a person why the program ends; nothing where the reader of its output went away, as other tools.
    pub fn complain(&self) {
        match self {
            Self::Usage(_) | Self::Environment(_) | Self::Printing(PrintError::Failed(_)) => {
                let message = shortened(&self.to_string(), MOST_MESSAGE_BYTES);
                console::note(format_args!("synth2real: {message}"));
            }
            Self::Printing(PrintError::ReaderGone) => {}
        }
    }

    /// Returns the exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Environment(_) => ExitCode::from(3),
            Self::Printing(error) => ExitCode::from(error.exit_code()),
        }
    }
}
