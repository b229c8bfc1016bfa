//! The keys and values of one style, step by step: on the device, in the host's memory or on disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use ort::value::DynValue;

use crate::EngineError;
use crate::attention::StyleLayer;
use crate::tensor::{self, Element};
use shared::settings::Products;

/// The keys and values of a style's layers at the steps that were recorded so far.
#[derive(Debug)]
pub struct StyleSteps {
    pub(super) style: String,
    /// The folder of those on disk.
    pub(super) folder: PathBuf,
    pub(super) place: Place,
    /// What is made of keys and values.
    pub(super) products: Products,
    /// The bytes of all steps, once they are recorded.
    pub(super) num_bytes: u64,
}

#[derive(Debug)]
pub(super) enum Place {
    Device(HashMap<usize, Arc<[StyleLayer]>>),
    Memory(HashMap<usize, Arc<[StyleLayer]>>),
    Disk {
        file: File,
        steps: HashMap<usize, OnDisk>,
    },
}

#[derive(Debug)]
pub(super) struct OnDisk {
    offset: u64,
    /// Of each layer: key, value, and what they are projected from if it votes.
    layers: Vec<Vec<Stored>>,
    /// CRC-32 of all of them.
    checksum: u32,
}

/// A tensor of a layer, `(1, tokens, width)`.
#[derive(Debug, Clone, Copy)]
struct Stored {
    shape: [usize; 3],
    element: Element,
}

impl Place {
    /// Returns an empty file without a name in a folder, which is made if it is not there.
    pub(super) fn on_disk(folder: &std::path::Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self::Disk {
            file: tempfile::tempfile_in(folder)?,
            steps: HashMap::new(),
        })
    }
}

impl StyleSteps {
    /// Returns steps of no bank, whose layers stay where they were made.
    pub(crate) fn where_made(style: &str) -> Self {
        Self {
            style: style.to_owned(),
            folder: PathBuf::new(),
            place: Place::Device(HashMap::new()),
            products: Products::F32,
            num_bytes: 0,
        }
    }

    /// Returns whether layers stay on the device; else those that are recorded must be in the host's memory.
    #[must_use]
    pub fn are_on_device(&self) -> bool {
        matches!(self.place, Place::Device(_))
    }

    /// Keeps the layers of a step.
    ///
    /// # Errors
    ///
    /// [`EngineError::StyleBank`] if they should be in the host's memory and are not, or they go to disk and cannot be written.
    pub fn push(&mut self, step: usize, layers: Vec<StyleLayer>) -> Result<(), EngineError> {
        let products = self.products;
        match &mut self.place {
            Place::Device(steps) => {
                steps.insert(step, layers.into());
                Ok(())
            }
            Place::Memory(steps) => layers
                .iter()
                .map(|layer| kept(layer, products))
                .collect::<ort::Result<Arc<[_]>>>()
                .map(|layers| {
                    steps.insert(step, layers);
                })
                .map_err(|error| self.error(io::Error::other(error))),
            Place::Disk { file, steps } => write_step(file, &layers, products)
                .map(|on_disk| {
                    steps.insert(step, on_disk);
                })
                .map_err(|source| self.error(source)),
        }
    }

    /// Returns the layers of a step; none of a step that was not recorded.
    pub(super) fn read(&self, step: usize) -> Result<Option<Arc<[StyleLayer]>>, EngineError> {
        match &self.place {
            Place::Device(steps) | Place::Memory(steps) => Ok(steps.get(&step).cloned()),
            Place::Disk { file, steps } => steps
                .get(&step)
                .map(|on_disk| read_step(file, on_disk).map_err(|source| self.error(source)))
                .transpose(),
        }
    }

    pub(super) fn error(&self, source: io::Error) -> EngineError {
        EngineError::StyleBank {
            style: self.style.clone(),
            folder: self.folder.clone(),
            source,
        }
    }
}

fn kept(layer: &StyleLayer, products: Products) -> ort::Result<StyleLayer> {
    layer.try_map(|value| match products {
        Products::F32 => tensor::kept(value),
        Products::Bf16 => tensor::kept_rounded(value),
    })
}

fn write_step(mut file: &File, layers: &[StyleLayer], products: Products) -> io::Result<OnDisk> {
    let offset = file.seek(SeekFrom::End(0))?;
    let mut checksum = crc32fast::Hasher::new();
    let mut write = |value: &DynValue| -> io::Result<Stored> {
        let element: Element = match products {
            Products::F32 => tensor::precision(value).into(),
            Products::Bf16 => Element::Bf16,
        };
        let bytes = tensor::bytes(value, element).map_err(io::Error::other)?;
        file.write_all(&bytes)?;
        checksum.update(&bytes);
        Ok(Stored {
            shape: tensor::shape(value).map_err(io::Error::other)?,
            element,
        })
    };
    let layers = layers.iter();
    let layers = layers.map(|layer| {
        let stored = layer.tensors().map(&mut write);
        stored.collect::<io::Result<Vec<_>>>()
    });
    let layers = layers.collect::<io::Result<Vec<_>>>()?;
    Ok(OnDisk {
        offset,
        layers,
        checksum: checksum.finalize(),
    })
}

fn read_step(mut file: &File, on_disk: &OnDisk) -> io::Result<Arc<[StyleLayer]>> {
    file.seek(SeekFrom::Start(on_disk.offset))?;
    let mut checksum = crc32fast::Hasher::new();
    let mut read = |stored: &Stored| -> io::Result<DynValue> {
        let num_numbers: usize = stored.shape.iter().product();
        let mut bytes = vec![0; stored.element.num_bytes() * num_numbers];
        file.read_exact(&mut bytes)?;
        checksum.update(&bytes);
        tensor::from_bytes(&bytes, stored.shape, stored.element).map_err(io::Error::other)
    };
    let layers = on_disk.layers.iter().map(|stored| {
        let [key, value, input @ ..] = stored.as_slice() else {
            return Err(io::Error::other("a layer was written without its value"));
        };
        Ok(StyleLayer {
            key: read(key)?,
            value: read(value)?,
            input: input.first().map(&mut read).transpose()?,
        })
    });
    let layers: Arc<[StyleLayer]> = layers.collect::<io::Result<_>>()?;
    if checksum.finalize() != on_disk.checksum {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "what was read back is not what was written: is the disk sound?",
        ));
    }
    Ok(layers)
}
