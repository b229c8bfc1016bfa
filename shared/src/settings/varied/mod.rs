//! A run's settings file in which some keys are given other values, for runs that are to be compared.
//!
//! - [`VariedKey`]: the keys that outputs depend on; [`Setting`]: one with a value
//! - [`SettingsText`], [`Variation`]: the file, and what is otherwise in one of its kind

mod key;
mod setting;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use toml_edit::{DocumentMut, Item};

pub use self::key::VariedKey;
pub use self::setting::Setting;
use super::explain::{Mistake, explain};
use super::locations::location;
use super::raw::{RawConfig, guess};
use super::run::run_id;
use super::{Method, RunConfig, SettingsError, defaults, file};
use crate::digest;
use crate::ids::RunId;
use crate::location::Location;
use crate::paths;
use crate::wording::shortened;

/// Bytes of a parser's words that people are told.
const MAX_REASON: usize = 400;
/// The table that methods without a model do without.
const MODEL: &str = "model";

/// A run's settings file as it stands there.
#[derive(Debug, Clone)]
pub struct SettingsText {
    path: PathBuf,
    text: String,
    table: Table,
}

/// What is otherwise than in a settings file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variation {
    /// Keys with other values.
    pub settings: Vec<Setting>,
    /// Whether `[model]` is left out.
    pub without_model: bool,
}

impl SettingsText {
    /// Reads a settings file. Whether all that it says together makes a run is not asked.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the file, the line and the key.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let (_, text) = file::parse_with_text::<RawConfig>(path)?;
        let table = text.parse::<Table>();
        let table = table.map_err(|error| malformed(path, error.message()))?;
        Ok(Self {
            path: path.to_owned(),
            text,
            table,
        })
    }

    /// Returns the SHA-256 of its text.
    #[must_use]
    pub fn sha256(&self) -> String {
        digest::sha256(self.text.as_bytes())
    }

    /// Returns whether it gives a key a value.
    #[must_use]
    pub fn has(&self, key: VariedKey) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: VariedKey) -> Option<&Value> {
        let (table, key) = key.place();
        self.table.get(table)?.get(key)
    }

    /// Returns the run that it names, and its storage root.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] if one of them cannot be.
    pub fn run(&self) -> Result<(RunId, Location), SettingsError> {
        let raw = self.raw_or_malformed(&Variation::default())?;
        let root = location("run.root", &raw.run.root, self.base())?;
        Ok((run_id(&raw.run.name)?, root))
    }

    /// Returns the method of this file with some settings.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] if they cannot be read together.
    pub fn method(&self, settings: &[Setting]) -> Result<Method, SettingsError> {
        let raw = self.raw_or_malformed(&Variation {
            settings: settings.to_vec(),
            without_model: false,
        })?;
        Ok(raw.method.method.unwrap_or(defaults::METHOD))
    }

    /// Returns where the model is that it names, if it names one.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] if it is neither a folder nor a bucket.
    pub fn model(&self) -> Result<Option<Location>, SettingsError> {
        let Some(Value::String(text)) = self.value(VariedKey::ModelPath) else {
            return Ok(None);
        };
        location(VariedKey::ModelPath.as_str(), text, self.base()).map(Some)
    }

    /// Returns a key with the value that a text is for it: a number, true or false, or a text, which may be in quotes.
    ///
    /// # Errors
    ///
    /// What the value must be, in words.
    pub fn setting(&self, key: VariedKey, text: &str) -> Result<Setting, String> {
        let is_quoted = text.starts_with(['"', '\'']);
        let quoted = if is_quoted {
            setting::literal(text)
        } else {
            None
        };
        let first = quoted.unwrap_or_else(|| guess(text));
        let with = |value: Value| {
            let setting = Setting::new(key, value);
            let varied = Variation {
                settings: vec![setting.clone()],
                without_model: false,
            };
            self.raw(&varied).map(|_| setting)
        };
        // What reads as a number may be meant as text.
        let as_text = || with(Value::String(text.to_owned()));
        with(first).or_else(|error| as_text().map_err(|_| error))
    }

    /// Returns the settings of a variation, checked.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the key and its value.
    pub fn config(&self, variation: &Variation) -> Result<RunConfig, SettingsError> {
        RunConfig::check(self.raw_or_malformed(variation)?, self.base())
    }

    /// Returns the file of a variation: its comments and all that is not varied are as they were.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the file if its text cannot be taken apart.
    pub fn written(&self, variation: &Variation) -> Result<String, SettingsError> {
        let parsed = self.text.parse::<DocumentMut>();
        let mut document = parsed.map_err(|error| malformed(&self.path, error.message()))?;
        if variation.without_model {
            document.remove(MODEL);
        }
        for setting in &variation.settings {
            let value = setting.value().to_string();
            let value = value.parse::<toml_edit::Value>();
            let value = value.map_err(|error| malformed(&self.path, error.message()))?;
            put(&mut document, setting.key, value);
        }
        Ok(document.to_string())
    }

    fn base(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Returns what a variation says, or what is wrong with it.
    fn raw(&self, variation: &Variation) -> Result<RawConfig, String> {
        serde_path_to_error::deserialize(self.table_of(variation)).map_err(|error| {
            explain(&Mistake {
                keys: Some(&error.path().to_string()),
                message: error.inner().message(),
                found: None,
            })
        })
    }

    fn raw_or_malformed(&self, variation: &Variation) -> Result<RawConfig, SettingsError> {
        let raw = self.raw(variation);
        raw.map_err(|reason| malformed(&self.path, &reason))
    }

    fn table_of(&self, variation: &Variation) -> Table {
        let mut whole = self.table.clone();
        if variation.without_model {
            whole.remove(MODEL);
        }
        for setting in &variation.settings {
            let (table, key) = setting.key.place();
            let table = whole
                .entry(table)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(table) = table {
                table.insert(key.to_owned(), setting.value().clone());
            }
        }
        whole
    }
}

/// Puts a value under a key, in the place of another one with what stands around that.
fn put(document: &mut DocumentMut, key: VariedKey, value: toml_edit::Value) {
    let (table, key) = key.place();
    let table = document.entry(table).or_insert_with(toml_edit::table);
    let Some(table) = table.as_table_like_mut() else {
        return;
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(there) => {
            let around = there.decor().clone();
            *there = value;
            *there.decor_mut() = around;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

fn malformed(path: &Path, reason: &str) -> SettingsError {
    SettingsError::Malformed {
        path: paths::place(path),
        reason: format!(": {}", shortened(reason, MAX_REASON)),
    }
}
