//! How many contents and styles make a shard.

use serde::{Deserialize, Serialize};

use crate::manifest::MAX_ROWS;
use crate::settings::raw::RawShards;
use crate::settings::{SettingsError, bounds, defaults};

/// How many contents and styles make a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSize {
    /// Contents in a shard.
    pub contents: usize,
    /// Styles in a shard.
    pub styles: usize,
}

impl ShardSize {
    /// Returns whether its numbers are within their bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::SHARD_CONTENTS.check(self.contents)?;
        bounds::SHARD_STYLES.check(self.styles)?;
        if self.contents * self.styles > MAX_ROWS {
            return Err(SettingsError::value(
                "shards.contents",
                self.contents,
                format!(
                    "times shards.styles ({}) must be at most {MAX_ROWS}: the rows of a shard are read at once",
                    self.styles
                ),
            ));
        }
        Ok(())
    }
}

impl TryFrom<RawShards> for ShardSize {
    type Error = SettingsError;

    fn try_from(raw: RawShards) -> Result<Self, SettingsError> {
        let size = Self {
            contents: raw.contents.unwrap_or(defaults::SHARD_CONTENTS),
            styles: raw.styles.unwrap_or(defaults::SHARD_STYLES),
        };
        size.check()?;
        Ok(size)
    }
}
