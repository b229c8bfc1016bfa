//! Settings: what may be written in `run.toml` and `worker.toml` becomes what has been checked.
//!
//! [`raw`] mirrors the files, unknown keys refused; [`RunConfig`], [`WorkerConfig`] and what they hold are passed on.
//! [`defaults`] has the value of every key that may be left out.
//!
//! [`SettingsText`] is a run's file in which some keys, each a [`VariedKey`], are given other values.
//!
//! A table has a type in `raw` beside the checked one because the two are read differently: a key may be missing in a
//! settings file, and never in a run's record, which stores the checked ones.

mod bounds;
mod broker;
mod classes;
pub mod defaults;
mod device;
mod engine;
mod error;
mod explain;
mod file;
mod injection;
#[cfg(test)]
mod keys;
mod locations;
mod machine;
mod method;
mod price;
mod products;
mod quality;
pub mod raw;
mod run;
#[cfg(test)]
mod samples;
mod steps;
mod varied;
mod worker;

pub use broker::{BROKER_PASSWORD, BROKER_URL, BROKER_USER, BrokerConfig};
pub use classes::ClassKeys;
pub use device::{Device, DeviceError};
pub use engine::EngineConfig;
pub use error::SettingsError;
pub use injection::{InjectionKernels, InjectionKernelsError};
pub use locations::resolve_root;
pub use machine::{Machine, free_memory};
pub use method::{
    AstConfig, Baseline, BaselineConfig, DiffusionConfig, DiffusionMethod, Evaluations, Method,
    MethodConfig, MethodKind, Preset, TranslatorConfig, TranslatorMethod,
};
pub use price::{Amount, DevicePrice};
pub use products::{Products, ProductsError};
pub(crate) use quality::check_min_label_agreement;
pub use quality::{QualityConfig, ReferenceFiles};
pub use run::{
    ClassMapConfig, ClassMapSource, ContentConfig, Licences, Limits, Pairing, PairingMode,
    RunConfig, ShardSize, StyleConfig,
};
pub use steps::StepSet;
pub use varied::{Setting, SettingsText, Variation, VariedKey};
pub use worker::{WatchdogConfig, WorkerConfig};
