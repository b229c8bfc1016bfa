//! A key with a value, as it is stored and shown.

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::VariedKey;
use crate::wording::{one_line, shortened};

/// Bytes of a value that people are shown.
const MAX_SHOWN: usize = 60;

/// A key with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredSetting", into = "StoredSetting")]
pub struct Setting {
    /// The key.
    pub key: VariedKey,
    value: Value,
}

/// A key with a value as documents have it: the value is one of TOML.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSetting {
    key: String,
    value: String,
}

impl Setting {
    pub(super) fn new(key: VariedKey, value: Value) -> Self {
        Self { key, value }
    }

    /// Returns a key with a number of pixels.
    #[must_use]
    pub fn of_pixels(key: VariedKey, pixels: usize) -> Self {
        // No image has more than fit.
        let pixels = i64::try_from(pixels).unwrap_or(i64::MAX);
        Self::new(key, Value::Integer(pixels))
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the value as people read it: a text without its quotes.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        shortened(&one_line(&text), MAX_SHOWN)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key.short(), self.shown())
    }
}

impl From<Setting> for StoredSetting {
    fn from(setting: Setting) -> Self {
        Self {
            key: setting.key.as_str().to_owned(),
            value: setting.value.to_string(),
        }
    }
}

impl TryFrom<StoredSetting> for Setting {
    type Error = String;

    fn try_from(stored: StoredSetting) -> Result<Self, String> {
        let key = VariedKey::find(&stored.key)?;
        let value = literal(&stored.value);
        let value = value.ok_or_else(|| format!("the value of {} is none", key.as_str()))?;
        Ok(Self::new(key, value))
    }
}

/// Returns the one value that a text is in TOML; none if it is none.
pub(super) fn literal(text: &str) -> Option<Value> {
    text.parse().ok()
}
