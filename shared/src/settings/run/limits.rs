//! When a run, a shard or an input is given up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::raw::RawLimits;
use crate::settings::{SettingsError, bounds, defaults};

/// When to give up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Attempts at a shard.
    pub max_attempts: u32,
    /// Share of a run's items that may be quarantined or failed before the run stops.
    pub max_failed: f64,
    /// How long workers wait for an input that is away, in seconds.
    #[serde(default = "default_input_patience_seconds")]
    pub input_patience_seconds: u64,
}

fn default_input_patience_seconds() -> u64 {
    defaults::INPUT_PATIENCE_SECONDS
}

impl Limits {
    /// Returns whether its numbers are within their bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::MAX_ATTEMPTS.check(self.max_attempts)?;
        bounds::MAX_FAILED.check(self.max_failed)?;
        bounds::INPUT_PATIENCE_SECONDS.check(self.input_patience_seconds)?;
        Ok(())
    }

    /// Returns how long workers wait for an input that is away.
    #[must_use]
    pub fn input_patience(&self) -> Duration {
        Duration::from_secs(self.input_patience_seconds)
    }
}

impl TryFrom<RawLimits> for Limits {
    type Error = SettingsError;

    fn try_from(raw: RawLimits) -> Result<Self, SettingsError> {
        let limits = Self {
            max_attempts: raw.max_attempts.unwrap_or(defaults::MAX_ATTEMPTS),
            max_failed: raw.max_failed.unwrap_or(defaults::MAX_FAILED),
            input_patience_seconds: raw
                .input_patience_seconds
                .unwrap_or(defaults::INPUT_PATIENCE_SECONDS),
        };
        limits.check()?;
        Ok(limits)
    }
}
