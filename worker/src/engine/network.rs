//! A network of one graph with its contract, as onnx-export writes those that judge outputs: feature extractors, and those
//! that give a metric such as LPIPS.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use shared::digest;
use shared::read_file::{self, max_bytes};

use super::EngineError;
use super::contract::{Part, Source, check_part_files, verify_part};
use super::runtime::Runtime;
use super::session::PartSession;
use crate::method::finite::are_finite;

/// The contract's version that this engine reads.
const FORMAT_VERSION: u32 = 1;
/// The contract of a feature extractor.
pub const FEATURES_FILE: &str = "features.json";

/// What an exported network is.
#[derive(Debug, Clone)]
pub struct NetworkContract {
    /// The contract's file.
    pub path: PathBuf,
    /// SHA-256 of the contract, which names the digest of every other file.
    pub sha256: String,
    /// What it says.
    pub network: Network,
}

/// The contents of a contract.
#[derive(Debug, Clone, Deserialize)]
pub struct Network {
    /// Version of the format.
    pub format_version: u32,
    /// The program that wrote it.
    pub producer: String,
    /// The network's name.
    pub name: String,
    /// The checkpoint it was made from.
    pub source: Source,
    /// Whether its figures can be compared with published ones. Exporters of feature extractors and of LPIPS have their own
    /// words for it.
    #[serde(default, alias = "published_fid", alias = "published_lpips")]
    pub published: bool,
    /// To what size the graph resizes images; none if it takes them as they are.
    pub resize: Option<Resize>,
    /// Number of features of an image; none for networks that compare images.
    pub num_features: Option<usize>,
    /// The graph.
    #[serde(flatten)]
    pub part: Part,
}

/// How a graph resizes images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The filter's name.
    pub filter: String,
}

impl std::fmt::Display for Resize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.filter)
    }
}

/// The size of the images that a network is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

impl NetworkContract {
    /// Reads a contract: [`FEATURES_FILE`] of a folder, or what a metric names its network's.
    ///
    /// # Errors
    ///
    /// [`EngineError::Model`] naming the file and what is wrong with it, [`EngineError::Away`] if its folder cannot be
    /// read.
    pub fn load(folder: &Path, file: &str) -> Result<Self, EngineError> {
        let path = folder.join(file);
        match read_file::read(&path, max_bytes::CONTRACT) {
            Ok(bytes) => Self::from_json(&bytes, path),
            Err(error) => Err(EngineError::unreadable(folder, path, error)),
        }
    }

    /// Reads the bytes of a contract that lies at `path`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Model`] naming the file and what is wrong with it.
    pub fn from_json(bytes: &[u8], path: PathBuf) -> Result<Self, EngineError> {
        let refuse = |reason: String| EngineError::Model {
            path: path.clone(),
            reason,
        };
        let network: Network = serde_json::from_slice(bytes).map_err(|e| {
            refuse(format!(
                "is no contract that this version reads ({e}); export the network again"
            ))
        })?;
        if network.format_version != FORMAT_VERSION {
            return Err(refuse(format!(
                "has format version {}, this program reads {FORMAT_VERSION}; export the network again",
                network.format_version
            )));
        }
        network.check_sizes().map_err(refuse)?;
        check_part_files(&network.part).map_err(refuse)?;
        Ok(Self {
            sha256: digest::sha256(bytes),
            path,
            network,
        })
    }

    /// Loads the graph for images of a size, or of any, after its files were compared with their digests.
    pub(super) fn session(
        &self,
        runtime: &Runtime,
        size: Option<InputSize>,
    ) -> Result<PartSession, EngineError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let part = &self.network.part;
        verify_part(folder, part)?;
        let session = match size {
            Some(size) => PartSession::load_for(runtime, folder, part, size)?,
            None => PartSession::load(runtime, folder, part)?,
        };
        session.with_outputs_here()
    }

    /// Returns an error about this contract.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> EngineError {
        EngineError::Model {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    /// Returns values of this network, unless some of them are not finite.
    pub(super) fn finite(&self, values: Vec<f32>) -> Result<Vec<f32>, EngineError> {
        if are_finite(&values) {
            return Ok(values);
        }
        Err(EngineError::NotJudged {
            network: self.network.name.clone(),
            path: self.path.clone(),
        })
    }

    /// Refuses a graph with other names than these.
    pub(super) fn expect(&self, inputs: &[&str], output: &str) -> Result<(), EngineError> {
        let part = &self.network.part;
        let named = |tensors: &[super::contract::TensorContract], names: &[&str]| {
            tensors.len() == names.len()
                && names
                    .iter()
                    .all(|name| tensors.iter().any(|tensor| tensor.name == *name))
        };
        if named(&part.inputs, inputs) && named(&part.outputs, &[output]) {
            return Ok(());
        }
        let inputs = inputs.join(", ");
        Err(self.refuse(format!(
            "must have the inputs {inputs} and the output {output}; export the network again"
        )))
    }
}
