//! A run's settings, complete and checked.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::raw::{RawConfig, RawLimits, RawPairing, RawSelection, RawShards};
use super::{
    BrokerConfig, EngineConfig, Machine, MethodConfig, QualityConfig, SettingsError, bounds,
    defaults,
};
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;
use crate::dataset::selection::{Selection, SelectionFields};
use crate::ids::{RUN_NAMES, RunId};
use crate::location::Location;
use crate::manifest::MAX_ROWS;
use crate::paths;

/// Everything a run is told.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The run's name.
    pub run: RunId,
    /// Storage root, below which `runs/` is made.
    pub root: Location,
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
    /// The broker, if the file or the environment names one.
    pub broker: Option<BrokerConfig>,
}

/// The labelled synthetic images.
#[derive(Debug, Clone)]
pub struct ContentConfig {
    /// Where images and labels lie.
    pub root: Location,
    /// Names and formats of its files.
    pub layout: Layout,
    /// What its label files are.
    pub labels: LabelSetting,
    /// Which images are used.
    pub selection: Selection,
    /// Positions among these, sorted by name, that are used, from 1; all if absent.
    pub range: Option<RangeInclusive<usize>>,
}

/// The labelled real images.
#[derive(Debug, Clone)]
pub struct StyleConfig {
    /// Where images and labels lie.
    pub root: Location,
    /// What the label files are.
    pub labels: LabelSetting,
    /// Which photographs are used.
    pub selection: Selection,
}

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

/// How many contents and styles make a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSize {
    /// Contents in a shard.
    pub contents: usize,
    /// Styles in a shard.
    pub styles: usize,
}

/// When to give up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Attempts at a shard.
    pub max_attempts: u32,
    /// Share of a run's items that may be quarantined or failed before the run stops.
    pub max_failed: f64,
    /// How long workers wait for an input that is away, in seconds.
    #[serde(default = "default_input_patience_seconds")]
    pub input_patience_seconds: u64,
}

fn default_input_patience_seconds() -> u64 {
    defaults::INPUT_PATIENCE_SECONDS
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

impl ShardSize {
    /// Returns whether its numbers are within their bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::SHARD_CONTENTS.check(self.contents)?;
        bounds::SHARD_STYLES.check(self.styles)?;
        if self.contents * self.styles > MAX_ROWS {
            return Err(SettingsError::value(
                "shards.contents",
                self.contents,
                format!(
                    "times shards.styles ({}) must be at most {MAX_ROWS}: the rows of a shard are read at once",
                    self.styles
                ),
            ));
        }
        Ok(())
    }
}

impl Limits {
    /// Returns whether its numbers are within their bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::MAX_ATTEMPTS.check(self.max_attempts)?;
        bounds::MAX_FAILED.check(self.max_failed)?;
        bounds::INPUT_PATIENCE_SECONDS.check(self.input_patience_seconds)?;
        Ok(())
    }

    /// Returns how long workers wait for an input that is away.
    #[must_use]
    pub fn input_patience(&self) -> Duration {
        Duration::from_secs(self.input_patience_seconds)
    }
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
        Ok(Self {
            run,
            root: location("run.root", &raw.run.root, base)?,
            content: ContentConfig {
                root: location("content.root", &raw.content.root, base)?,
                layout,
                labels: raw.content.labels,
                selection: contents,
                range,
            },
            style: StyleConfig {
                root: location("style.root", &raw.style.root, base)?,
                labels: raw.style.labels,
                selection: styles,
            },
            pairing: Pairing::try_from(raw.pairing)?,
            method: MethodConfig::try_from(raw.method)?,
            model: location("model.path", &raw.model.path, base)?,
            shards: ShardSize::try_from(raw.shards)?,
            quality: QualityConfig::from_raw(raw.quality, base)?,
            limits: Limits::try_from(raw.limits)?,
            engine: EngineConfig::from_raw(raw.engine, base)?,
            broker: BrokerConfig::find(raw.broker)?,
        })
    }
}

/// Returns the storage root that `--root` or `SYNTH2REAL_ROOT` names.
///
/// # Errors
///
/// [`SettingsError::Value`] if it is neither a folder nor a bucket.
pub fn resolve_root(text: &str) -> Result<Location, SettingsError> {
    location("--root", text, Path::new(""))
}

pub(super) fn location(
    field: &'static str,
    text: &str,
    base: &Path,
) -> Result<Location, SettingsError> {
    Location::given(text, base)
        .map_err(|error| SettingsError::value(field, format!("{text:?}"), error.to_string()))
}

/// Returns where a file is that a text names, under its own name: a link to a file is not followed.
pub(super) fn file_location(
    field: &'static str,
    text: &str,
    base: &Path,
) -> Result<Location, SettingsError> {
    let refused = |error: String| SettingsError::value(field, format!("{text:?}"), error);
    match location(field, text, base)? {
        Location::Folder(_) => {
            let meant = paths::expand(text).map_err(|error| refused(error.to_string()))?;
            Ok(Location::Folder(paths::place(&base.join(meant))))
        }
        bucket @ Location::Bucket(_) => Ok(bucket),
    }
}

fn parse_range(text: &str) -> Result<RangeInclusive<usize>, SettingsError> {
    let wrong = || {
        SettingsError::value(
            "content.range",
            text,
            "must be first..=last, counted from 1",
        )
    };
    let (first, last) = text.split_once("..=").ok_or_else(wrong)?;
    let first: usize = first.trim().parse().map_err(|_| wrong())?;
    let last: usize = last.trim().parse().map_err(|_| wrong())?;
    if last > bounds::MAX_IMAGES {
        let expected = format!(
            "must end at {} at most: no dataset is larger",
            bounds::MAX_IMAGES
        );
        return Err(SettingsError::value("content.range", text, expected));
    }
    if first == 0 || last < first {
        Err(wrong())
    } else {
        Ok(first..=last)
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

impl TryFrom<RawShards> for ShardSize {
    type Error = SettingsError;

    fn try_from(raw: RawShards) -> Result<Self, SettingsError> {
        let size = Self {
            contents: raw.contents.unwrap_or(defaults::SHARD_CONTENTS),
            styles: raw.styles.unwrap_or(defaults::SHARD_STYLES),
        };
        size.check()?;
        Ok(size)
    }
}

impl TryFrom<RawLimits> for Limits {
    type Error = SettingsError;

    fn try_from(raw: RawLimits) -> Result<Self, SettingsError> {
        let limits = Self {
            max_attempts: raw.max_attempts.unwrap_or(defaults::MAX_ATTEMPTS),
            max_failed: raw.max_failed.unwrap_or(defaults::MAX_FAILED),
            input_patience_seconds: raw
                .input_patience_seconds
                .unwrap_or(defaults::INPUT_PATIENCE_SECONDS),
        };
        limits.check()?;
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = r#"
        [run]
        name = "demo"
        root = "../../out"
        [content]
        root = "data/gta5"
        layout = "gta5"
        [style]
        root = "data/style"
        [model]
        path = "model"
    "#;

    fn check(extra: &str) -> Result<RunConfig, String> {
        check_settings(&format!("{SMALLEST}\n{extra}"))
    }

    fn check_settings(settings: &str) -> Result<RunConfig, String> {
        let raw: RawConfig = toml::from_str(settings).map_err(|e| e.to_string())?;
        RunConfig::check(raw, Path::new("/base")).map_err(|e| e.to_string())
    }

    #[test]
    fn paths_are_relative_to_the_settings_file() {
        let config = check("").expect("the smallest file is valid");
        assert_eq!(config.content.root.to_string(), "/base/data/gta5");
        assert_eq!(
            config.shards,
            ShardSize {
                contents: 4,
                styles: 3
            }
        );
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_its_field() {
        for (extra, message) in [
            (
                "[shards]\ncontents = 0",
                "shards.contents (0) must be 1 to 10000: a shard is stored, and made again, as a whole",
            ),
            (
                "[limits]\nmax_failed = 1.5",
                "limits.max_failed (1.5) must be 0 to 1",
            ),
            (
                "[pairing]\ncontents_per_style = 0",
                "pairing.contents_per_style (0) must be 1 to 10000000: no dataset is larger",
            ),
            (
                "[method]\nskip = 50",
                "method.skip (50) must be below method.steps (50)",
            ),
        ] {
            assert_eq!(check(extra).expect_err("out of range"), message);
        }
    }

    #[test]
    fn home_and_variables_in_paths_are_expanded_or_refused_with_the_key() {
        let at = |root: &str| check_settings(&SMALLEST.replace("../../out", root));
        let home = std::env::home_dir().unwrap();
        let root = at("~/not/yet").unwrap().root.to_string();
        assert_eq!(
            root,
            paths::real(&home.join("not/yet")).display().to_string()
        );
        assert_eq!(
            at("$HOME/out").unwrap_err(),
            "run.root (\"$HOME/out\") must have ${HOME} for the variable HOME, or $$ for a dollar sign"
        );
        let refused =
            |from: &str, to: &str| check_settings(&SMALLEST.replace(from, to)).unwrap_err();
        for (from, to, key) in [
            ("data/gta5", "~else/gta5", "content.root"),
            ("data/style", "${SYNTH2REAL_NOWHERE}/style", "style.root"),
            ("\"model\"", "\"model \"", "model.path"),
            ("../../out", "s3://${SYNTH2REAL_NOWHERE}/out", "run.root"),
            ("../../out", "s3:/bucket/out", "run.root"),
            ("../../out", "C:/out", "run.root"),
        ] {
            let told = refused(from, to);
            assert!(told.starts_with(&format!("{key} (")), "{told}");
        }
        for (extra, key) in [
            ("[engine]\ncache_dir = '$TMPDIR'", "engine.cache_dir"),
            ("[quality]\nfeatures = '~x'", "quality.features"),
            ("[quality]\nlpips = '${}'", "quality.lpips"),
            (
                "[quality]\nfeatures = 'f'\nreference = '$A/{style}.npz'",
                "quality.reference",
            ),
        ] {
            let told = check(extra).unwrap_err();
            assert!(told.starts_with(&format!("{key} (")), "{told}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let message = check("[method]\nstepz = 3").expect_err("no such key");
        assert!(message.contains("stepz"), "{message}");
    }

    #[test]
    fn a_range_counts_from_one_and_includes_its_end() {
        assert_eq!(parse_range("1..=24966").expect("a range"), 1..=24966);
        for wrong in ["0..=3", "5..=4", "1..3", "x", "1..=99999999"] {
            assert!(parse_range(wrong).is_err(), "{wrong} was accepted");
        }
    }
}
