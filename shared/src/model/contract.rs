//! An exported model: its folder, and what its contract says, read and checked.

use std::path::{Path, PathBuf};

use super::files::{files_of_graph, verify};
use super::{ContractError, FILE, Model, OpenError};
use crate::digest;
use crate::location::Location;
use crate::read_file::{self, max_bytes};
use crate::settings::DiffusionConfig;
use crate::source;

/// An exported model.
#[derive(Debug, Clone)]
pub struct ModelContract {
    /// The model's folder.
    pub folder: PathBuf,
    /// SHA-256 of `model.json`, which names the digest of every other file.
    pub sha256: String,
    /// What `model.json` says.
    pub model: Model,
}

/// The sizes that a model works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// Columns of an image, in pixels.
    pub width: usize,
    /// Rows of an image, in pixels.
    pub height: usize,
    /// Columns of a latent.
    pub latent_width: usize,
    /// Rows of a latent.
    pub latent_height: usize,
}

impl ModelContract {
    /// Reads and checks `model.json`.
    ///
    /// # Errors
    ///
    /// [`ContractError::Unusable`] naming the file and what this program cannot do with it, [`ContractError::Away`] if its folder
    /// cannot be read.
    pub fn load(folder: &Path) -> Result<Self, ContractError> {
        let path = folder.join(FILE);
        let bytes = read_file::read(&path, max_bytes::CONTRACT)
            .map_err(|error| ContractError::unreadable(folder, path, error))?;
        Self::from_json(&bytes, folder.to_owned())
    }

    /// Reads and checks the `model.json` of the model at a location.
    ///
    /// # Errors
    ///
    /// [`OpenError`] naming the file.
    pub async fn open(at: &Location) -> Result<Self, OpenError> {
        match at {
            Location::Folder(folder) => Ok(Self::load(folder)?),
            Location::Bucket(_) => {
                let json = source::open(at).await?.read(Path::new(FILE)).await?;
                Ok(Self::from_json(&json, PathBuf::from(at.to_string()))?)
            }
        }
    }

    /// Reads and checks the bytes of a `model.json` that belongs to `folder`.
    ///
    /// # Errors
    ///
    /// [`ContractError::Unusable`] naming the file and what this program cannot do with it.
    pub fn from_json(bytes: &[u8], folder: PathBuf) -> Result<Self, ContractError> {
        let refuse = |reason: String| ContractError::Unusable {
            path: folder.join(FILE),
            reason,
        };
        let model: Model = serde_json::from_slice(bytes).map_err(|e| {
            refuse(format!(
                "is no contract that this version reads ({e}); export the model again"
            ))
        })?;
        model.check().map_err(refuse)?;
        Ok(Self {
            sha256: digest::sha256(bytes),
            folder,
            model,
        })
    }

    /// Returns whether the model hands over what a method takes.
    ///
    /// # Errors
    ///
    /// [`ContractError::Unusable`] naming the file and the method.
    pub fn check_method(&self, method: &DiffusionConfig) -> Result<(), ContractError> {
        let votes = (0..method.num_executed()).any(|step| method.votes_at(step));
        let layers = self.model.segments.iter();
        let mut layers = layers.filter_map(|segment| segment.layer.as_ref());
        if !votes || layers.any(|layer| layer.input.is_some()) {
            return Ok(());
        }
        Err(ContractError::Unusable {
            path: self.path(FILE),
            reason: format!(
                "has format version {}, in which layers hand over no input, and method {} votes by that; export the \
                 model again",
                self.model.format_version, method.method
            ),
        })
    }

    /// Proves that every file has the digest the contract gives.
    ///
    /// # Errors
    ///
    /// [`ContractError::Unusable`] naming the first file that is missing or altered, [`ContractError::Away`] if the folder cannot
    /// be read.
    pub fn verify_files(&self) -> Result<(), ContractError> {
        for (file, expected) in self.files() {
            verify(&self.folder, &file, &expected)?;
        }
        Ok(())
    }

    /// Returns the size of the model's files. One that cannot be read has none.
    #[must_use]
    pub fn num_bytes(&self) -> u64 {
        let sizes = self.files().into_iter().filter_map(|(file, _)| {
            let file = std::fs::metadata(self.path(&file));
            file.ok().map(|file| file.len())
        });
        sizes.sum()
    }

    /// Returns the model's files with their digests.
    fn files(&self) -> Vec<(String, String)> {
        let model = &self.model;
        let segments = model.segments.iter().map(|segment| &segment.graph);
        let graphs = segments.chain([&model.vae_encoder, &model.vae_decoder]);
        let prompt = (model.prompt.file.clone(), model.prompt.sha256.clone());
        graphs.flat_map(files_of_graph).chain([prompt]).collect()
    }

    /// Returns where a file of the contract is.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Returns the sizes of the model's images and latents.
    #[must_use]
    pub fn image_size(&self) -> ImageSize {
        let model = &self.model;
        ImageSize {
            width: model.width,
            height: model.height,
            latent_width: model.latent.width,
            latent_height: model.latent.height,
        }
    }
}
