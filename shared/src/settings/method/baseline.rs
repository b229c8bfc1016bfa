//! The settings of a method without a model.

use serde::{Deserialize, Serialize};

use super::Baseline;
use crate::model::sizes::MAX_PIXELS;
use crate::model::{ImageSize, PIXELS_PER_LATENT};
use crate::settings::raw::RawMethod;
use crate::settings::{SettingsError, bounds, defaults};

/// The settings of a method without a model. With content and style they determine every output byte.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineConfig {
    /// Which of them.
    pub method: Baseline,
    /// Seed of what is drawn, which is pairs of contents and styles alone.
    pub seed: u64,
    /// Width of outputs in pixels.
    pub width: usize,
    /// Height of outputs in pixels.
    pub height: usize,
    /// What `fda` has of its own: the half of the window of low frequencies, as a share of the shorter side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
}

impl BaselineConfig {
    /// Returns the settings of a `[method]` table for a method.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub(super) fn of(method: Baseline, raw: &RawMethod) -> Result<Self, SettingsError> {
        let beta = bounds::BETA.check(raw.beta.unwrap_or(defaults::BETA))?;
        let config = Self {
            method,
            seed: raw.seed.unwrap_or(defaults::SEED),
            width: raw.width.unwrap_or(defaults::WIDTH),
            height: raw.height.unwrap_or(defaults::HEIGHT),
            beta: (method == Baseline::Fda).then_some(beta),
        };
        config.check()?;
        Ok(config)
    }

    /// Returns whether every number is within its bounds, and none is there that the method has not.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        bounds::WIDTH.check(self.width)?;
        bounds::HEIGHT.check(self.height)?;
        if self.width * self.height > MAX_PIXELS {
            let size = format!("{} x {}", self.width, self.height);
            let expected = format!("must have {MAX_PIXELS} pixels at most");
            return Err(SettingsError::value("method.width", size, expected));
        }
        match (self.method, self.beta) {
            (Baseline::Fda, Some(beta)) => bounds::BETA.check(beta).map(drop),
            (Baseline::Fda, None) => {
                let expected = "must be there with method fda";
                Err(SettingsError::value("method.beta", "absent", expected))
            }
            (Baseline::Reinhard | Baseline::Histogram | Baseline::Identity, Some(beta)) => {
                let expected = "must be absent with another method than fda";
                Err(SettingsError::value("method.beta", beta, expected))
            }
            (Baseline::Reinhard | Baseline::Histogram | Baseline::Identity, None) => Ok(()),
        }
    }

    /// Returns the size of outputs. Labels are made as small as for a model, so that the same inputs are refused.
    #[must_use]
    pub fn size(&self) -> ImageSize {
        ImageSize {
            width: self.width,
            height: self.height,
            latent_width: self.width / PIXELS_PER_LATENT,
            latent_height: self.height / PIXELS_PER_LATENT,
        }
    }
}
