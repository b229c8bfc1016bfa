//! Settings: what may be written in `run.toml` and `worker.toml` becomes what has been checked.
//!
//! [`raw`] mirrors the files, unknown keys refused; [`RunConfig`], [`WorkerConfig`] and what they hold are passed on.
//! [`defaults`] has the value of every key that may be left out.
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
#[cfg(test)]
mod keys;
mod locations;
mod machine;
mod method;
mod price;
mod quality;
pub mod raw;
mod run;
#[cfg(test)]
mod samples;
mod steps;
mod worker;

pub use broker::{BROKER_PASSWORD, BROKER_URL, BROKER_USER, BrokerConfig};
pub use classes::ClassKeys;
pub use device::{Device, DeviceError};
pub use engine::EngineConfig;
pub use error::SettingsError;
pub use locations::resolve_root;
pub use machine::{Machine, free_memory};
pub use method::{Method, MethodConfig, Preset};
pub use price::{Amount, DevicePrice};
pub(crate) use quality::check_min_label_agreement;
pub use quality::{QualityConfig, ReferenceFiles};
pub use run::{
    ContentConfig, Licences, Limits, Pairing, PairingMode, RunConfig, ShardSize, StyleConfig,
};
pub use steps::StepSet;
pub use worker::{WatchdogConfig, WorkerConfig};
