//! The bounds of every number in the settings files.
//!
//! A number beyond them is a slip of the pen or would take the machine down, and is refused when it is read. A test
//! walks over all keys of the files and fails for one that has no bound.

use std::fmt::Display;

use super::SettingsError;
use crate::model::sizes::MAX_SIDE;

/// The least and the greatest value of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<T> {
    /// The key as it stands in the file.
    key: &'static str,
    min: T,
    max: T,
    /// Why there is a bound; empty where it goes without saying.
    why: &'static str,
}

impl<T: PartialOrd + Display + Copy> Bound<T> {
    const fn new(key: &'static str, min: T, max: T, why: &'static str) -> Self {
        Self { key, min, max, why }
    }

    /// Returns the value if it is within the bounds, which NaN is not.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] with the key, the value and both bounds.
    pub(super) fn check(&self, value: T) -> Result<T, SettingsError> {
        if value >= self.min && value <= self.max {
            return Ok(value);
        }
        let colon = if self.why.is_empty() { "" } else { ": " };
        let expected = format!("must be {} to {}{colon}{}", self.min, self.max, self.why);
        Err(SettingsError::value(self.key, value, expected))
    }

    /// Returns the value of an optional key if it is absent or within the bounds.
    ///
    /// # Errors
    ///
    /// As [`Self::check`].
    pub(super) fn check_given(&self, value: Option<T>) -> Result<Option<T>, SettingsError> {
        value.map(|value| self.check(value)).transpose()
    }
}

/// More images than any dataset has.
pub(super) const MAX_IMAGES: usize = 10_000_000;
/// Structural similarity looks at windows of eleven pixels, and latents of models are an eighth as large.
const MIN_SIDE: usize = 16;
const DATASETS: &str = "no dataset is larger";
const SHARD: &str = "a shard is stored, and made again, as a whole";
const MEMORY: &str = "no machine has more memory";
const MAX_MEMORY: u64 = 1 << 44;

pub(super) const STEPS: Bound<usize> =
    Bound::new("method.steps", 1, 1000, "a model knows 1000 timesteps");
pub(super) const CONTRAST_STRENGTH: Bound<f64> = Bound::new(
    "method.contrast_strength",
    0.01,
    100.0,
    "1 changes nothing, and beyond 100 attention is of a single position",
);
pub(super) const FILTER_FRACTION: Bound<f64> = Bound::new("method.filter_fraction", 0.0, 1.0, "");
pub(super) const THRESHOLD_LAMBDA: Bound<f64> = Bound::new(
    "method.threshold_lambda",
    0.0,
    1000.0,
    "deviations above the median",
);
pub(super) const CONFIDENCE_THRESHOLD: Bound<f64> = Bound::new(
    "method.confidence_threshold",
    0.0,
    1.0,
    "no cosine is greater",
);
pub(super) const ADAIN_SCALE: Bound<f64> = Bound::new(
    "method.adain_scale",
    0.0,
    1000.0,
    "0 takes half of every class",
);
pub(super) const WIDTH: Bound<usize> = Bound::new("method.width", MIN_SIDE, MAX_SIDE, "pixels");
pub(super) const HEIGHT: Bound<usize> = Bound::new("method.height", MIN_SIDE, MAX_SIDE, "pixels");
pub(super) const BETA: Bound<f64> =
    Bound::new("method.beta", 0.0, 0.5, "0.5 takes every frequency");
pub(super) const PROTOTYPE_CONTENTS: Bound<usize> = Bound::new(
    "style.prototype_contents",
    1,
    10_000,
    "each worker learns from all of them",
);
pub(super) const CONTENTS_PER_STYLE: Bound<usize> =
    Bound::new("pairing.contents_per_style", 1, MAX_IMAGES, DATASETS);
pub(super) const SHARD_CONTENTS: Bound<usize> = Bound::new("shards.contents", 1, 10_000, SHARD);
pub(super) const SHARD_STYLES: Bound<usize> = Bound::new("shards.styles", 1, 1000, SHARD);
pub(super) const MAX_ATTEMPTS: Bound<u32> = Bound::new(
    "limits.max_attempts",
    1,
    10,
    "the broker gives a message up after 20 deliveries, and drained workers take some of them",
);
pub(super) const MAX_FAILED: Bound<f64> = Bound::new("limits.max_failed", 0.0, 1.0, "");
pub(super) const INPUT_PATIENCE_SECONDS: Bound<u64> = Bound::new(
    "limits.input_patience_seconds",
    0,
    604_800,
    "seconds, up to a week",
);
pub(super) const MIN_LABEL_AGREEMENT: Bound<f64> = Bound::new(
    "quality.min_label_agreement",
    0.0,
    1.0,
    "a share of the content's own agreement",
);
pub(super) const ALARM_PATIENCE_SECONDS: Bound<u64> = Bound::new(
    "broker.alarm_patience_seconds",
    0,
    604_800,
    "seconds, up to a week",
);
pub(super) const THREADS: Bound<usize> =
    Bound::new("engine.threads", 0, 1024, "0 is one for each core");
pub(super) const STYLE_BANK_MAX_BYTES: Bound<u64> =
    Bound::new("engine.style_bank_max_bytes", 0, MAX_MEMORY, MEMORY);
pub(super) const STYLE_BANK_DEVICE_MAX_BYTES: Bound<u64> =
    Bound::new("engine.style_bank_device_max_bytes", 0, MAX_MEMORY, MEMORY);
pub(super) const DEVICE_MAX_BYTES: Bound<u64> =
    Bound::new("engine.device_max_bytes", 1, MAX_MEMORY, MEMORY);
pub(super) const CACHE_MAX_BYTES: Bound<u64> =
    Bound::new("cache_max_bytes", 0, 1 << 50, "no disk is larger");
pub(super) const IDLE_SECONDS: Bound<u64> =
    Bound::new("idle_seconds", 1, 604_800, "seconds, up to a week");
pub(super) const TIMES_USUAL: Bound<f64> = Bound::new(
    "watchdog.times_usual",
    2.0,
    1000.0,
    "a step takes a little more or less time than usual",
);
pub(super) const PER_DEVICE_HOUR: Bound<f64> = Bound::new(
    "cost.per_device_hour",
    0.0,
    1_000_000.0,
    "no device is dearer",
);
const A_WEEK: f64 = 604_800.0;
const WATCHDOG: &str = "seconds, up to a week";
pub(super) const MIN_SECONDS: Bound<f64> =
    Bound::new("watchdog.min_seconds", 0.001, A_WEEK, WATCHDOG);
pub(super) const FIRST_SECONDS: Bound<f64> =
    Bound::new("watchdog.first_seconds", 0.001, A_WEEK, WATCHDOG);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::keys::{Kind, numbers_of};
    use crate::settings::raw::{RawConfig, RawWorkerConfig};
    use crate::settings::{RunConfig, WorkerConfig};

    /// Any number is as good as another.
    const WITHOUT_BOUNDS: [&str; 1] = ["method.seed"];
    const RUN: &str = "run = { name = 'r', root = 'o' }
        content = { root = 'c', layout = 'gta5' }
        style = { root = 's' }
        model = { path = 'm' }";
    const WORKER: &str = "root = 'r'\nbroker = { url = 'amqp://h' }";

    /// Returns settings with a value under a key.
    fn with(settings: &str, key: &str, value: toml::Value) -> toml::Table {
        let mut settings: toml::Table = settings.parse().unwrap();
        let (table, key) = match key.split_once('.') {
            Some((table, key)) => {
                let table = settings.entry(table).or_insert(toml::Table::new().into());
                (table.as_table_mut().unwrap(), key)
            }
            None => (&mut settings, key),
        };
        table.insert(key.to_owned(), value);
        settings
    }

    fn beyond(kind: Kind) -> Vec<toml::Value> {
        match kind {
            // Where the greatest is too great for the key's type, the greatest of a smaller type is not.
            Kind::Whole => vec![toml::Value::Integer(i64::MAX), i64::from(u32::MAX).into()],
            Kind::Number => [1e300, -1e300, f64::INFINITY, f64::NAN]
                .map(toml::Value::Float)
                .to_vec(),
        }
    }

    fn assert_bounded(
        keys: &[(String, Kind)],
        settings: &str,
        refusal: impl Fn(toml::Table) -> Option<String>,
    ) {
        for (key, kind) in keys {
            if WITHOUT_BOUNDS.contains(&key.as_str()) {
                continue;
            }
            let settings_with = |value| with(settings, key, value);
            let mut tried = beyond(*kind).into_iter().map(settings_with);
            let refusals: Vec<String> = match kind {
                Kind::Whole => tried.find_map(&refusal).into_iter().collect(),
                Kind::Number => tried.filter_map(&refusal).collect(),
            };
            let wanted = match kind {
                Kind::Whole => 1,
                Kind::Number => beyond(*kind).len(),
            };
            assert_eq!(refusals.len(), wanted, "{key} has no bound: {refusals:?}");
            for refused in refusals {
                assert!(refused.starts_with(&format!("{key} (")), "{refused}");
                assert!(refused.contains("must be"), "{refused}");
            }
        }
    }

    #[test]
    fn every_number_of_run_toml_has_bounds() {
        let keys = numbers_of::<RawConfig>();
        assert!(keys.len() > 10, "{keys:?}");
        assert_bounded(&keys, RUN, |settings| {
            let raw: RawConfig = settings.try_into().ok()?;
            let checked = RunConfig::check(raw, Path::new("/base"));
            checked.err().map(|error| error.to_string())
        });
    }

    #[test]
    fn every_number_of_worker_toml_has_bounds_under_its_own_key() {
        let keys = numbers_of::<RawWorkerConfig>();
        assert!(keys.len() > 6, "{keys:?}");
        assert_bounded(&keys, WORKER, |settings| {
            let raw: RawWorkerConfig = settings.try_into().ok()?;
            let checked = WorkerConfig::check(raw, Path::new("/base"));
            checked.err().map(|error| error.to_string())
        });
    }

    #[test]
    fn a_bound_names_the_key_the_value_both_ends_and_the_reason() {
        assert_eq!(SHARD_CONTENTS.check(4).unwrap(), 4);
        assert_eq!(
            SHARD_CONTENTS.check(10_001).unwrap_err().to_string(),
            "shards.contents (10001) must be 1 to 10000: a shard is stored, and made again, as a whole"
        );
        assert_eq!(
            MAX_FAILED.check(f64::NAN).unwrap_err().to_string(),
            "limits.max_failed (NaN) must be 0 to 1"
        );
        assert!(MAX_FAILED.check_given(None).unwrap().is_none());
    }
}
