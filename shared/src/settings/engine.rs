//! Settings of the engine: `[engine]` of `run.toml`, and the same keys in `worker.toml`.

use std::path::{Path, PathBuf};

use super::device::{Device, DeviceError};
use super::injection::{InjectionKernels, InjectionKernelsError};
use super::raw::RawEngine;
use super::{Machine, Products, SettingsError, bounds, defaults};
use crate::location::{Location, LocationError};

/// How a process computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Where graphs run.
    pub device: Device,
    /// The setting or option that says so, for messages.
    pub device_key: &'static str,
    /// What the products of the noise predictor are made of on a processor: of a run what its record says, whatever else the
    /// settings of a process say.
    pub products: Products,
    /// Whether these were chosen for this processor, as `auto` asks for.
    pub products_are_chosen: bool,
    /// What computes the attention of injected layers on a GPU.
    pub injection: InjectionKernels,
    /// Threads of a computation; 0 is one for each core.
    pub threads: usize,
    /// Memory for style keys and values before they go to disk.
    pub style_bank_max_bytes: u64,
    /// Memory of a GPU for them before they go to the processor's.
    pub style_bank_device_max_bytes: u64,
    /// Memory of a GPU for everything; none is all of it.
    pub device_max_bytes: Option<u64>,
    /// Folder for what does not fit in memory.
    pub cache_dir: PathBuf,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            device: defaults::DEVICE,
            device_key: "engine.device",
            products: defaults::PRODUCTS,
            products_are_chosen: false,
            injection: defaults::INJECTION,
            threads: defaults::THREADS,
            style_bank_max_bytes: defaults::STYLE_BANK_MAX_BYTES,
            style_bank_device_max_bytes: defaults::STYLE_BANK_DEVICE_MAX_BYTES,
            device_max_bytes: None,
            cache_dir: std::env::temp_dir(),
        }
    }
}

/// The `engine.precision` that has it chosen.
const AUTO: &str = "auto";

/// More threads than this for each core only take time from each other.
const MAX_THREADS_PER_CORE: usize = 4;

impl EngineConfig {
    /// Proves that this process may use what it is told to use.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] with what is told and what the machine has.
    pub fn fits(&self, machine: &Machine) -> Result<(), SettingsError> {
        let max_threads = MAX_THREADS_PER_CORE * machine.cores;
        if self.threads > max_threads {
            return Err(SettingsError::value(
                "engine.threads",
                self.threads,
                format!(
                    "must be 0 to {max_threads}: this machine has {} cores, and 0 is one for each",
                    machine.cores
                ),
            ));
        }
        // Only what was asked for is refused: a small machine may have less than the default.
        let default = defaults::STYLE_BANK_MAX_BYTES;
        match machine.memory_bytes {
            Some(memory) if self.style_bank_max_bytes > memory.max(default) => {
                Err(SettingsError::value(
                    "engine.style_bank_max_bytes",
                    self.style_bank_max_bytes,
                    format!(
                        "must be 0 to {memory}: this machine has no more memory; what is beyond goes to disk"
                    ),
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn from_raw(raw: RawEngine, base: &Path) -> Result<Self, SettingsError> {
        let default = Self::default();
        let device = match raw.device {
            None => default.device,
            Some(text) => text.parse().map_err(|error: DeviceError| {
                SettingsError::value("engine.device", &text, error.to_string())
            })?,
        };
        let products = products_of(raw.precision.as_deref(), device)?;
        let is_auto = raw.precision.as_deref() == Some(AUTO);
        let products_are_chosen = is_auto && device == Device::Cpu;
        let injection = match raw.injection {
            None => default.injection,
            Some(text) => text.parse().map_err(|error: InjectionKernelsError| {
                SettingsError::value("engine.injection", &text, error.to_string())
            })?,
        };
        if injection == InjectionKernels::Fused && device == Device::Cpu {
            return Err(SettingsError::value(
                "engine.injection",
                "fused",
                "must be auto or graph where device is cpu: fused kernels are a GPU's",
            ));
        }
        bounds::THREADS.check_given(raw.threads)?;
        bounds::STYLE_BANK_MAX_BYTES.check_given(raw.style_bank_max_bytes)?;
        bounds::STYLE_BANK_DEVICE_MAX_BYTES.check_given(raw.style_bank_device_max_bytes)?;
        bounds::DEVICE_MAX_BYTES.check_given(raw.device_max_bytes)?;
        let cache_dir = match raw.cache_dir {
            Some(folder) => folder_of("engine.cache_dir", &folder, base)?,
            None => default.cache_dir,
        };
        // Half of what there is at most, so that weights and images have room as well.
        let half = raw
            .device_max_bytes
            .map_or(u64::MAX, |max_bytes| max_bytes / 2);
        let style_bank_device_max_bytes = raw
            .style_bank_device_max_bytes
            .unwrap_or(default.style_bank_device_max_bytes.min(half));
        if let Some(max_bytes) = raw.device_max_bytes
            && max_bytes <= style_bank_device_max_bytes
        {
            return Err(SettingsError::value(
                "engine.device_max_bytes",
                max_bytes,
                format!(
                    "must be more than style_bank_device_max_bytes ({style_bank_device_max_bytes}), which is a part of it"
                ),
            ));
        }
        Ok(Self {
            device,
            device_key: default.device_key,
            products,
            products_are_chosen,
            injection,
            threads: raw.threads.unwrap_or(default.threads),
            style_bank_device_max_bytes,
            device_max_bytes: raw.device_max_bytes,
            style_bank_max_bytes: raw
                .style_bank_max_bytes
                .unwrap_or(default.style_bank_max_bytes),
            cache_dir,
        })
    }
}

/// Returns what products are made of on a device, as `engine.precision` says.
fn products_of(text: Option<&str>, device: Device) -> Result<Products, SettingsError> {
    let Some(text) = text else {
        return Ok(defaults::PRODUCTS);
    };
    let refused = |expected: String| SettingsError::value("engine.precision", text, expected);
    let products = Products::named(text).map_err(|error| refused(error.to_string()))?;
    match (device, products) {
        (Device::Cpu, products) => Ok(products),
        // A GPU computes in what its model was exported in, however fast this processor is.
        (Device::Cuda(_), _) if text == AUTO => Ok(Products::F32),
        (Device::Cuda(_), Products::F32) => Ok(Products::F32),
        (Device::Cuda(_), Products::Bf16) => Err(refused(format!(
            "must be f32 or auto with engine.device ({device}): it is for processors; for a GPU export the model with \
             --dtype fp16"
        ))),
    }
}

/// Returns the folder of this machine that a text names.
fn folder_of(field: &'static str, text: &str, base: &Path) -> Result<PathBuf, SettingsError> {
    let refused = |expected: String| SettingsError::value(field, format!("{text:?}"), expected);
    let no_folder = || refused("must be a folder of this machine".to_owned());
    match Location::given(text, base) {
        Ok(Location::Folder(folder)) => Ok(folder),
        Ok(Location::Bucket(_)) => Err(no_folder()),
        Err(error) => match error {
            LocationError::Empty
            | LocationError::Scheme(_)
            | LocationError::NoBucket
            | LocationError::OneSlash => Err(no_folder()),
            LocationError::Windows | LocationError::Path(_) => Err(refused(error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_than_the_machine_can_run_are_refused_with_both_numbers() {
        let machine = Machine {
            cores: 2,
            memory_bytes: Some(1 << 33),
        };
        let fits = |toml: &str| {
            let fits = checked(toml).unwrap().fits(&machine);
            fits.map_err(|error| error.to_string())
        };
        assert_eq!(fits("threads = 8"), Ok(()));
        assert_eq!(
            fits("threads = 9").unwrap_err(),
            "engine.threads (9) must be 0 to 8: this machine has 2 cores, and 0 is one for each"
        );
        assert_eq!(
            checked("threads = 2000").unwrap_err(),
            "engine.threads (2000) must be 0 to 1024: 0 is one for each core"
        );
        assert_eq!(fits("style_bank_max_bytes = 8589934592"), Ok(()));
        let error = fits("style_bank_max_bytes = 8589934593").unwrap_err();
        assert!(error.contains("must be 0 to 8589934592"), "{error}");
        let small = Machine {
            cores: 1,
            memory_bytes: Some(1 << 30),
        };
        assert!(checked("").unwrap().fits(&small).is_ok());
    }

    fn checked(toml: &str) -> Result<EngineConfig, String> {
        let raw: RawEngine = toml::from_str(toml).unwrap();
        EngineConfig::from_raw(raw, Path::new("/runs")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cache_that_is_no_folder_is_refused_without_a_word_about_buckets() {
        for text in ["", "s3://bucket/cache", "gs://bucket/cache", "s3://"] {
            let told = checked(&format!("cache_dir = '{text}'")).unwrap_err();
            let expected =
                format!("engine.cache_dir (\"{text}\") must be a folder of this machine");
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_device_that_is_none_is_refused_by_its_key_in_a_runs_file() {
        assert_eq!(
            checked("device = 'gpu'").unwrap_err(),
            "engine.device (gpu) must be cpu or cuda:N, N the number of an NVIDIA GPU, 0 to 255"
        );
    }

    #[test]
    fn products_of_half_the_width_are_refused_on_a_gpu_and_what_names_none_everywhere() {
        let products = |toml| checked(toml).map(|config| config.products);
        assert_eq!(products(""), Ok(Products::F32));
        assert_eq!(products("precision = 'bf16'"), Ok(Products::Bf16));
        let auto = products("precision = 'auto'");
        for (toml, is_chosen) in [
            ("precision = 'auto'", true),
            ("precision = 'auto'\ndevice = 'cuda:1'", false),
            ("precision = 'f32'", false),
        ] {
            assert_eq!(checked(toml).unwrap().products_are_chosen, is_chosen);
        }
        assert_eq!(auto, Ok(Products::named("auto").unwrap()));
        let on_gpu = "device = 'cuda:1'\nprecision = 'auto'";
        assert_eq!(products(on_gpu), Ok(Products::F32));
        assert_eq!(
            products("precision = 'fp16'").unwrap_err(),
            "engine.precision (fp16) must be f32, bf16 or auto"
        );
        let refused = products("device = 'cuda:1'\nprecision = 'bf16'").unwrap_err();
        assert!(
            refused.starts_with(
                "engine.precision (bf16) must be f32 or auto with engine.device (cuda:1)"
            ),
            "{refused}"
        );
    }

    #[test]
    fn fused_kernels_are_asked_for_of_a_gpu_alone() {
        let injection = |toml| checked(toml).map(|config| config.injection);
        assert_eq!(injection(""), Ok(InjectionKernels::Auto));
        assert_eq!(
            injection("injection = 'graph'"),
            Ok(InjectionKernels::Graph)
        );
        let on_gpu = "device = 'cuda:0'\ninjection = 'fused'";
        assert_eq!(injection(on_gpu), Ok(InjectionKernels::Fused));
        assert_eq!(
            injection("injection = 'fused'").unwrap_err(),
            "engine.injection (fused) must be auto or graph where device is cpu: fused kernels are a GPU's"
        );
        assert_eq!(
            injection("injection = 'triton'").unwrap_err(),
            "engine.injection (triton) must be auto, fused or graph"
        );
    }

    #[test]
    fn styles_take_half_of_a_gpus_memory_at_most_if_nothing_else_is_said() {
        let bank = |toml| checked(toml).unwrap().style_bank_device_max_bytes;
        assert_eq!(bank(""), 8 << 30);
        assert_eq!(bank("device_max_bytes = 1000"), 500);
        assert_eq!(bank("device_max_bytes = 68719476736"), 8 << 30);
        assert_eq!(
            bank("device_max_bytes = 1000\nstyle_bank_device_max_bytes = 900"),
            900
        );
    }

    #[test]
    fn a_part_that_is_larger_than_the_whole_is_refused_with_both_numbers() {
        let error = checked("device_max_bytes = 1000\nstyle_bank_device_max_bytes = 1000");
        let error = error.unwrap_err();
        for part in [
            "device_max_bytes",
            "1000",
            "style_bank_device_max_bytes (1000)",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
