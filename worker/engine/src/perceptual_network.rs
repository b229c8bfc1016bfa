//! Distances between two images that a network gives, such as learned perceptual image patch similarity (LPIPS).
//!
//! **Source:** for LPIPS, Zhang et al. 2018 (arXiv:1801.03924), as the network that the user exported computes it.

use std::path::Path;

use ndarray::ArrayView3;
use shared::settings::EngineConfig;

use crate::runtime::Runtime;
use crate::session::{GraphSession, InputSize};
use crate::tensor::Tensors;
use crate::{EngineError, network, tensor};
use shared::network::NetworkContract;

/// A network that gives the distance of two images; it is loaded and matches its contract.
pub struct PerceptualNetwork {
    /// Its contract.
    pub contract: NetworkContract,
    session: GraphSession,
}

impl PerceptualNetwork {
    /// Loads a folder that `onnx_export.perceptual` or its like wrote, by the name of the contract in it. `size` is the fixed
    /// size of its images; required on a GPU.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if ONNX Runtime cannot be loaded, or a file is missing, altered or not what the contract says.
    pub fn load(
        folder: &Path,
        contract: &str,
        config: &EngineConfig,
        size: Option<InputSize>,
    ) -> Result<Self, EngineError> {
        let runtime = Runtime::load(config)?;
        let contract = NetworkContract::load(folder, contract)?;
        contract.expect(&["first", "second"], "distance")?;
        Ok(Self {
            session: network::session(&contract, &runtime, size)?,
            contract,
        })
    }

    /// Returns the distance of two RGB images `(height, width, 3)` of one size; 0 for equal ones.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if ONNX Runtime fails, [`EngineError::Contract`] if no single distance comes out,
    /// [`EngineError::NotJudged`] if it is not finite.
    pub fn distance(
        &mut self,
        first: ArrayView3<'_, u8>,
        second: ArrayView3<'_, u8>,
    ) -> Result<f64, EngineError> {
        let tensor_of = |image| tensor::from_image(image);
        let first = tensor_of(first).map_err(|e| self.session.error(e))?;
        let second = tensor_of(second).map_err(|e| self.session.error(e))?;
        let inputs = [("first".to_owned(), first), ("second".to_owned(), second)];
        let out = self.session.run(&Tensors::from(inputs))?;
        let distance = tensor::values(&out, "distance").map_err(|e| self.session.error(e))?;
        match network::finite(&self.contract, distance)?[..] {
            [distance] => Ok(f64::from(distance)),
            _ => Err(self
                .contract
                .refuse("names a graph that does not give one distance for a pair of images")
                .into()),
        }
    }
}
