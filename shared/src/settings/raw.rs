//! The settings file as it may be written: every key, nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::echoed;
use super::explain::{Mistake, explain};
use super::{Method, PairingMode, Preset, SettingsError, StepSet, file};
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;

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
    /// The exported model.
    pub model: RawModel,
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
}

/// `[content]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawContent {
    /// Folder with the images and labels.
    pub root: String,
    /// The dataset's layout.
    pub layout: Layout,
    /// What the label files are, default `auto`: each file tells.
    #[serde(default)]
    pub labels: LabelSetting,
    /// Positions among the images that are used, sorted by name, from 1: `1..=24966`.
    pub range: Option<String>,
    /// Globs of the images that are used; all if absent.
    pub include: Option<OneOrMore>,
    /// Globs of images that are not.
    pub exclude: Option<OneOrMore>,
    /// Splits that are used: `train`, `val`, `test`; all but the last if absent.
    pub split: Option<OneOrMore>,
    /// Conditions that are used: `fog`, `night`, `rain`, `snow`; all if absent.
    pub condition: Option<OneOrMore>,
}

/// `[style]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStyle {
    /// Folder with the images and labels.
    pub root: String,
    /// What the label files are, default `auto`: each file tells.
    #[serde(default)]
    pub labels: LabelSetting,
    /// Globs of the photographs that are used; all if absent.
    pub include: Option<OneOrMore>,
    /// Globs of photographs that are not.
    pub exclude: Option<OneOrMore>,
    /// Splits that are used: `train`, `val`, `test`; all but the last if absent.
    pub split: Option<OneOrMore>,
    /// Conditions that are used: `fog`, `night`, `rain`, `snow`; all if absent.
    pub condition: Option<OneOrMore>,
}

/// The keys of `[content]` and `[style]` that choose images.
#[derive(Debug, Clone, Default)]
pub struct RawSelection {
    /// `include`
    pub include: Option<OneOrMore>,
    /// `exclude`
    pub exclude: Option<OneOrMore>,
    /// `split`
    pub split: Option<OneOrMore>,
    /// `condition`
    pub condition: Option<OneOrMore>,
}

/// A text, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMore(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<OneOrMore, A::Error> {
                let mut found = Vec::new();
                while let Some(text) = texts.next_element()? {
                    found.push(text);
                }
                Ok(OneOrMore(found))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}

/// `[pairing]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPairing {
    /// How contents are chosen for a style, default [`PAIRING_MODE`](super::defaults::PAIRING_MODE).
    pub mode: Option<PairingMode>,
    /// Contents for each style; all if absent.
    pub contents_per_style: Option<usize>,
}

/// `[method]`, and every key of `--set`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawMethod {
    /// Which steps of the method are used, default [`METHOD`](super::defaults::METHOD).
    pub method: Option<Method>,
    /// Which reading of it, default [`PRESET`](super::defaults::PRESET).
    pub preset: Option<Preset>,
    /// Length of the schedule, default [`STEPS`](super::defaults::STEPS).
    pub steps: Option<usize>,
    /// Schedule indices that are not executed, default [`SKIP`](super::defaults::SKIP).
    pub skip: Option<usize>,
    /// Seed of all noise, default [`SEED`](super::defaults::SEED).
    pub seed: Option<u64>,
    /// Executed steps with AdaIN by class, default by preset.
    pub class_adain_steps: Option<StepSet>,
    /// Executed steps with injection, default by preset.
    pub injected_steps: Option<StepSet>,
    /// Contrast of injected attention about its mean,
    /// default [`CONTRAST_STRENGTH`](super::defaults::CONTRAST_STRENGTH).
    pub contrast_strength: Option<f64>,
    /// Share of positions that are weak, default [`FILTER_FRACTION`](super::defaults::FILTER_FRACTION).
    pub filter_fraction: Option<f64>,
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
    /// Contents in a shard, default [`SHARD_CONTENTS`](super::defaults::SHARD_CONTENTS).
    pub contents: Option<usize>,
    /// Styles in a shard, default [`SHARD_STYLES`](super::defaults::SHARD_STYLES).
    pub styles: Option<usize>,
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    /// Attempts at a shard, default [`MAX_ATTEMPTS`](super::defaults::MAX_ATTEMPTS).
    pub max_attempts: Option<u32>,
    /// Share of items that may be quarantined or failed, default [`MAX_FAILED`](super::defaults::MAX_FAILED).
    pub max_failed: Option<f64>,
    /// How long workers wait for an input that is away, in seconds,
    /// default [`INPUT_PATIENCE_SECONDS`](super::defaults::INPUT_PATIENCE_SECONDS).
    pub input_patience_seconds: Option<u64>,
}

/// `[quality]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawQuality {
    /// Folder written by `onnx_export.features`: the network whose features FID and KID compare.
    pub features: Option<String>,
    /// Folder written by `onnx_export.perceptual`: the network that LPIPS is computed with.
    pub lpips: Option<String>,
    /// Statistics of real photographs; `{style}` in a path stands for the style's name.
    pub reference: Option<RawReference>,
    /// Figures for the items that show a class, for each class; default [`PER_CLASS`](super::defaults::PER_CLASS).
    pub per_class: Option<bool>,
}

/// `quality.reference`
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum RawReference {
    /// A file for every style.
    ForEveryStyle(String),
    /// A file for each glob over style names.
    ByStyle(BTreeMap<String, String>),
}

/// The keys of the engine, which `run.toml` has in `[engine]` and `worker.toml` beside its own: written here once for the
/// types of both. (With serde's `flatten`, unknown keys would not be refused, and mistakes told without their lines.)
macro_rules! with_engine_keys {
    ($declare:ident) => {
        $declare! {
            /// `cpu` or `cuda:N`, default [`DEVICE`](super::defaults::DEVICE).
            device: Option<String>,
            /// Threads of a computation; 0 is one for each core, default [`THREADS`](super::defaults::THREADS).
            threads: Option<usize>,
            /// Memory for style keys and values before they go to disk,
            /// default [`STYLE_BANK_MAX_BYTES`](super::defaults::STYLE_BANK_MAX_BYTES).
            style_bank_max_bytes: Option<u64>,
            /// Memory of a GPU for them before they go to the host's,
            /// default [`STYLE_BANK_DEVICE_MAX_BYTES`](super::defaults::STYLE_BANK_DEVICE_MAX_BYTES).
            style_bank_device_max_bytes: Option<u64>,
            /// Memory of a GPU for everything; all of it if absent.
            device_max_bytes: Option<u64>,
            /// Folder for what does not fit in memory, and for models and inputs of buckets; the system's folder for
            /// temporary files if absent.
            cache_dir: Option<String>,
        }
    };
}

macro_rules! raw_engine {
    ($($(#[$doc:meta])* $key:ident: $value:ty,)*) => {
        /// `[engine]`
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct RawEngine {
            $($(#[$doc])* pub $key: $value,)*
        }
    };
}

macro_rules! raw_worker_config {
    ($($(#[$doc:meta])* $key:ident: $value:ty,)*) => {
        /// `worker.toml`
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct RawWorkerConfig {
            /// The storage root.
            pub root: String,
            /// The worker's name; host name and process id if absent.
            pub name: Option<String>,
            $($(#[$doc])* pub $key: $value,)*
            /// Size of what is kept of buckets, default [`CACHE_MAX_BYTES`](super::defaults::CACHE_MAX_BYTES).
            pub cache_max_bytes: Option<u64>,
            /// Address and port where metrics are shown; nowhere if absent.
            pub metrics: Option<String>,
            /// When a step is taken for hanging.
            #[serde(default)]
            pub watchdog: RawWatchdog,
            /// The broker.
            pub broker: Option<RawBroker>,
        }

        impl RawWorkerConfig {
            /// Returns the keys of the engine as `run.toml` has them.
            pub(super) fn engine(&self) -> RawEngine {
                RawEngine {
                    $($key: self.$key.clone(),)*
                }
            }
        }
    };
}

with_engine_keys!(raw_engine);
with_engine_keys!(raw_worker_config);

/// `[broker]`
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBroker {
    /// AMQP address; `SYNTH2REAL_BROKER_URL` goes before it.
    pub url: Option<String>,
    /// What the names of queues and exchanges begin with, default [`NAMESPACE`](super::defaults::NAMESPACE).
    pub namespace: Option<String>,
    /// Seconds that an alarm of the broker is waited for, default [`ALARM_PATIENCE`](super::defaults::ALARM_PATIENCE).
    pub alarm_patience_seconds: Option<u64>,
}

/// The address holds a password, so it is not shown.
impl std::fmt::Debug for RawBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawBroker").finish_non_exhaustive()
    }
}

/// `[watchdog]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWatchdog {
    /// A step hangs when it takes this many times its usual time, default [`TIMES_USUAL`](super::defaults::TIMES_USUAL).
    pub times_usual: Option<f64>,
    /// But not before this many seconds, default [`MIN`](super::defaults::MIN).
    pub min_seconds: Option<f64>,
    /// Seconds that a step may take whose usual time is not known yet, and reading and storing always,
    /// default [`FIRST`](super::defaults::FIRST).
    pub first_seconds: Option<f64>,
}

impl RawWorkerConfig {
    /// Reads a settings file.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Unreadable`] or [`SettingsError::Malformed`], naming the file.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        file::parse(path)
    }
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

/// A number where it reads as one, else text.
fn guess(value: &str) -> toml::Value {
    if let Ok(integer) = value.parse::<i64>() {
        toml::Value::Integer(integer)
    } else if let Ok(float) = value.parse::<f64>() {
        toml::Value::Float(float)
    } else {
        toml::Value::String(value.to_owned())
    }
}
