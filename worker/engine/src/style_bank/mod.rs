//! A KV cache of styles: the keys and values of their injected layers at each step, recorded once and read for every content.
//!
//! Records stay where they were made up to a limit: on a GPU, if the model runs on one. Those beyond it are kept in the
//! host's memory up to a limit of its own, and those beyond that are written to an unnamed temporary file, step by step,
//! and read back a step at a time. A GPU that runs out of memory has its records moved to the host, half of them at a
//! time.

mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use shared::metrics::names;
use shared::settings::{Device, EngineConfig, Products};

use self::steps::Place;
pub use self::steps::StyleSteps;
use crate::EngineError;
use crate::attention::StyleLayer;
use method::denoise::StyleTrajectory;

/// The record of a style: all that conversions need of it.
#[derive(Debug)]
pub struct StyleRecord {
    /// Its latents, for AdaIN.
    pub trajectory: StyleTrajectory,
    steps: StyleSteps,
}

impl StyleRecord {
    /// Returns a finished record.
    #[must_use]
    pub fn new(trajectory: StyleTrajectory, steps: StyleSteps) -> Self {
        Self { trajectory, steps }
    }

    /// Returns the layers recorded at a step, in the order of the UNet; none of a step that was not recorded.
    ///
    /// # Errors
    ///
    /// [`EngineError::StyleBank`] if they are on disk and cannot be read.
    pub fn layers(&self, step: usize) -> Result<Option<Arc<[StyleLayer]>>, EngineError> {
        self.steps.read(step)
    }
}

/// The most bytes of records in each place.
#[derive(Debug, Clone)]
pub struct StyleBankLimits {
    /// In the memory of a GPU.
    pub device: u64,
    /// In the host's memory.
    pub memory: u64,
    /// The folder of the temporary files of those beyond.
    pub folder: PathBuf,
    /// What is made of keys and values: those that products round are kept rounded, in half of the bytes.
    pub products: Products,
}

impl From<&EngineConfig> for StyleBankLimits {
    fn from(config: &EngineConfig) -> Self {
        Self {
            device: match config.device {
                Device::Cpu => 0,
                Device::Cuda(_) => config.style_bank_device_max_bytes,
            },
            memory: config.style_bank_max_bytes,
            folder: config.cache_dir.clone(),
            products: config.products,
        }
    }
}

/// The KV cache of a run's styles.
#[derive(Debug)]
pub struct StyleBank {
    limits: StyleBankLimits,
    records: HashMap<String, StyleRecord>,
}

/// The bytes of records by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    device: u64,
    memory: u64,
    disk: u64,
}

impl StyleBank {
    /// Returns an empty bank.
    #[must_use]
    pub fn new(limits: StyleBankLimits) -> Self {
        let bank = Self {
            limits,
            records: HashMap::new(),
        };
        bank.show_size();
        bank
    }

    /// Returns an empty record of a style, which will take `num_bytes`: on the device, in memory or on disk.
    ///
    /// # Errors
    ///
    /// [`EngineError::StyleBank`] if no temporary file can be made.
    pub fn reserve(&self, style: &str, num_bytes: u64) -> Result<StyleSteps, EngineError> {
        let (limits, held) = (&self.limits, self.held());
        let mut steps = StyleSteps {
            style: style.to_owned(),
            folder: limits.folder.clone(),
            place: Place::Memory(HashMap::new()),
            products: limits.products,
            num_bytes,
        };
        if held.device + num_bytes <= limits.device {
            steps.place = Place::Device(HashMap::new());
        } else if held.memory + num_bytes > limits.memory {
            steps.place = Place::on_disk(&limits.folder).map_err(|source| steps.error(source))?;
            tracing::info!(style, num_bytes, folder = %limits.folder.display(), "style record goes to disk");
        }
        Ok(steps)
    }

    /// Keeps a finished record.
    pub fn insert(&mut self, style: String, record: StyleRecord) {
        self.records.insert(style, record);
        self.show_size();
    }

    /// Returns a style's record.
    #[must_use]
    pub fn get(&self, style: &str) -> Option<&StyleRecord> {
        self.records.get(style)
    }

    /// Returns the bytes of records on the device.
    #[must_use]
    pub fn bytes_on_device(&self) -> u64 {
        self.held().device
    }

    /// Moves records from the device to the host by `copy_to_host` until at most half of their bytes are there, and keeps no
    /// more than these on the device from now on; returns whether there could be more until now, so that its memory may have
    /// room again.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if one cannot be copied or kept.
    pub fn evict_half_from_device(
        &mut self,
        mut copy_to_host: impl FnMut(&StyleLayer) -> Result<StyleLayer, EngineError>,
    ) -> Result<bool, EngineError> {
        let could_be_there = std::mem::take(&mut self.limits.device) > 0;
        let half = self.held().device / 2;
        let is_there = |(_, record): &(&String, &StyleRecord)| record.steps.are_on_device();
        let there = self.records.iter().filter(is_there);
        let mut there: Vec<String> = there.map(|(style, _)| style.clone()).collect();
        there.sort_unstable();
        for style in &there {
            if self.held().device <= half {
                break;
            }
            let Some(record) = self.records.get(style) else {
                continue;
            };
            let mut moved = self.reserve(style, record.steps.num_bytes)?;
            if let Place::Device(steps) = &record.steps.place {
                for (step, layers) in steps {
                    let layers = layers.iter().map(&mut copy_to_host);
                    moved.push(*step, layers.collect::<Result<_, _>>()?)?;
                }
            }
            if let Some(record) = self.records.get_mut(style) {
                record.steps = moved;
            }
        }
        self.limits.device = self.held().device;
        self.show_size();
        Ok(could_be_there)
    }

    fn held(&self) -> Held {
        let mut held = Held::default();
        for StyleRecord { steps, .. } in self.records.values() {
            let place = match steps.place {
                Place::Device(_) => &mut held.device,
                Place::Memory(_) => &mut held.memory,
                Place::Disk { .. } => &mut held.disk,
            };
            *place += steps.num_bytes;
        }
        held
    }

    fn show_size(&self) {
        let held = self.held();
        for (place, num_bytes) in [
            ("device", held.device),
            ("memory", held.memory),
            ("disk", held.disk),
        ] {
            let bytes = names::ENGINE_STYLE_BANK_BYTES.gauge([place]);
            bytes.set(num_bytes as f64);
        }
    }
}
