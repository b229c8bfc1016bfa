//! The only place that names ONNX Runtime.
//!
//! - [`runtime`]: the shared library and its one thread pool; `device`: where graphs run
//! - [`contract`]: `model.json`, read and checked
//! - `arena`: one arena for all sessions
//! - `session`: one ONNX file as a session that matches its contract
//! - `builder`: graphs written node by node; `transfer`: one that brings tensors to the processor
//! - `operators`: what [operators](crate::operators) of our own do in place of ONNX Runtime
//! - [`unet`]: the UNet's segments in order, with attention between them
//! - [`vae`]: images to latents and back
//! - [`style_bank`]: keys and values of styles, in memory or on disk
//! - [`attention`]: what the injected layers compute; [`injection`]: on what, for each branch
//! - [`network`], [`extractor`], [`perceptual`]: networks that judge outputs

mod arena;
pub mod attention;
mod builder;
pub mod contract;
mod device;
mod error;
pub mod extractor;
pub mod injection;
pub mod network;
mod operators;
pub mod perceptual;
pub mod runtime;
mod session;
pub mod style_bank;
mod tensor;
mod transfer;
pub mod unet;
pub mod vae;

use std::path::Path;

pub use error::EngineError;
pub(crate) use error::cause;
/// What ONNX Runtime says when it fails.
pub use ort::Error as RuntimeError;
use shared::metrics::names;
use shared::settings::EngineConfig;

use self::attention::{AttentionKernel, InjectedAttention};
use self::contract::ModelContract;
use self::runtime::Runtime;
use self::unet::UnetChain;
use self::vae::Vae;

/// A model that is loaded and matches its contract.
pub struct Engine {
    /// What the model is.
    pub contract: ModelContract,
    /// The noise predictor.
    pub unet: UnetChain,
    /// The autoencoder.
    pub vae: Vae,
    runtime: Runtime,
}

impl Engine {
    /// Loads a model folder that onnx-export wrote.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if ONNX Runtime cannot be loaded, or a file of the model is missing, altered or not what the
    /// contract says; each names the file and what differs.
    pub fn load(folder: &Path, config: &EngineConfig) -> Result<Self, EngineError> {
        let runtime = Runtime::load(config)?;
        let contract = ModelContract::load(folder)?;
        contract.verify_files()?;
        let bytes = names::ENGINE_MODEL_BYTES.gauge([]);
        bytes.set(contract.num_bytes() as f64);
        let unet = UnetChain::load(&runtime, &contract)?;
        let vae = Vae::load(&runtime, &contract)?;
        Ok(Self {
            contract,
            unet,
            vae,
            runtime,
        })
    }

    /// Returns the attention of the injected layers.
    #[must_use]
    pub fn attention(&self, how: InjectedAttention) -> Box<dyn AttentionKernel> {
        attention::on(&self.runtime, self.contract.model.dtype, how)
    }
}
