//! Errors of settings: which key, its value and what it must be.

use std::path::PathBuf;

use crate::wording::{one_line, shortened};

/// Bytes of what a person wrote that a message shows.
const MAX_ECHO: usize = 60;

/// Returns what a person wrote as a part of a line: what is long without its middle, and a number of many digits with an
/// exponent.
pub(super) fn echoed(text: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    match text.parse::<f64>() {
        Ok(number)
            if text.len() > MAX_ECHO && number.is_finite() && text.chars().all(is_number) =>
        {
            format!("{number:e}")
        }
        Ok(_) | Err(_) => shortened(&one_line(text), MAX_ECHO),
    }
}

/// Settings that cannot be used. Always found before any work.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read settings file {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML, has an unknown key or a value of the wrong type.
    #[error("settings file {}{reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, from `, line 3: ` or a verb on.
        reason: String,
    },
    /// A `--set` is not `KEY=VALUE` of a known key.
    #[error("--set {argument} is not usable: {reason}")]
    Override {
        /// The argument as given.
        argument: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value is out of its range.
    #[error("{field} ({value}) {expected}")]
    Value {
        /// Where it was given: the key as it stands in the file, for example `method.filter_fraction`, a variable, or an
        /// option of the command line.
        field: String,
        /// The value given.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A value in a file is out of its range.
    #[error("settings file {}: {error}", .path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// The value.
        error: Box<SettingsError>,
    },
}

impl SettingsError {
    pub(crate) fn value(
        field: impl Into<String>,
        value: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::Value {
            field: field.into(),
            value: echoed(&value.to_string()),
            expected: expected.into(),
        }
    }

    /// Returns the same error with the field that is out of its range called by another name.
    #[must_use]
    pub fn renamed(self, name: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Value {
                field,
                value,
                expected,
            } => Self::Value {
                field: name(field),
                value,
                expected,
            },
            Self::Unreadable { .. }
            | Self::Malformed { .. }
            | Self::Override { .. }
            | Self::InFile { .. } => self,
        }
    }

    /// Returns the same error with the file that a value stands in. What the environment says stands in none.
    pub(super) fn in_file(self, path: PathBuf) -> Self {
        match &self {
            Self::Value { field, .. } if !field.starts_with("SYNTH2REAL_") => Self::InFile {
                path,
                error: Box::new(self),
            },
            Self::Value { .. }
            | Self::Unreadable { .. }
            | Self::Malformed { .. }
            | Self::Override { .. }
            | Self::InFile { .. } => self,
        }
    }
}
