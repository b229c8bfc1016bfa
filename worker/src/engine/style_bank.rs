//! Keys and values of styles at each step, recorded once and read for every content.
//!
//! Records stay in memory up to a limit; those beyond it are written to an unnamed temporary file, step by step, and
//! read back a step at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use ort::value::DynValue;
use shared::metrics::names;

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
    /// [`EngineError::StyleBank`] if they go to disk and cannot be written.
    pub fn push(&mut self, step: usize, layers: Vec<StyleLayer>) -> Result<(), EngineError> {
        match &mut self.place {
            Place::Memory(steps) => {
                steps.insert(step, layers.into());
                Ok(())
            }
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
            Place::Memory(steps) => Ok(steps.get(&step).cloned().unwrap_or_default()),
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

/// The records of a run.
#[derive(Debug)]
pub struct StyleBank {
    max_bytes: u64,
    folder: PathBuf,
    reserved_bytes: u64,
    on_disk_bytes: u64,
    records: HashMap<String, StyleRecord>,
}

impl StyleBank {
    /// Returns an empty bank that keeps up to `max_bytes` in memory and the rest in `folder`.
    #[must_use]
    pub fn new(max_bytes: u64, folder: PathBuf) -> Self {
        let bank = Self {
            max_bytes,
            folder,
            reserved_bytes: 0,
            on_disk_bytes: 0,
            records: HashMap::new(),
        };
        bank.show_size();
        bank
    }

    /// Returns room for a style of `num_bytes`, in memory or on disk.
    ///
    /// # Errors
    ///
    /// [`EngineError::StyleBank`] if no temporary file can be made.
    pub fn reserve(&mut self, style: &str, num_bytes: u64) -> Result<StyleSteps, EngineError> {
        let mut steps = StyleSteps {
            style: style.to_owned(),
            folder: self.folder.clone(),
            place: Place::Memory(HashMap::new()),
        };
        if self.reserved_bytes + num_bytes <= self.max_bytes {
            self.reserved_bytes += num_bytes;
        } else {
            let made = std::fs::create_dir_all(&self.folder)
                .and_then(|()| tempfile::tempfile_in(&self.folder));
            let file = made.map_err(|source| steps.error(source))?;
            tracing::info!(style, num_bytes, folder = %self.folder.display(), "style record goes to disk");
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
            ("memory", self.reserved_bytes),
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
    use shared::settings::EngineConfig;

    use super::*;
    use crate::engine::runtime::Runtime;

    fn layers(step: usize) -> Vec<StyleLayer> {
        [(4, 6), (2, 8)].map(|shape| layer(step, shape)).into()
    }

    fn layer(step: usize, shape: (usize, usize)) -> StyleLayer {
        let tensor = |sign: f32| {
            let number = |(row, column)| sign * (step * 100 + row * 10 + column) as f32;
            let tokens = Array2::from_shape_fn(shape, number);
            tensor::from_tokens(tokens, Precision::Fp32).unwrap()
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
    fn a_record_beyond_the_limit_is_read_back_from_disk_unchanged() {
        Runtime::load(&EngineConfig::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut bank = StyleBank::new(3 * num_bytes(&layers(0)), folder.path().join("cache"));
        recorded(&mut bank, "in memory");
        recorded(&mut bank, "on disk");
        assert!(matches!(
            bank.get("in memory").unwrap().steps.place,
            Place::Memory(_)
        ));
        assert!(matches!(
            bank.get("on disk").unwrap().steps.place,
            Place::Disk { .. }
        ));
        for style in ["in memory", "on disk"] {
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
        let mut bank = StyleBank::new(0, "/proc/synth2real".into());
        let error = bank.reserve("night", 1).unwrap_err().to_string();
        assert!(
            error.contains("night") && error.contains("/proc/synth2real"),
            "{error}"
        );
    }
}
