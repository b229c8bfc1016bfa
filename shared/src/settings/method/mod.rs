//! The conversion's settings, complete and checked.
//!
//! - [`Method`], [`MethodKind`], [`Preset`]: which method, what it converts with, and which reading of it
//! - [`MethodConfig`]: all that determines the outputs, of any kind. [`DiffusionConfig`]: with a diffusion model;
//!   [`AstConfig`]: what one of these methods has of its own; `idle`: what of it has no effect. [`BaselineConfig`]: without a
//!   model; [`TranslatorConfig`]: with an image-to-image network

mod ast;
mod baseline;
mod diffusion;
mod idle;
#[cfg(test)]
mod tests;
mod translator;
mod variant;

use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

pub use self::ast::AstConfig;
pub use self::baseline::BaselineConfig;
pub use self::diffusion::DiffusionConfig;
pub use self::translator::TranslatorConfig;
pub use self::variant::{Baseline, DiffusionMethod, Method, MethodKind, Preset, TranslatorMethod};

use super::raw::RawMethod;
use super::{SettingsError, defaults};
use crate::paths;

/// The conversion's settings. With model, content and style they determine every output byte.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MethodConfig {
    /// With a diffusion model.
    Diffusion(DiffusionConfig),
    /// With pixels alone.
    Baseline(BaselineConfig),
    /// With an image-to-image network.
    Translator(TranslatorConfig),
}

/// UNet evaluations of a branch; none at all of a method without a diffusion model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evaluations {
    /// Of a style, once for all its contents.
    pub style: usize,
    /// Of a content, once for all its styles of a shard.
    pub content: usize,
    /// Of an output.
    pub output: usize,
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
        match self {
            Self::Diffusion(config) => config.check(),
            Self::Baseline(config) => config.check(),
            // Any seed will do.
            Self::Translator(_) => Ok(()),
        }
    }

    /// Returns which method it is.
    #[must_use]
    pub fn method(&self) -> Method {
        match self {
            Self::Diffusion(config) => config.method.into(),
            Self::Baseline(config) => config.method.into(),
            Self::Translator(config) => config.method.into(),
        }
    }

    /// Returns its settings if it converts with a diffusion model.
    #[must_use]
    pub fn diffusion(&self) -> Option<&DiffusionConfig> {
        match self {
            Self::Diffusion(config) => Some(config),
            Self::Baseline(_) | Self::Translator(_) => None,
        }
    }

    /// Returns the seed of all that is drawn.
    #[must_use]
    pub fn seed(&self) -> u64 {
        match self {
            Self::Diffusion(config) => config.seed,
            Self::Baseline(config) => config.seed,
            Self::Translator(config) => config.seed,
        }
    }

    /// Returns the steps that an output takes, as progress is told of them.
    #[must_use]
    pub fn steps_per_item(&self) -> usize {
        match self {
            Self::Diffusion(config) => config.num_executed(),
            Self::Baseline(_) | Self::Translator(_) => 1,
        }
    }

    /// Returns how often each branch is evaluated.
    #[must_use]
    pub fn evaluations(&self) -> Evaluations {
        match self {
            Self::Diffusion(config) => config.evaluations(),
            Self::Baseline(_) | Self::Translator(_) => Evaluations::default(),
        }
    }

    /// Returns whether the labels of contents and styles change what is computed.
    ///
    /// Contents are converted with their labels stored beside them all the same; styles need none where this is false. A
    /// translator may take the labels of contents, as its contract says, and takes none of styles.
    #[must_use]
    pub fn uses_labels(&self) -> bool {
        match self {
            Self::Diffusion(config) => config.uses_labels(),
            Self::Baseline(_) | Self::Translator(_) => false,
        }
    }

    /// Returns what the method is asked for and does at none of the steps that are executed, for a warning; nothing if it
    /// does all that it is named for.
    #[must_use]
    pub fn idle(&self) -> Option<String> {
        match self {
            Self::Diffusion(config) => config.idle(),
            Self::Baseline(_) | Self::Translator(_) => None,
        }
    }
}

impl TryFrom<RawMethod> for MethodConfig {
    type Error = SettingsError;

    fn try_from(raw: RawMethod) -> Result<Self, SettingsError> {
        // Numbers have their bounds also where the method does without them: what is beyond is a slip of the pen.
        match raw.method.unwrap_or(defaults::METHOD).kind() {
            MethodKind::Diffusion(method) => {
                BaselineConfig::of(Baseline::Fda, &raw)?;
                DiffusionConfig::of(method, &raw).map(Self::Diffusion)
            }
            MethodKind::Baseline(baseline) => {
                DiffusionConfig::of(DiffusionMethod::Cactif, &raw)?;
                BaselineConfig::of(baseline, &raw).map(Self::Baseline)
            }
            MethodKind::Translator(_) => {
                DiffusionConfig::of(DiffusionMethod::Cactif, &raw)?;
                BaselineConfig::of(Baseline::Fda, &raw)?;
                Ok(Self::Translator(TranslatorConfig::of(&raw)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for MethodConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The method tells which settings stand beside it, and errors are then about these.
        let table = serde_json::Value::deserialize(deserializer)?;
        let method = table.get("method");
        let method = method.ok_or_else(|| D::Error::missing_field("method"))?;
        let method = Method::deserialize(method).map_err(D::Error::custom)?;
        let read = match method.kind() {
            MethodKind::Diffusion(_) => serde_json::from_value(table).map(Self::Diffusion),
            MethodKind::Baseline(_) => serde_json::from_value(table).map(Self::Baseline),
            MethodKind::Translator(_) => serde_json::from_value(table).map(Self::Translator),
        };
        read.map_err(D::Error::custom)
    }
}
