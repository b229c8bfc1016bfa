//! `run.toml`, and those of its tables that have few keys.

use std::path::Path;

use serde::Deserialize;

use super::{OneOrMore, RawBroker, RawContent, RawEngine, RawMethod, RawQuality, RawStyle};
use crate::settings::{PairingMode, SettingsError, file};

/// `run.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// Name of the run and where it is stored.
    pub run: RawRun,
    /// The labelled synthetic images.
    pub content: RawContent,
    /// The labelled real images.
    pub style: RawStyle,
    /// Which contents meet which styles.
    #[serde(default)]
    pub pairing: RawPairing,
    /// The conversion itself.
    #[serde(default)]
    pub method: RawMethod,
    /// The exported model, where the method has one.
    pub model: Option<RawModel>,
    /// How work is grouped.
    #[serde(default)]
    pub shards: RawShards,
    /// What outputs are judged with.
    #[serde(default)]
    pub quality: RawQuality,
    /// When to give up.
    #[serde(default)]
    pub limits: RawLimits,
    /// How this process computes.
    #[serde(default)]
    pub engine: RawEngine,
    /// What an hour of a device costs.
    #[serde(default)]
    pub cost: RawCost,
    /// The broker of the distributed mode; `run` needs none.
    pub broker: Option<RawBroker>,
}

/// `[run]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRun {
    /// The run's id.
    pub name: String,
    /// Folder below which `runs/{name}/` is made.
    pub root: String,
    /// Under which terms the inputs, and so what is made of them, may be used.
    pub licences: Option<OneOrMore>,
}

/// `[pairing]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPairing {
    /// How contents are chosen for a style, default [`PAIRING_MODE`](crate::settings::defaults::PAIRING_MODE).
    pub mode: Option<PairingMode>,
    /// Contents for each style; all if absent.
    pub contents_per_style: Option<usize>,
}

/// `[model]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawModel {
    /// Folder written by onnx-export.
    pub path: String,
}

/// `[shards]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawShards {
    /// Contents in a shard, default [`SHARD_CONTENTS`](crate::settings::defaults::SHARD_CONTENTS).
    pub contents: Option<usize>,
    /// Styles in a shard, default [`SHARD_STYLES`](crate::settings::defaults::SHARD_STYLES).
    pub styles: Option<usize>,
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    /// Attempts at a shard, default [`MAX_ATTEMPTS`](crate::settings::defaults::MAX_ATTEMPTS).
    pub max_attempts: Option<u32>,
    /// Share of items that may be quarantined or failed, default [`MAX_FAILED`](crate::settings::defaults::MAX_FAILED).
    pub max_failed: Option<f64>,
    /// How long workers wait for an input that is away, in seconds,
    /// default [`INPUT_PATIENCE_SECONDS`](crate::settings::defaults::INPUT_PATIENCE_SECONDS).
    pub input_patience_seconds: Option<u64>,
}

/// `[cost]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCost {
    /// Price of an hour of one device.
    pub per_device_hour: Option<f64>,
    /// Its currency.
    pub currency: Option<String>,
}

impl RawConfig {
    /// Reads a settings file.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Unreadable`] or [`SettingsError::Malformed`], naming the file.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        file::parse(path)
    }
}
