//! The contract of an exported model, `model.json`: what the model is, and the digests of its files.
//!
//! onnx-export writes it; the engine and the coordinator read it. The networks that judge outputs have contracts of their
//! own, [`network`](crate::network), which describe graphs in the same way.

mod check;
mod error;
mod sizes;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use check::check_graph_files;
pub use error::{ContractError, OpenError};

use crate::digest;
use crate::location::Location;
use crate::read_file::{self, max_bytes};
use crate::source;

/// The contract's version that this program reads.
const FORMAT_VERSION: u32 = 1;
/// Pixels of an image along each side of one element of its latent.
pub const PIXELS_PER_LATENT: usize = 8;
/// The largest finite number of fp16.
const LARGEST_FP16: f32 = 65_504.0;
/// The contract's name in its folder.
pub const FILE: &str = "model.json";

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

/// The contents of `model.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Version of the format.
    pub format_version: u32,
    /// The program that wrote it.
    pub producer: String,
    /// The checkpoint it was made from.
    pub source: CheckpointInfo,
    /// Image width in pixels.
    pub width: usize,
    /// Image height in pixels.
    pub height: usize,
    /// Shape of a latent.
    pub latent: LatentShape,
    /// Precision in which it computes.
    pub dtype: Precision,
    /// Precision in which weights are stored.
    pub weights: Precision,
    /// Factor between the autoencoder's latents and the UNet's; already in the graphs.
    pub vae_scale: f64,
    /// The noise schedule it was trained with.
    pub schedule: ScheduleContract,
    /// The FreeU variant in the graphs, if any.
    pub freeu: Option<serde_json::Value>,
    /// The constant prompt.
    pub prompt: Prompt,
    /// Graph of `image` to `latent`.
    pub vae_encoder: GraphFile,
    /// Graph of `latent` to `image`.
    pub vae_decoder: GraphFile,
    /// The UNet, cut at the injected layers.
    pub segments: Vec<Segment>,
}

/// The checkpoint that a model was made from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointInfo {
    /// Its folder's name.
    pub name: String,
    /// Digest over its files.
    pub sha256: String,
}

/// `(channels, height, width)` of a latent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentShape {
    /// Channels.
    pub channels: usize,
    /// Height.
    pub height: usize,
    /// Width.
    pub width: usize,
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

/// A precision of floating-point numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, 32 bits.
    Fp32,
    /// Half precision, 16 bits.
    Fp16,
}

impl Precision {
    /// Returns the bytes that a number takes.
    #[must_use]
    pub fn num_bytes(self) -> usize {
        match self {
            Self::Fp32 => 4,
            Self::Fp16 => 2,
        }
    }

    /// Returns the largest finite number.
    #[must_use]
    pub fn largest(self) -> f32 {
        match self {
            Self::Fp32 => f32::MAX,
            Self::Fp16 => LARGEST_FP16,
        }
    }
}

/// A noise schedule, in diffusers' words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleContract {
    /// Timesteps of training.
    pub num_train_timesteps: usize,
    /// First beta.
    pub beta_start: f64,
    /// Last beta.
    pub beta_end: f64,
    /// Must be `scaled_linear`.
    pub beta_schedule: String,
    /// Added to every timestep.
    pub steps_offset: usize,
    /// Whether the last step ends at `alphas_cumprod` 1.
    pub set_alpha_to_one: bool,
    /// Must be `leading`.
    pub timestep_spacing: String,
    /// Must be `epsilon`.
    pub prediction_type: String,
}

/// The prompt's embedding.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The text, if it was made from one.
    pub text: Option<String>,
    /// Rows.
    pub tokens: usize,
    /// Columns.
    pub width: usize,
    /// NumPy file of shape `(1, tokens, width)`.
    pub file: String,
    /// Its digest.
    pub sha256: String,
}

/// A graph: an ONNX file, with its weights in a file beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFile {
    /// The ONNX file.
    pub file: String,
    /// Its digest.
    pub sha256: String,
    /// The file of its weights, if it has any.
    pub data: Option<DataFile>,
    /// Inputs by name.
    pub inputs: Vec<TensorContract>,
    /// Outputs by name.
    pub outputs: Vec<TensorContract>,
}

/// External data of a graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// The file.
    pub file: String,
    /// Its digest.
    pub sha256: String,
}

/// A tensor that enters or leaves a graph.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorContract {
    /// Its name.
    pub name: String,
    /// `float32`, `float16` or `int64`.
    pub dtype: String,
    /// Its dimensions.
    pub shape: Vec<Dimension>,
}

impl Model {
    /// Returns what helps where something that the model computes is not finite.
    #[must_use]
    pub fn cure_of_not_finite(&self) -> &'static str {
        match (self.dtype, self.weights) {
            (Precision::Fp16, Precision::Fp16 | Precision::Fp32) => {
                "the model computes in fp16, whose largest number is 65504: export it with --dtype fp32"
            }
            (Precision::Fp32, Precision::Fp16) => {
                "the model's weights are stored in fp16, whose largest number is 65504: export it with --dtype fp32"
            }
            (Precision::Fp32, Precision::Fp32) => {
                "does the checkpoint hold weights that are not finite? export the model again, from a whole checkpoint"
            }
        }
    }
}

impl GraphFile {
    /// Returns the graph with some of its free dimensions fixed, by their names.
    #[must_use]
    pub fn with_known(&self, known: &[(&str, i64)]) -> Self {
        let mut graph = self.clone();
        let tensors = graph.inputs.iter_mut().chain(&mut graph.outputs);
        for dimension in tensors.flat_map(|tensor| &mut tensor.shape) {
            let Dimension::Free(name) = &*dimension else {
                continue;
            };
            if let Some((_, length)) = known.iter().find(|(known, _)| known == name) {
                *dimension = Dimension::Fixed(*length);
            }
        }
        graph
    }
}

/// A dimension: a number, or a name where it is free.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    /// Fixed.
    Fixed(i64),
    /// Free, such as `batch`.
    Free(String),
}

/// A segment of the UNet and the injected layer after it.
#[derive(Debug, Clone, Deserialize)]
pub struct Segment {
    /// The graph.
    #[serde(flatten)]
    pub graph: GraphFile,
    /// The self-attention layer that follows; none after the last segment.
    pub layer: Option<InjectedLayer>,
}

/// A self-attention layer that is computed outside the graphs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectedLayer {
    /// The layer's name in the checkpoint.
    pub name: String,
    /// Rows of query, key and value.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Columns of a head.
    pub head_width: usize,
    /// The tensor that holds the query.
    pub query: String,
    /// The tensor that holds the key.
    pub key: String,
    /// The tensor that holds the value.
    pub value: String,
    /// The input of the next segment that takes the result.
    pub output: String,
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

/// Proves that a graph's files have the digests that its contract gives.
///
/// # Errors
///
/// [`ContractError`] naming the first file that is missing or altered.
pub fn verify_graph(folder: &Path, graph: &GraphFile) -> Result<(), ContractError> {
    for (file, expected) in files_of_graph(graph) {
        verify(folder, &file, &expected)?;
    }
    Ok(())
}

fn files_of_graph(graph: &GraphFile) -> impl Iterator<Item = (String, String)> + use<> {
    let file = (graph.file.clone(), graph.sha256.clone());
    let data = graph
        .data
        .as_ref()
        .map(|data| (data.file.clone(), data.sha256.clone()));
    [file].into_iter().chain(data)
}

fn verify(folder: &Path, file: &str, expected: &str) -> Result<(), ContractError> {
    let path = folder.join(file);
    let found = read_file::open_within(&path, max_bytes::WEIGHTS).and_then(digest::sha256_of_open);
    let found = match found {
        Ok(found) => found,
        Err(error) => return Err(ContractError::unreadable(folder, path, error)),
    };
    if found == expected {
        return Ok(());
    }
    // The digest that was found is not told: a link may lead to a file that is secret.
    Err(ContractError::Unusable {
        path,
        reason: format!(
            "is truncated or altered: its SHA-256 is not {expected}, as the contract says; copy or export it again"
        ),
    })
}

/// Returns why the files of a graph that were verified can be read no more; nothing if they can.
#[must_use]
pub fn gone(folder: &Path, graph: &GraphFile) -> Option<ContractError> {
    files_of_graph(graph).find_map(|(file, _)| {
        let path = folder.join(file);
        let error = read_file::open(&path).err()?;
        Some(ContractError::unreadable(folder, path, error))
    })
}
