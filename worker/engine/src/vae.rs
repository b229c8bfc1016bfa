//! The autoencoder: images to latents and back.

use ndarray::{Array3, ArrayView3};

use crate::runtime::Runtime;
use crate::session::GraphSession;
use crate::tensor::Tensors;
use crate::{EngineError, tensor};
use kernels::bf16::Operands;
use shared::model::{GraphFile, ModelContract, Precision};

/// The autoencoder.
pub struct Vae {
    encoder: GraphSession,
    decoder: GraphSession,
    precision: Precision,
}

impl Vae {
    pub(super) fn load(runtime: &Runtime, contract: &ModelContract) -> Result<Self, EngineError> {
        let load = |graph: &GraphFile| {
            // Of single precision always: it is evaluated twice where the noise predictor is a score of times, and its errors
            // are those of pixels.
            let operands = Operands::Single;
            GraphSession::load_fast(runtime, &contract.folder, graph, operands)?.with_host_outputs()
        };
        Ok(Self {
            encoder: load(&contract.model.vae_encoder)?,
            decoder: load(&contract.model.vae_decoder)?,
            precision: contract.model.vae_precision().dtype,
        })
    }

    /// Returns the scaled latent `(channels, height / 8, width / 8)` of an image `(3, height, width)` in -1..1.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if ONNX Runtime fails.
    pub fn encode(&mut self, image: ArrayView3<'_, f32>) -> Result<Array3<f32>, EngineError> {
        run(&mut self.encoder, "image", image, "latent", self.precision)
    }

    /// Returns the image `(3, height, width)`, about -1..1, of a scaled latent.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if ONNX Runtime fails.
    pub fn decode(&mut self, latent: ArrayView3<'_, f32>) -> Result<Array3<f32>, EngineError> {
        run(&mut self.decoder, "latent", latent, "image", self.precision)
    }
}

fn run(
    session: &mut GraphSession,
    input: &str,
    array: ArrayView3<'_, f32>,
    output: &str,
    precision: Precision,
) -> Result<Array3<f32>, EngineError> {
    let array = tensor::from_array(array, precision).map_err(|e| session.error(e))?;
    let tensors = session.run(&Tensors::from([(input.to_owned(), array)]))?;
    let value = tensors
        .get(output)
        .ok_or_else(|| session.error(ort::Error::new(format!("no {output} came out"))))?;
    tensor::to_array(value).map_err(|e| session.error(e))
}
