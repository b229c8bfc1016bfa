//! The settings files as they may be written: every key, nothing else.
//!
//! - [`RawConfig`]: `run.toml`; [`RawWorkerConfig`]: `worker.toml`
//! - [`RawContent`], [`RawStyle`], [`RawClasses`], [`RawMethod`], [`RawQuality`], [`RawEngine`], [`RawBroker`], ...: their
//!   tables

mod broker;
mod classes;
mod datasets;
mod method;
mod quality;
mod run;
mod worker;

pub use broker::RawBroker;
pub use classes::{RawClass, RawClasses};
pub use datasets::{OneOrMore, RawContent, RawSelection, RawStyle};
pub use method::RawMethod;
pub(super) use method::guess;
pub use quality::{RawQuality, RawReference};
pub use run::{RawConfig, RawCost, RawLimits, RawModel, RawPairing, RawRun, RawShards};
pub use worker::{RawEngine, RawWatchdog, RawWorkerConfig};
