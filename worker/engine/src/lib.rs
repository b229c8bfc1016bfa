//! The model on ONNX Runtime: segments of the UNet, with attention between them. No other crate names ONNX Runtime.
//!
//! - [`runtime`]: the shared library and its one thread pool; `device`: where graphs run; `library_version`: what the
//!   library is
//! - `arena`: one arena for all sessions
//! - `session`: one graph as a session that matches its contract
//! - `builder`: graphs written node by node; `transfer`: one that copies tensors to the host
//! - `fusion`: graphs rewritten so that parts of them are operators of ours, which [`kernels`] computes
//! - [`unet`]: the UNet's segments in order, with attention between them
//! - [`vae`]: images to latents and back
//! - [`style_bank`]: a KV cache of styles, on the device, in memory or on disk
//! - [`attention`]: kernels of the injected layers; [`injection`]: what each branch computes with them
//! - [`feature_extractor`], [`perceptual_network`], [`segmentation_network`]: networks that judge outputs; `network`: what
//!   they share
//! - [`conversion`]: method and engine put together, for one content; [`thread`]: the one thread that owns it

#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod arena;
pub mod attention;
mod builder;
pub mod conversion;
mod device;
mod error;
pub mod feature_extractor;
mod fusion;
pub mod injection;
mod library_version;
mod network;
pub mod perceptual_network;
pub mod runtime;
pub mod segmentation_network;
mod session;
pub mod style_bank;
mod tensor;
pub mod thread;
mod transfer;
pub mod unet;
pub mod vae;

use std::path::Path;

pub use error::EngineError;
pub(crate) use error::cause;
/// What ONNX Runtime says when it fails.
pub use ort::Error as RuntimeError;
pub use session::InputSize;
use shared::metrics::names;
use shared::model::ModelContract;
use shared::settings::EngineConfig;

use self::attention::{AttentionKernel, InjectedAttention};
use self::runtime::Runtime;
use self::unet::UnetChain;
use self::vae::Vae;

/// A diffusion model that is loaded and matches its contract.
pub struct Engine {
    /// What `model.json` says of it.
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

    /// Returns the kernel of the injected layers' attention.
    #[must_use]
    pub fn attention(&self, how: InjectedAttention) -> Box<dyn AttentionKernel> {
        attention::on(&self.runtime, self.contract.model.dtype, how)
    }
}
