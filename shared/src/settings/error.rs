use std::path::PathBuf;

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
    #[error("settings file {} is not usable: {}", .path.display(), one_line(.source))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why; shown with line and column.
        source: Box<toml::de::Error>,
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
        /// The key as it stands in the file, for example `method.filter_fraction`.
        field: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        expected: String,
    },
}

impl SettingsError {
    pub(crate) fn value(
        field: &'static str,
        value: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::Value {
            field,
            value: value.to_string(),
            expected: expected.into(),
        }
    }
}

/// toml draws the offending line over several lines; people get one.
fn one_line(error: &toml::de::Error) -> String {
    error
        .to_string()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
