//! `[method]`, in a file and as arguments of `--set`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::settings::error::echoed;
use crate::settings::explain::{Mistake, explain};
use crate::settings::{Method, Preset, SettingsError, StepSet, file};

/// `[method]`, and every key of `--set`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawMethod {
    /// Which method, default [`METHOD`](crate::settings::defaults::METHOD).
    pub method: Option<Method>,
    /// Which reading of it, default [`PRESET`](crate::settings::defaults::PRESET).
    pub preset: Option<Preset>,
    /// Length of the schedule, default [`STEPS`](crate::settings::defaults::STEPS).
    pub steps: Option<usize>,
    /// Schedule indices that are not executed, default [`SKIP`](crate::settings::defaults::SKIP).
    pub skip: Option<usize>,
    /// Seed of all noise, default [`SEED`](crate::settings::defaults::SEED).
    pub seed: Option<u64>,
    /// Executed steps with AdaIN by class, default by method and preset.
    pub class_adain_steps: Option<StepSet>,
    /// Executed steps with injection, default by method and preset.
    pub injected_steps: Option<StepSet>,
    /// Contrast of injected attention about its mean,
    /// default [`CONTRAST_STRENGTH`](crate::settings::defaults::CONTRAST_STRENGTH).
    pub contrast_strength: Option<f64>,
    /// Share of positions that are weak, default [`FILTER_FRACTION`](crate::settings::defaults::FILTER_FRACTION).
    pub filter_fraction: Option<f64>,
    /// Whether injection is of strong pairs of one class (ast), default [`FILTERING`](crate::settings::defaults::FILTERING).
    pub filtering: Option<bool>,
    /// Deviations above the median at which a pair is strong (ast),
    /// default [`THRESHOLD_LAMBDA`](crate::settings::defaults::THRESHOLD_LAMBDA).
    pub threshold_lambda: Option<f64>,
    /// Whether layers vote on classes at each step (ast), default [`USE_VOTING`](crate::settings::defaults::USE_VOTING).
    pub use_voting: Option<bool>,
    /// Cosine below which a layer has no vote (ast),
    /// default [`CONFIDENCE_THRESHOLD`](crate::settings::defaults::CONFIDENCE_THRESHOLD).
    pub confidence_threshold: Option<f64>,
    /// How sharply shares of a class decide (ast), default [`ADAIN_SCALE`](crate::settings::defaults::ADAIN_SCALE).
    pub adain_scale: Option<f64>,
    /// Width of outputs (methods without a model), default [`WIDTH`](crate::settings::defaults::WIDTH).
    pub width: Option<usize>,
    /// Height of outputs (methods without a model), default [`HEIGHT`](crate::settings::defaults::HEIGHT).
    pub height: Option<usize>,
    /// Half of the window of low frequencies, as a share of the shorter side (fda),
    /// default [`BETA`](crate::settings::defaults::BETA).
    pub beta: Option<f64>,
}

/// The `[method]` table alone, as `transfer --config` reads it: other tables may be there and are not looked at.
#[derive(Debug, Default, Deserialize)]
struct MethodOnly {
    #[serde(default)]
    method: RawMethod,
}

impl RawMethod {
    /// Reads the `[method]` table of a settings file.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Unreadable`] or [`SettingsError::Malformed`], naming the file.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        file::parse::<MethodOnly>(path).map(|file| file.method)
    }

    /// Returns these settings with `KEY=VALUE` arguments put over them.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Override`] naming the argument.
    pub fn with_overrides(self, arguments: &[String]) -> Result<Self, SettingsError> {
        let mut settings = self;
        for argument in arguments {
            let refuse = |reason: String| SettingsError::Override {
                argument: echoed(argument),
                reason,
            };
            let (key, value) = argument
                .split_once('=')
                .ok_or_else(|| refuse("expected KEY=VALUE".into()))?;
            let current = toml::Table::try_from(&settings).map_err(|e| refuse(e.to_string()))?;
            let with = |value: toml::Value| -> Result<Self, String> {
                let mut table = current.clone();
                table.insert(key.trim().to_owned(), value);
                serde_path_to_error::deserialize(table).map_err(|error| {
                    explain(&Mistake {
                        keys: Some(&error.path().to_string()),
                        message: error.inner().message(),
                        found: None,
                    })
                })
            };
            // A lone step number is a step set, which is text: what reads as a number may be meant as text.
            let text = toml::Value::String(value.trim().to_owned());
            settings = with(guess(value.trim()))
                .or_else(|error| with(text).map_err(|_| error))
                .map_err(refuse)?;
        }
        Ok(settings)
    }
}

/// A number, true or false where it reads as one, else text.
pub(in crate::settings) fn guess(value: &str) -> toml::Value {
    if let Ok(integer) = value.parse::<i64>() {
        toml::Value::Integer(integer)
    } else if let Ok(float) = value.parse::<f64>() {
        toml::Value::Float(float)
    } else if let Ok(boolean) = value.parse::<bool>() {
        toml::Value::Boolean(boolean)
    } else {
        toml::Value::String(value.to_owned())
    }
}
