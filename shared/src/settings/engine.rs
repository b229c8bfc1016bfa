//! How a process computes: `[engine]`.

use std::path::{Path, PathBuf};

use super::SettingsError;
use super::device::{Device, DeviceError};
use super::raw::RawEngine;

/// How a process computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Where graphs run.
    pub device: Device,
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
            device: Device::Cpu,
            threads: 0,
            style_bank_max_bytes: 4 << 30,
            style_bank_device_max_bytes: 8 << 30,
            device_max_bytes: None,
            cache_dir: std::env::temp_dir(),
        }
    }
}

impl EngineConfig {
    pub(super) fn from_raw(raw: RawEngine, base: &Path) -> Result<Self, SettingsError> {
        let default = Self::default();
        let device = match raw.device {
            None => default.device,
            Some(text) => text.parse().map_err(|error: DeviceError| {
                SettingsError::value("engine.device", &text, error.to_string())
            })?,
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
            threads: raw.threads.unwrap_or(default.threads),
            style_bank_device_max_bytes,
            device_max_bytes: raw.device_max_bytes,
            style_bank_max_bytes: raw
                .style_bank_max_bytes
                .unwrap_or(default.style_bank_max_bytes),
            cache_dir: raw
                .cache_dir
                .map_or(default.cache_dir, |folder| base.join(folder)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(toml: &str) -> Result<EngineConfig, String> {
        let raw: RawEngine = toml::from_str(toml).unwrap();
        EngineConfig::from_raw(raw, Path::new("/runs")).map_err(|error| error.to_string())
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
