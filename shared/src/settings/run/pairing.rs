//! Which contents meet which styles.

use serde::{Deserialize, Serialize};

use crate::settings::raw::RawPairing;
use crate::settings::{SettingsError, bounds, defaults};

/// Which contents meet which styles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// The rule.
    pub mode: PairingMode,
    /// Contents for each style; all if absent.
    pub contents_per_style: Option<usize>,
}

/// How contents are chosen for a style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairingMode {
    /// Each style gets the same first contents.
    EveryStyle,
    /// Each style gets its own next contents.
    Ordered,
    /// Each style gets random contents.
    Uniform,
    /// Each style gets contents in which rare classes are frequent.
    RareClass,
}

impl Pairing {
    /// Returns whether its number is within its bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::CONTENTS_PER_STYLE.check_given(self.contents_per_style)?;
        Ok(())
    }
}

impl TryFrom<RawPairing> for Pairing {
    type Error = SettingsError;

    fn try_from(raw: RawPairing) -> Result<Self, SettingsError> {
        let pairing = Self {
            mode: raw.mode.unwrap_or(defaults::PAIRING_MODE),
            contents_per_style: raw.contents_per_style,
        };
        pairing.check()?;
        Ok(pairing)
    }
}
