//! The settings that ASTModel has beside those of every method.

use serde::{Deserialize, Serialize};

use crate::settings::raw::RawMethod;
use crate::settings::{SettingsError, bounds, defaults};

/// The settings of `ast` alone; records of other methods have none of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AstConfig {
    /// Whether injected attention is of strong pairs of one class.
    pub filtering: bool,
    /// Deviations above the median at which a pair is strong.
    pub threshold_lambda: f64,
    /// Whether layers vote on the classes of the style at each step.
    pub use_voting: bool,
    /// Cosine below which a layer has no vote on a pixel.
    pub confidence_threshold: f64,
    /// How sharply the shares of a class decide whether the content keeps its own.
    pub adain_scale: f64,
}

impl AstConfig {
    /// Returns the settings of a `[method]` table.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub(super) fn of(raw: &RawMethod) -> Result<Self, SettingsError> {
        let config = Self {
            filtering: raw.filtering.unwrap_or(defaults::FILTERING),
            threshold_lambda: raw.threshold_lambda.unwrap_or(defaults::THRESHOLD_LAMBDA),
            use_voting: raw.use_voting.unwrap_or(defaults::USE_VOTING),
            confidence_threshold: raw
                .confidence_threshold
                .unwrap_or(defaults::CONFIDENCE_THRESHOLD),
            adain_scale: raw.adain_scale.unwrap_or(defaults::ADAIN_SCALE),
        };
        config.check()?;
        Ok(config)
    }

    /// Returns whether every number is within its bounds.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        bounds::THRESHOLD_LAMBDA.check(self.threshold_lambda)?;
        bounds::CONFIDENCE_THRESHOLD.check(self.confidence_threshold)?;
        bounds::ADAIN_SCALE.check(self.adain_scale)?;
        Ok(())
    }
}
