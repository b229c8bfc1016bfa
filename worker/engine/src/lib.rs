//! The model on ONNX Runtime: segments of the UNet, with attention between them. No other crate names ONNX Runtime.
//!
//! - [`runtime`]: the shared library and its one thread pool; `device`: where graphs run; `library`, `library_version`: where
//!   the library is, and what it is; `platform`: what else a device computes with; `cuda`: CUDA's libraries
//! - `arena`: one arena for all sessions; `reclaim`: what is free of it is given back; `complaints`: what an error leaves out
//! - `session`: one graph as a session; `outlets`: whether it matches its contract; `tensor_cores`: what is computed on them
//!   all the same
//! - `builder`: graphs written node by node; `transfer`: one that copies tensors to the host
//! - `fusion`: graphs rewritten so that parts of them are operators of ours, which [`kernels`] computes
//! - [`unet`]: the UNet's segments in order, with attention between them
//! - [`vae`]: images to latents and back
//! - [`style_bank`]: a KV cache of styles, on the device, in memory or on disk
//! - [`attention`]: kernels of the injected layers; [`injection`]: what each branch computes with them
//! - [`feature_extractor`], [`perceptual_network`], [`segmentation_network`]: networks that judge outputs;
//!   [`prior_network`]: one that tells the classes of photographs; `network`: what they share
//! - [`translator`]: a network that makes an output in one evaluation
//! - [`conversion`]: method and engine put together, for one content; [`thread`]: the one thread that owns it

#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod arena;
pub mod attention;
mod builder;
mod complaints;
pub mod conversion;
mod cuda;
mod device;
mod error;
pub mod feature_extractor;
mod fusion;
pub mod injection;
mod library;
mod library_version;
mod network;
mod outlets;
pub mod perceptual_network;
mod platform;
pub mod prior_network;
mod reclaim;
pub mod runtime;
pub mod segmentation_network;
mod session;
pub mod style_bank;
mod tensor;
mod tensor_cores;
pub mod thread;
mod transfer;
pub mod translator;
pub mod unet;
pub mod vae;

use std::path::Path;

pub use error::EngineError;
pub(crate) use error::cause;
/// What ONNX Runtime says when it fails.
pub use ort::Error as RuntimeError;
pub use session::InputSize;
use shared::metrics::names;
use shared::model::{ContractError, FILE as MODEL_FILE, ModelContract, Precision};
use shared::settings::{Device, EngineConfig, Products};

use self::attention::AttentionKernel;
use self::injection::Injection;
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
        check_products(config, &contract)?;
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
    ///
    /// # Errors
    ///
    /// [`EngineError::Device`] if the settings want one that the device does not have.
    pub fn attention(
        &self,
        injection: &Injection,
    ) -> Result<Box<dyn AttentionKernel>, EngineError> {
        let precision = self.contract.model.dtype;
        let classes = injection.classes.as_ref();
        let is_by_class = classes.is_some_and(|classes| classes.filter.is_some());
        let (settings, layers) = (injection.attention, self.unet.layers());
        attention::on(&self.runtime, precision, settings, is_by_class, layers)
    }
}

/// Refuses products of half the width where nothing would make them.
fn check_products(config: &EngineConfig, contract: &ModelContract) -> Result<(), EngineError> {
    let refuse = |reason: &str| {
        let path = contract.folder.join(MODEL_FILE);
        let reason = format!("{reason}, and engine.precision is bf16");
        Err(ContractError::Unusable { path, reason }.into())
    };
    match (config.products, config.device, contract.model.dtype) {
        (Products::F32, _, _) | (Products::Bf16, Device::Cpu, Precision::Fp32) => Ok(()),
        (Products::Bf16, Device::Cuda(_), _) => {
            refuse("computes in what it was exported in on a GPU; take a processor or f32")
        }
        (Products::Bf16, Device::Cpu, Precision::Fp16) => {
            refuse("was exported with --dtype fp16, and must be with fp32")
        }
    }
}
