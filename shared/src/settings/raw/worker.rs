//! `worker.toml`, and `[engine]` of `run.toml`, which has some of its keys.

use std::path::Path;

use serde::Deserialize;

use super::RawBroker;
use crate::settings::{SettingsError, file};

/// The keys of the engine, which `run.toml` has in `[engine]` and `worker.toml` beside its own: written here once for the
/// types of both. (With serde's `flatten`, unknown keys would not be refused, and mistakes told without their lines.)
macro_rules! with_engine_keys {
    ($declare:ident) => {
        $declare! {
            /// `cpu` or `cuda:N`, default [`DEVICE`](crate::settings::defaults::DEVICE).
            device: Option<String>,
            /// `auto`, `fused` or `graph`, default [`INJECTION`](crate::settings::defaults::INJECTION).
            injection: Option<String>,
            /// Threads of a computation; 0 is one for each core, default [`THREADS`](crate::settings::defaults::THREADS).
            threads: Option<usize>,
            /// Memory for style keys and values before they go to disk,
            /// default [`STYLE_BANK_MAX_BYTES`](crate::settings::defaults::STYLE_BANK_MAX_BYTES).
            style_bank_max_bytes: Option<u64>,
            /// Memory of a GPU for them before they go to the host's,
            /// default [`STYLE_BANK_DEVICE_MAX_BYTES`](crate::settings::defaults::STYLE_BANK_DEVICE_MAX_BYTES).
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
            /// `f32`, `bf16` or `auto`, default [`PRODUCTS`](crate::settings::defaults::PRODUCTS). It belongs to a run, so that
            /// workers have no such key.
            pub precision: Option<String>,
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
            /// Size of what is kept of buckets, default [`CACHE_MAX_BYTES`](crate::settings::defaults::CACHE_MAX_BYTES).
            pub cache_max_bytes: Option<u64>,
            /// Address and port where metrics are shown; nowhere if absent.
            pub metrics: Option<String>,
            /// Seconds without a shard after which the worker stops; it waits for ever if absent.
            pub idle_seconds: Option<u64>,
            /// When a step is taken for hanging.
            #[serde(default)]
            pub watchdog: RawWatchdog,
            /// The broker.
            pub broker: Option<RawBroker>,
        }

        impl RawWorkerConfig {
            /// Returns the keys of the engine as `run.toml` has them.
            pub(crate) fn engine(&self) -> RawEngine {
                RawEngine {
                    precision: None,
                    $($key: self.$key.clone(),)*
                }
            }
        }
    };
}

with_engine_keys!(raw_engine);
with_engine_keys!(raw_worker_config);

/// `[watchdog]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWatchdog {
    /// A step hangs when it takes this many times its usual time, default [`TIMES_USUAL`](crate::settings::defaults::TIMES_USUAL).
    pub times_usual: Option<f64>,
    /// But not before this many seconds, default [`MIN`](crate::settings::defaults::MIN).
    pub min_seconds: Option<f64>,
    /// Seconds that a step may take whose usual time is not known yet, and reading and storing always,
    /// default [`FIRST`](crate::settings::defaults::FIRST).
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
