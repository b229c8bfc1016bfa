//! A worker's settings, complete and checked.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::locations::location;
use super::raw::{RawWatchdog, RawWorkerConfig};
use super::{BrokerConfig, EngineConfig, Machine, SettingsError, bounds, defaults};
use crate::ids::{MAX_NAME_BYTES, check_name};
use crate::location::Location;
use crate::paths;

/// Everything a worker is told.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The storage root.
    pub root: Location,
    /// The name that manifests and logs show; host name and process id if absent.
    pub name: Option<String>,
    /// How it computes.
    pub engine: EngineConfig,
    /// Size of what is kept on disk of models and inputs in buckets.
    pub cache_max_bytes: u64,
    /// Where metrics are shown; nowhere if absent.
    pub metrics: Option<SocketAddr>,
    /// How long it waits for a shard before it stops; for ever if absent.
    pub idle: Option<Duration>,
    /// When a step is taken for hanging.
    pub watchdog: WatchdogConfig,
    /// Where its work comes from.
    pub broker: BrokerConfig,
}

/// When a step is taken for hanging.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WatchdogConfig {
    /// When it takes this many times its usual time.
    pub times_usual: f64,
    /// But not before this.
    pub min: Duration,
    /// When its usual time is not known yet; and reading and storing not before this, however quick they were.
    pub first: Duration,
}

impl Default for WatchdogConfig {
    fn default() -> Self {
        Self {
            times_usual: defaults::TIMES_USUAL,
            min: defaults::MIN,
            first: defaults::FIRST,
        }
    }
}

impl WorkerConfig {
    /// Reads and checks a settings file. Relative paths in it are relative to it.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the file, or the field and its value.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let raw = RawWorkerConfig::load(path)?;
        let base = path.parent().unwrap_or(Path::new("."));
        let config = Self::check(raw, base).and_then(|config| {
            config.engine.fits(&Machine::this()).map_err(own_key)?;
            Ok(config)
        });
        config.map_err(|error| error.in_file(paths::place(path)))
    }

    /// Checks settings whose relative paths are relative to `base`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] naming the field, its value and what it must be.
    pub fn check(raw: RawWorkerConfig, base: &Path) -> Result<Self, SettingsError> {
        let missing = || {
            SettingsError::value(
                "broker.url",
                "absent",
                format!("must be set, here or in {}", super::broker::BROKER_URL),
            )
        };
        if let Some(name) = &raw.name
            && check_name(name).is_err()
        {
            let expected = format!(
                "must be 1 to {MAX_NAME_BYTES} bytes without /, \\ and control characters, and neither . nor ..: the \
                 broker finds the worker by it"
            );
            return Err(SettingsError::value("name", name, expected));
        }
        let engine = EngineConfig::from_raw(raw.engine(), base).map_err(own_key)?;
        Ok(Self {
            root: location("root", &raw.root, base)?,
            name: raw.name,
            engine: EngineConfig {
                device_key: "device",
                ..engine
            },
            cache_max_bytes: bounds::CACHE_MAX_BYTES
                .check(raw.cache_max_bytes.unwrap_or(defaults::CACHE_MAX_BYTES))?,
            metrics: raw.metrics.as_deref().map(metrics).transpose()?,
            idle: bounds::IDLE_SECONDS
                .check_given(raw.idle_seconds)?
                .map(Duration::from_secs),
            watchdog: WatchdogConfig::try_from(raw.watchdog)?,
            broker: BrokerConfig::find(raw.broker)?.ok_or_else(missing)?,
        })
    }
}

/// Names a key of `[engine]` as it stands in `worker.toml`, where it has no table.
fn own_key(error: SettingsError) -> SettingsError {
    error.renamed(|field| match field.strip_prefix("engine.") {
        Some(key) => key.to_owned(),
        None => field,
    })
}

fn metrics(text: &str) -> Result<SocketAddr, SettingsError> {
    let refused = |_| {
        let expected =
            "must be an address and a port, as 127.0.0.1:9464; 0.0.0.0:9464 for every network";
        SettingsError::value("metrics", text, expected)
    };
    text.parse().map_err(refused)
}

impl TryFrom<RawWatchdog> for WatchdogConfig {
    type Error = SettingsError;

    fn try_from(raw: RawWatchdog) -> Result<Self, SettingsError> {
        let default = Self::default();
        let times_usual = raw.times_usual.unwrap_or(default.times_usual);
        let min = bounds::MIN_SECONDS.check_given(raw.min_seconds)?;
        let first = bounds::FIRST_SECONDS.check_given(raw.first_seconds)?;
        Ok(Self {
            times_usual: bounds::TIMES_USUAL.check(times_usual)?,
            min: min.map_or(default.min, Duration::from_secs_f64),
            first: first.map_or(default.first, Duration::from_secs_f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<WorkerConfig, String> {
        let raw: RawWorkerConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        WorkerConfig::check(raw, Path::new("/base")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_worker_needs_a_root_and_a_broker() {
        let config = check("root = 's3://b/p'\n[broker]\nurl = 'amqp://127.0.0.1'").unwrap();
        assert_eq!(config.root.to_string(), "s3://b/p");
        assert_eq!(config.watchdog, WatchdogConfig::default());
        assert_eq!(config.metrics, None);
        assert_eq!(config.idle, None);
        assert_eq!(config.engine.device_key, "device");
    }

    #[test]
    fn a_key_is_refused_by_the_name_it_has_in_this_file() {
        for (extra, expected) in [
            (
                "device = 'gpu'",
                "device (gpu) must be cpu or cuda:N, N the number of an NVIDIA GPU, 0 to 255",
            ),
            (
                "threads = 2000",
                "threads (2000) must be 0 to 1024: 0 is one for each core",
            ),
            (
                "cache_dir = '$HOME/cache'",
                "cache_dir (\"$HOME/cache\") must have ${HOME} for the variable HOME, or $$ for a dollar sign",
            ),
            (
                "cache_dir = 's3://b/cache'",
                "cache_dir (\"s3://b/cache\") must be a folder of this machine",
            ),
            (
                "device_max_bytes = 10\nstyle_bank_device_max_bytes = 10",
                "device_max_bytes (10) must be more than style_bank_device_max_bytes (10), which is a part of it",
            ),
        ] {
            let settings = format!("root = 'r'\n{extra}\n[broker]\nurl = 'amqp://h'");
            assert_eq!(check(&settings).unwrap_err(), expected);
        }
    }

    #[test]
    fn metrics_need_an_address_and_a_port() {
        let with = |text: &str| {
            check(&format!(
                "root = 'r'\nmetrics = '{text}'\n[broker]\nurl = 'amqp://h'"
            ))
        };
        let config = with("127.0.0.1:9464").unwrap();
        assert_eq!(config.metrics.unwrap().port(), 9464);
        for text in ["9464", "localhost", ":9464"] {
            let error = with(text).unwrap_err();
            assert!(
                error.starts_with(&format!("metrics ({text}) must be")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_worker_stops_after_the_time_that_is_set_and_not_at_once() {
        let with = |seconds: &str| {
            check(&format!(
                "root = 'r'\nidle_seconds = {seconds}\n[broker]\nurl = 'amqp://h'"
            ))
        };
        assert_eq!(with("60").unwrap().idle, Some(Duration::from_secs(60)));
        assert_eq!(
            with("0").unwrap_err(),
            "idle_seconds (0) must be 1 to 604800: seconds, up to a week"
        );
    }

    #[test]
    fn a_name_by_which_no_broker_finds_the_worker_is_refused() {
        let named = |name: &str| {
            check(&format!(
                "root = 'r'\nname = '{name}'\n[broker]\nurl = 'amqp://h'"
            ))
        };
        assert_eq!(named("gpu-1").unwrap().name.as_deref(), Some("gpu-1"));
        assert!(named("").unwrap_err().contains("1 to 255 bytes"));
        assert!(named(&"w".repeat(256)).unwrap_err().contains("name (www"));
        for (name, shown) in [
            ("a/b", "a/b"),
            ("..", ".."),
            ("a\\u001b[31m", "a\\u{1b}[31m"),
        ] {
            let settings = format!("root = 'r'\nname = \"{name}\"\n[broker]\nurl = 'amqp://h'");
            let told = check(&settings).unwrap_err();
            assert!(
                told.starts_with(&format!("name ({shown}) must be")),
                "{told}"
            );
        }
    }

    #[test]
    fn a_watchdog_that_would_bite_at_once_is_refused() {
        let text = "root = 'r'\n[broker]\nurl = 'amqp://h'\n[watchdog]\n";
        for (extra, message) in [
            (
                "times_usual = 1",
                "watchdog.times_usual (1) must be 2 to 1000: a step takes a little more or less time than usual",
            ),
            (
                "min_seconds = 0",
                "watchdog.min_seconds (0) must be 0.001 to 604800: seconds, up to a week",
            ),
        ] {
            assert_eq!(check(&format!("{text}{extra}")).unwrap_err(), message);
        }
    }
}
