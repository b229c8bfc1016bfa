//! Keys and values of styles at each step, recorded once and read for every content.
//!
//! Records stay where they were made up to a limit: on a GPU, if the model runs on one. Those beyond it are kept in the
//! processor's memory up to a limit of its own, and those beyond that are written to an unnamed temporary file, step by
//! step, and read back a step at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use ort::value::DynValue;
use shared::metrics::names;
use shared::settings::{Device, EngineConfig};

use super::EngineError;
use super::attention::StyleLayer;
use super::contract::Precision;
use super::tensor;
use crate::method::denoise::StyleTrajectory;

/// Everything about a style that conversions need.
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
}

/// The layers of the steps recorded so far.
#[derive(Debug)]
pub struct StyleSteps {
    style: String,
    folder: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Device(HashMap<usize, Arc<[StyleLayer]>>),
    Memory(HashMap<usize, Arc<[StyleLayer]>>),
    Disk {
        file: File,
        steps: HashMap<usize, OnDisk>,
    },
}

#[derive(Debug)]
struct OnDisk {
    offset: u64,
    tensors: Vec<Stored>,
}

/// A tensor among others.
#[derive(Debug, Clone, Copy)]
struct Stored {
    shape: [usize; 3],
    precision: Precision,
}

impl StyleSteps {
    /// Keeps the layers of a step.
    ///
    /// # Errors
    ///
    /// [`EngineError::StyleBank`] if they cannot be brought from the device, or go to disk and cannot be written.
    pub fn push(&mut self, step: usize, layers: Vec<StyleLayer>) -> Result<(), EngineError> {
        match &mut self.place {
            Place::Device(steps) => {
                steps.insert(step, layers.into());
                Ok(())
            }
            Place::Memory(steps) => layers
                .iter()
                .map(kept)
                .collect::<ort::Result<Arc<[_]>>>()
                .map(|layers| {
                    steps.insert(step, layers);
                })
                .map_err(|error| self.error(io::Error::other(error))),
            Place::Disk { file, steps } => write_step(file, &layers)
                .map(|on_disk| {
                    steps.insert(step, on_disk);
                })
                .map_err(|source| self.error(source)),
        }
    }

    /// Returns the layers of a step; none if the step was not recorded.
    fn read(&self, step: usize) -> Result<Arc<[StyleLayer]>, EngineError> {
        match &self.place {
            Place::Device(steps) | Place::Memory(steps) => {
                Ok(steps.get(&step).cloned().unwrap_or_default())
            }
            Place::Disk { file, steps } => match steps.get(&step) {
                Some(on_disk) => read_step(file, on_disk).map_err(|source| self.error(source)),
                None => Ok(Arc::default()),
            },
        }
    }

    fn error(&self, source: io::Error) -> EngineError {
        EngineError::StyleBank {
            style: self.style.clone(),
            folder: self.folder.clone(),
            source,
        }
    }
}

/// Where records may be and in how many bytes.
#[derive(Debug, Clone)]
pub struct StyleBankLimits {
    /// On the device, if it is not the processor.
    pub device: u64,
    /// In the processor's memory.
    pub memory: u64,
    /// The folder for those beyond.
    pub folder: PathBuf,
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
        }
    }
}

/// The records of a run.
#[derive(Debug)]
pub struct StyleBank {
    limits: StyleBankLimits,
    on_device_bytes: u64,
    in_memory_bytes: u64,
    on_disk_bytes: u64,
    records: HashMap<String, StyleRecord>,
}

impl StyleBank {
    /// Returns an empty bank.
    #[must_use]
    pub fn new(limits: StyleBankLimits) -> Self {
        let bank = Self {
            limits,
            on_device_bytes: 0,
            in_memory_bytes: 0,
            on_disk_bytes: 0,
            records: HashMap::new(),
        };
        bank.show_size();
        bank
    }

    /// Returns room for a style of `num_bytes`: on the device, in memory or on disk.
    ///
    /// # Errors
    ///
    /// [`EngineError::StyleBank`] if no temporary file can be made.
    pub fn reserve(&mut self, style: &str, num_bytes: u64) -> Result<StyleSteps, EngineError> {
        let limits = &self.limits;
        let mut steps = StyleSteps {
            style: style.to_owned(),
            folder: limits.folder.clone(),
            place: Place::Memory(HashMap::new()),
        };
        if self.on_device_bytes + num_bytes <= limits.device {
            steps.place = Place::Device(HashMap::new());
            self.on_device_bytes += num_bytes;
        } else if self.in_memory_bytes + num_bytes <= limits.memory {
            self.in_memory_bytes += num_bytes;
        } else {
            let made = std::fs::create_dir_all(&limits.folder)
                .and_then(|()| tempfile::tempfile_in(&limits.folder));
            let file = made.map_err(|source| steps.error(source))?;
            tracing::info!(style, num_bytes, folder = %limits.folder.display(), "style record goes to disk");
            steps.place = Place::Disk {
                file,
                steps: HashMap::new(),
            };
            self.on_disk_bytes += num_bytes;
        }
        self.show_size();
        Ok(steps)
    }

    fn show_size(&self) {
        for (place, num_bytes) in [
            ("device", self.on_device_bytes),
            ("memory", self.in_memory_bytes),
            ("disk", self.on_disk_bytes),
        ] {
            let bytes = names::ENGINE_STYLE_BANK_BYTES.gauge([place]);
            bytes.set(num_bytes as f64);
        }
    }

    /// Keeps a finished record.
    pub fn insert(&mut self, style: String, record: StyleRecord) {
        self.records.insert(style, record);
    }

    /// Returns a style's record.
    #[must_use]
    pub fn get(&self, style: &str) -> Option<&StyleRecord> {
        self.records.get(style)
    }
}

impl StyleRecord {
    /// Returns the layers recorded at a step, in the order of the UNet; none if the step was not recorded.
    ///
    /// # Errors
    ///
    /// [`EngineError::StyleBank`] if they are on disk and cannot be read.
    pub fn layers(&self, step: usize) -> Result<Arc<[StyleLayer]>, EngineError> {
        self.steps.read(step)
    }
}

fn kept(layer: &StyleLayer) -> ort::Result<StyleLayer> {
    Ok(StyleLayer {
        key: tensor::kept(&layer.key)?,
        value: tensor::kept(&layer.value)?,
    })
}

fn write_step(mut file: &File, layers: &[StyleLayer]) -> io::Result<OnDisk> {
    let offset = file.seek(SeekFrom::End(0))?;
    let mut tensors = Vec::with_capacity(2 * layers.len());
    for value in layers.iter().flat_map(|layer| [&layer.key, &layer.value]) {
        let bytes = tensor::bytes(value).map_err(io::Error::other)?;
        file.write_all(&bytes)?;
        tensors.push(Stored {
            shape: tensor::shape(value),
            precision: tensor::precision(value),
        });
    }
    Ok(OnDisk { offset, tensors })
}

fn read_step(mut file: &File, on_disk: &OnDisk) -> io::Result<Arc<[StyleLayer]>> {
    file.seek(SeekFrom::Start(on_disk.offset))?;
    let mut read = |stored: &Stored| -> io::Result<DynValue> {
        let num_numbers: usize = stored.shape.iter().product();
        let mut bytes = vec![0; stored.precision.num_bytes() * num_numbers];
        file.read_exact(&mut bytes)?;
        tensor::from_bytes(&bytes, stored.shape, stored.precision).map_err(io::Error::other)
    };
    let (layers, _) = on_disk.tensors.as_chunks::<2>();
    layers
        .iter()
        .map(|[key, value]| {
            Ok(StyleLayer {
                key: read(key)?,
                value: read(value)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::engine::runtime::Runtime;

    fn layers(step: usize) -> Vec<StyleLayer> {
        [((4, 6), Precision::Fp32), ((2, 8), Precision::Fp16)]
            .map(|(shape, precision)| layer(step, shape, precision))
            .into()
    }

    fn layer(step: usize, shape: (usize, usize), precision: Precision) -> StyleLayer {
        let tensor = |sign: f32| {
            let number = |(row, column)| sign * (step * 100 + row * 10 + column) as f32;
            let tokens = Array2::from_shape_fn(shape, number);
            tensor::from_tokens(tokens, precision).unwrap()
        };
        StyleLayer {
            key: tensor(1.0),
            value: tensor(-1.0),
        }
    }

    /// Returns the bytes of all tensors, and their shapes.
    fn contents(layers: &[StyleLayer]) -> Vec<([usize; 3], Vec<u8>)> {
        let tensors = layers.iter().flat_map(|layer| [&layer.key, &layer.value]);
        tensors
            .map(|value| (tensor::shape(value), tensor::bytes(value).unwrap()))
            .collect()
    }

    fn num_bytes(layers: &[StyleLayer]) -> u64 {
        let tensors = contents(layers);
        tensors.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    fn recorded(bank: &mut StyleBank, style: &str) {
        let mut steps = bank.reserve(style, 3 * num_bytes(&layers(0))).unwrap();
        for step in 1..4 {
            steps.push(step, layers(step)).unwrap();
        }
        let trajectory = StyleTrajectory {
            labels: Array2::zeros((1, 1)),
            after: Vec::new(),
        };
        bank.insert(style.to_owned(), StyleRecord::new(trajectory, steps));
    }

    #[test]
    fn records_beyond_a_limit_go_on_to_memory_and_disk_and_are_read_back_unchanged() {
        Runtime::load(&EngineConfig::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut bank = StyleBank::new(StyleBankLimits {
            device: 3 * num_bytes(&layers(0)),
            memory: 3 * num_bytes(&layers(0)),
            folder: folder.path().join("cache"),
        });
        recorded(&mut bank, "on the device");
        recorded(&mut bank, "in memory");
        recorded(&mut bank, "on disk");
        assert!(matches!(
            bank.get("on the device").unwrap().steps.place,
            Place::Device(_)
        ));
        assert!(matches!(
            bank.get("in memory").unwrap().steps.place,
            Place::Memory(_)
        ));
        assert!(matches!(
            bank.get("on disk").unwrap().steps.place,
            Place::Disk { .. }
        ));
        for style in ["on the device", "in memory", "on disk"] {
            for step in [3, 1, 2] {
                let read = bank.get(style).unwrap().layers(step).unwrap();
                assert_eq!(contents(&read), contents(&layers(step)), "{style}");
            }
            assert!(
                bank.get(style).unwrap().layers(0).unwrap().is_empty(),
                "step 0 was not recorded"
            );
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let mut bank = StyleBank::new(StyleBankLimits {
            device: 0,
            memory: 0,
            folder: "/proc/synth2real".into(),
        });
        let error = bank.reserve("night", 1).unwrap_err().to_string();
        assert!(
            error.contains("night") && error.contains("/proc/synth2real"),
            "{error}"
        );
    }

    #[test]
    fn the_processor_is_no_device_with_memory_of_its_own() {
        let of = |device| {
            let config = EngineConfig {
                device,
                style_bank_device_max_bytes: 7,
                ..EngineConfig::default()
            };
            StyleBankLimits::from(&config).device
        };
        assert_eq!((of(Device::Cpu), of(Device::Cuda(0))), (0, 7));
    }
}
