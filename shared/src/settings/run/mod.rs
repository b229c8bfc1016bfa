//! A run's settings, complete and checked.
//!
//! - [`ContentConfig`], [`StyleConfig`]: its inputs, with their [`Licences`]; [`ClassMapConfig`]: what maps the classes of
//!   photographs without labels; [`Pairing`]: which of them meet
//! - [`ShardSize`]: how work is grouped; [`Limits`]: when to give up

mod class_maps;
mod inputs;
mod licences;
mod limits;
mod pairing;
mod shards;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use self::class_maps::{ClassMapConfig, ClassMapSource};
pub use self::inputs::{ContentConfig, StyleConfig};
pub use self::licences::Licences;
pub use self::limits::Limits;
pub use self::pairing::{Pairing, PairingMode};
pub use self::shards::ShardSize;

use self::inputs::parse_range;
use super::locations::location;
use super::raw::{RawConfig, RawModel, RawSelection};
use super::{
    BrokerConfig, ClassKeys, DevicePrice, EngineConfig, Machine, MethodConfig, QualityConfig,
    SettingsError, defaults,
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
    /// The exported model, where the method has one.
    pub model: Option<Location>,
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
        let run = run_id(&raw.run.name)?;
        let class_maps = ClassMapConfig::from_raw(&raw.style, base)?;
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
        let method = MethodConfig::try_from(raw.method)?;
        let content_classes = ClassKeys::CONTENT.table(raw.content.classes, labels, base)?;
        let use_labels = raw.style.use_labels.unwrap_or(defaults::USE_LABELS);
        check_class_maps(use_labels, &class_maps, &method)?;
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
                use_labels,
                classes: style_classes,
                class_maps,
                selection: styles,
            },
            pairing: Pairing::try_from(raw.pairing)?,
            model: model_of(&method, raw.model.as_ref(), base)?,
            method,
            shards: ShardSize::try_from(raw.shards)?,
            quality: QualityConfig::from_raw(raw.quality, base)?,
            limits: Limits::try_from(raw.limits)?,
            engine: EngineConfig::from_raw(raw.engine, base)?,
            price: DevicePrice::from_raw(raw.cost)?,
            broker: BrokerConfig::find(raw.broker)?,
        })
    }
}

/// Returns the run of a name.
pub(super) fn run_id(name: &str) -> Result<RunId, SettingsError> {
    let run = name.parse::<RunId>();
    run.map_err(|_| SettingsError::value("run.name", format!("{name:?}"), RUN_NAMES))
}

/// Photographs whose labels are not used must be mapped by something, if the method works by class.
fn check_class_maps(
    use_labels: bool,
    class_maps: &ClassMapConfig,
    method: &MethodConfig,
) -> Result<(), SettingsError> {
    if use_labels || class_maps.named().is_some() || !method.uses_labels() {
        return Ok(());
    }
    Err(SettingsError::value(
        "style.use_labels",
        false,
        "must be true, or style.prior or style.segmenter be named: the method needs to know the classes of each style",
    ))
}

/// Returns where the model of a method is, which is there if the method has one and only then.
fn model_of(
    method: &MethodConfig,
    raw: Option<&RawModel>,
    base: &Path,
) -> Result<Option<Location>, SettingsError> {
    match (method, raw) {
        (MethodConfig::Diffusion(_) | MethodConfig::Translator(_), Some(raw)) => {
            location("model.path", &raw.path, base).map(Some)
        }
        (MethodConfig::Diffusion(_) | MethodConfig::Translator(_), None) => {
            let expected = format!(
                "must be there: method {} converts with a model; reinhard, histogram, fda and identity do without",
                method.method()
            );
            Err(SettingsError::value("model.path", "absent", expected))
        }
        (MethodConfig::Baseline(config), Some(raw)) => {
            let expected = format!(
                "must be absent: method {} has no model; leave [model] out",
                config.method
            );
            let given = format!("{:?}", raw.path);
            Err(SettingsError::value("model.path", given, expected))
        }
        (MethodConfig::Baseline(_), None) => Ok(None),
    }
}
