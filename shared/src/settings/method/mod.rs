//! The conversion's settings, complete and checked.
//!
//! - [`Method`], [`Preset`]: which method, and which reading of it
//! - [`MethodConfig`]: all that determines the outputs; `idle`: what of it has no effect

mod idle;
#[cfg(test)]
mod tests;
mod variant;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::variant::{Method, Preset};

use super::raw::RawMethod;
use super::{SettingsError, StepSet, bounds, defaults};
use crate::paths;

/// The conversion's settings. With model, content and style they determine every output byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodConfig {
    /// Which steps of the method are used.
    pub method: Method,
    /// Which reading of it.
    pub preset: Preset,
    /// Length of the schedule.
    pub steps: usize,
    /// Schedule indices that are not executed.
    pub skip: usize,
    /// Seed of all noise.
    pub seed: u64,
    /// Executed steps at which AdaIN is class-wise; global at the others.
    pub class_adain_steps: StepSet,
    /// Executed steps at which the style is injected.
    pub injected_steps: StepSet,
    /// Contrast of injected attention about its mean.
    pub contrast_strength: f64,
    /// Share of positions that are weak.
    pub filter_fraction: f64,
}

impl MethodConfig {
    /// Returns the settings of a file's `[method]` table, if a file is given, with `KEY=VALUE` arguments put over them.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the file or the argument, and the value.
    pub fn given(file: Option<&Path>, arguments: &[String]) -> Result<Self, SettingsError> {
        let raw = file.map(RawMethod::load).transpose()?.unwrap_or_default();
        let raw = raw.with_overrides(arguments)?;
        Self::try_from(raw).map_err(|error| {
            let set = |key: &str| {
                let mut keys = arguments.iter().filter_map(|text| text.split_once('='));
                keys.any(|(set, _)| set.trim() == key)
            };
            let mut is_set = false;
            let error = error.renamed(|field| match field.strip_prefix("method.") {
                Some(key) if set(key) => {
                    is_set = true;
                    format!("--set {key}")
                }
                _ => field,
            });
            match file {
                Some(file) if !is_set => error.in_file(paths::place(file)),
                _ => error,
            }
        })
    }

    /// Returns whether every number is within its bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::STEPS.check(self.steps)?;
        if self.skip >= self.steps {
            let expected = format!("must be below method.steps ({})", self.steps);
            return Err(SettingsError::value("method.skip", self.skip, expected));
        }
        bounds::CONTRAST_STRENGTH.check(self.contrast_strength)?;
        bounds::FILTER_FRACTION.check(self.filter_fraction)?;
        Ok(())
    }

    /// Returns the number of steps that are executed.
    #[must_use]
    pub fn num_executed(&self) -> usize {
        self.steps - self.skip
    }

    /// Returns whether the labels of images change what is computed: whether AdaIN is class-wise at any step.
    ///
    /// Contents are converted with their labels stored beside them all the same; styles need none where this is false.
    #[must_use]
    pub fn uses_labels(&self) -> bool {
        let mut steps = 0..self.num_executed();
        self.method.uses_classes() && steps.any(|step| self.class_adain_steps.contains(step))
    }
}

impl TryFrom<RawMethod> for MethodConfig {
    type Error = SettingsError;

    fn try_from(raw: RawMethod) -> Result<Self, SettingsError> {
        let preset = raw.preset.unwrap_or(defaults::PRESET);
        let (class_steps, injected_steps) = match preset {
            Preset::ReleasedCode => (StepSet::range(5..15), StepSet::from_step(1)),
            Preset::Paper => (StepSet::all(), StepSet::all()),
        };
        let config = Self {
            method: raw.method.unwrap_or(defaults::METHOD),
            preset,
            steps: raw.steps.unwrap_or(defaults::STEPS),
            skip: raw.skip.unwrap_or(defaults::SKIP),
            seed: raw.seed.unwrap_or(defaults::SEED),
            class_adain_steps: raw.class_adain_steps.unwrap_or(class_steps),
            injected_steps: raw.injected_steps.unwrap_or(injected_steps),
            contrast_strength: raw.contrast_strength.unwrap_or(defaults::CONTRAST_STRENGTH),
            filter_fraction: raw.filter_fraction.unwrap_or(defaults::FILTER_FRACTION),
        };
        config.check()?;
        Ok(config)
    }
}
