//! What `model.json` says: checkpoint, sizes, schedule, prompt and the graphs.

use serde::{Deserialize, Serialize};

use super::{GraphFile, PartPrecision, Precision};

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
    /// Precision in which it computes; of the autoencoder, unless `vae` says another.
    pub dtype: Precision,
    /// Precision in which weights are stored; likewise.
    pub weights: Precision,
    /// Those of the autoencoder, if they are others.
    pub vae: Option<PartPrecision>,
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
    /// What the UNet predicts.
    pub prediction_type: PredictionType,
}

/// What a UNet predicts of a noised latent, in diffusers' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise in it.
    Epsilon,
    /// Its velocity, `sqrt(abar) * noise - sqrt(1 - abar) * latent`, where `abar` is `alphas_cumprod` at its timestep.
    VPrediction,
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
    /// The tensor that query, key and value are projected from, if it is handed over.
    pub input: Option<String>,
    /// The input of the next segment that takes the result.
    pub output: String,
}

impl Model {
    /// Returns whether a layer has a token for each position of the latent.
    #[must_use]
    pub fn is_full(&self, layer: &InjectedLayer) -> bool {
        layer.tokens == self.latent.width * self.latent.height
    }

    /// Returns the precision of the UNet.
    #[must_use]
    pub fn unet_precision(&self) -> PartPrecision {
        PartPrecision {
            dtype: self.dtype,
            weights: self.weights,
        }
    }

    /// Returns the precision of the autoencoder.
    #[must_use]
    pub fn vae_precision(&self) -> PartPrecision {
        self.vae.unwrap_or_else(|| self.unet_precision())
    }

    /// Returns what helps where something that the model computes is not finite.
    #[must_use]
    pub fn cure_of_not_finite(&self) -> &'static str {
        let parts = [self.unet_precision(), self.vae_precision()];
        let computes_in_half = parts.iter().any(|part| part.dtype == Precision::Fp16);
        let stores_half = parts.iter().any(|part| part.weights == Precision::Fp16);
        match (computes_in_half, stores_half) {
            (true, _) => {
                "the model computes in fp16, whose largest number is 65504: export it with --dtype fp32, or its VAE alone \
                 with --vae-dtype fp32 if images and latents are what is not finite"
            }
            (false, true) => {
                "the model's weights are stored in fp16, whose largest number is 65504: export it with --dtype fp32"
            }
            (false, false) => {
                "does the checkpoint hold weights that are not finite? export the model again, from a whole checkpoint"
            }
        }
    }
}
