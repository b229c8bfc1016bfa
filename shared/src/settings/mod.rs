//! Settings: what may be written in `run.toml` becomes what has been checked.
//!
//! [`raw`] mirrors the file, unknown keys refused; [`RunConfig`] and [`MethodConfig`] are what the program passes on.

mod error;
mod method;
pub mod raw;
mod run;
mod steps;

pub use error::SettingsError;
pub use method::{Method, MethodConfig, Preset};
pub use run::{
    ContentConfig, EngineConfig, Limits, Pairing, PairingMode, RunConfig, ShardSize, StyleConfig,
    resolve_root,
};
pub use steps::StepSet;
