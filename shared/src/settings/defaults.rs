//! Defaults of the keys of settings files, each written once.
//!
//! The sample files in `infra/settings` and the reference in `shared/README.md` are compared with what comes of these by a
//! test. Keys whose default depends on other keys (`method.class_adain_steps` and `method.injected_steps` on method and preset,
//! `style_bank_device_max_bytes` on `device_max_bytes`) have it where they are checked.

use std::time::Duration;

use super::{Device, InjectionKernels, Method, PairingMode, Preset, Products};

/// Contents that show a network of priors what classes look like unless `style.prototype_contents` says how many, or all
/// where there are fewer
pub const PROTOTYPE_CONTENTS: usize = 100;

/// `pairing.mode`
pub const PAIRING_MODE: PairingMode = PairingMode::EveryStyle;

/// `method.method`
pub const METHOD: Method = Method::Cactif;
/// `method.preset`
pub const PRESET: Preset = Preset::ReleasedCode;
/// `method.steps`
pub const STEPS: usize = 50;
/// `method.skip`
pub const SKIP: usize = 30;
/// `method.seed`
pub const SEED: u64 = 42;
/// `method.contrast_strength`
pub const CONTRAST_STRENGTH: f64 = 1.67;
/// `method.filter_fraction`
pub const FILTER_FRACTION: f64 = 0.25;
/// `method.filtering`
pub const FILTERING: bool = true;
/// `method.threshold_lambda`
pub const THRESHOLD_LAMBDA: f64 = 2.0;
/// `style.use_labels`
pub const USE_LABELS: bool = true;
/// `method.use_voting`
pub const USE_VOTING: bool = true;
/// `method.confidence_threshold`
pub const CONFIDENCE_THRESHOLD: f64 = 0.5;
/// `method.adain_scale`
pub const ADAIN_SCALE: f64 = 8.0;
/// `method.width`
pub const WIDTH: usize = 1024;
/// `method.height`
pub const HEIGHT: usize = 512;
/// `method.beta`
pub const BETA: f64 = 0.01;

/// `shards.contents`
pub const SHARD_CONTENTS: usize = 4;
/// `shards.styles`
pub const SHARD_STYLES: usize = 3;

/// `quality.per_class`
pub const PER_CLASS: bool = false;

/// `limits.max_attempts`
pub const MAX_ATTEMPTS: u32 = 3;
/// `limits.max_failed`
pub const MAX_FAILED: f64 = 0.05;
/// `limits.input_patience_seconds`: long enough for a server that starts anew, or for a ticket that is renewed.
pub const INPUT_PATIENCE_SECONDS: u64 = 600;

/// `device`, of the engine
pub const DEVICE: Device = Device::Cpu;
/// `engine.precision`
pub const PRODUCTS: Products = Products::F32;
/// `injection`, of the engine
pub const INJECTION: InjectionKernels = InjectionKernels::Auto;
/// `threads`, of the engine: one for each core
pub const THREADS: usize = 0;
/// `style_bank_max_bytes`, of the engine
pub const STYLE_BANK_MAX_BYTES: u64 = 4 << 30;
/// `style_bank_device_max_bytes`, of the engine, unless half of `device_max_bytes` is less
pub const STYLE_BANK_DEVICE_MAX_BYTES: u64 = 8 << 30;

/// `broker.namespace`
pub const NAMESPACE: &str = "synth2real";
/// `broker.alarm_patience_seconds`
pub const ALARM_PATIENCE: Duration = Duration::from_secs(30);

/// `cache_max_bytes` of a worker, and what `run` keeps on disk of a bucket
pub const CACHE_MAX_BYTES: u64 = 50 << 30;

/// `watchdog.times_usual`
pub const TIMES_USUAL: f64 = 20.0;
/// `watchdog.min_seconds`
pub const MIN: Duration = Duration::from_secs(120);
/// `watchdog.first_seconds`
pub const FIRST: Duration = Duration::from_secs(900);
