//! A run's settings, complete and checked.
//!
//! - [`ContentConfig`], [`StyleConfig`]: its inputs, with their [`Licences`]; [`Pairing`]: which of them meet
//! - [`ShardSize`]: how work is grouped; [`Limits`]: when to give up

mod inputs;
mod licences;
mod limits;
mod pairing;
mod shards;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use self::inputs::{ContentConfig, StyleConfig};
pub use self::licences::Licences;
pub use self::limits::Limits;
pub use self::pairing::{Pairing, PairingMode};
pub use self::shards::ShardSize;

use self::inputs::parse_range;
use super::locations::location;
use super::raw::{RawConfig, RawSelection};
use super::{
    BrokerConfig, ClassKeys, DevicePrice, EngineConfig, Machine, MethodConfig, QualityConfig,
    SettingsError,
};
use crate::dataset::selection::{Selection, SelectionFields};
use crate::ids::{RUN_NAMES, RunId};
use crate::location::Location;
use crate::paths;

/// Everything a run is told.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The run's name.
    pub run: RunId,
    /// Storage root, below which `runs/` is made.
    pub root: Location,
    /// Under which terms what is made may be used.
    pub licences: Licences,
    /// The labelled synthetic images.
    pub content: ContentConfig,
    /// The labelled real images.
    pub style: StyleConfig,
    /// Which contents meet which styles.
    pub pairing: Pairing,
    /// The conversion itself.
    pub method: MethodConfig,
    /// The exported model.
    pub model: Location,
    /// How work is grouped.
    pub shards: ShardSize,
    /// What outputs are judged with.
    pub quality: QualityConfig,
    /// When to give up.
    pub limits: Limits,
    /// How this process computes.
    pub engine: EngineConfig,
    /// What an hour of a device costs, if the file says so.
    pub price: Option<DevicePrice>,
    /// The broker, if the file or the environment names one.
    pub broker: Option<BrokerConfig>,
}

impl RunConfig {
    /// Reads and checks a settings file. Relative paths in it are relative to it.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the file, or the field and its value.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let raw = RawConfig::load(path)?;
        let base = path.parent().unwrap_or(Path::new("."));
        Self::check(raw, base).map_err(|error| error.in_file(paths::place(path)))
    }

    /// Reads and checks a settings file as [`Self::load`] does, for a process that computes on this machine itself.
    ///
    /// # Errors
    ///
    /// Also if the engine is told to use more than this machine has.
    pub fn load_to_compute(path: &Path) -> Result<Self, SettingsError> {
        let config = Self::load(path)?;
        match config.engine.fits(&Machine::this()) {
            Ok(()) => Ok(config),
            Err(error) => Err(error.in_file(paths::place(path))),
        }
    }

    /// Checks settings whose relative paths are relative to `base`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] naming the field, its value and what it must be.
    pub fn check(raw: RawConfig, base: &Path) -> Result<Self, SettingsError> {
        let run = raw.run.name.parse::<RunId>().map_err(|_| {
            let given = format!("{:?}", raw.run.name);
            SettingsError::value("run.name", given, RUN_NAMES)
        })?;
        let range = raw.content.range.as_deref().map(parse_range).transpose()?;
        let contents = RawSelection {
            include: raw.content.include,
            exclude: raw.content.exclude,
            split: raw.content.split,
            condition: raw.content.condition,
        };
        let layout = raw.content.layout;
        let contents = Selection::check(SelectionFields::CONTENT, contents, Some(layout))?;
        let styles = RawSelection {
            include: raw.style.include,
            exclude: raw.style.exclude,
            split: raw.style.split,
            condition: raw.style.condition,
        };
        let styles = Selection::check(SelectionFields::STYLE, styles, None)?;
        let labels = raw.content.labels;
        let content_classes = ClassKeys::CONTENT.table(raw.content.classes, labels, base)?;
        let style_classes = ClassKeys::STYLE.table(raw.style.classes, raw.style.labels, base)?;
        Ok(Self {
            run,
            root: location("run.root", &raw.run.root, base)?,
            licences: Licences::try_from(raw.run.licences)?,
            content: ContentConfig {
                root: location("content.root", &raw.content.root, base)?,
                layout,
                labels,
                classes: content_classes,
                selection: contents,
                range,
            },
            style: StyleConfig {
                root: location("style.root", &raw.style.root, base)?,
                labels: raw.style.labels,
                classes: style_classes,
                selection: styles,
            },
            pairing: Pairing::try_from(raw.pairing)?,
            method: MethodConfig::try_from(raw.method)?,
            model: location("model.path", &raw.model.path, base)?,
            shards: ShardSize::try_from(raw.shards)?,
            quality: QualityConfig::from_raw(raw.quality, base)?,
            limits: Limits::try_from(raw.limits)?,
            engine: EngineConfig::from_raw(raw.engine, base)?,
            price: DevicePrice::from_raw(raw.cost)?,
            broker: BrokerConfig::find(raw.broker)?,
        })
    }
}
