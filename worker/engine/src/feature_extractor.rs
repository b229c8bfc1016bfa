//! The feature extractor: FID and KID compare the features that it gives of images.

use std::path::Path;

use ndarray::ArrayView3;
use shared::settings::EngineConfig;

use crate::runtime::Runtime;
use crate::session::{GraphSession, InputSize};
use crate::tensor::Tensors;
use crate::{EngineError, network, tensor};
use shared::network::{FEATURES_FILE, NetworkContract};

/// A feature extractor that is loaded and matches its contract.
pub struct FeatureExtractor {
    /// Its contract, `features.json`.
    pub contract: NetworkContract,
    num_features: usize,
    session: GraphSession,
}

impl FeatureExtractor {
    /// Loads a folder that `onnx_export.features` wrote. `size` is the fixed size of its images; required on a GPU.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if ONNX Runtime cannot be loaded, or a file is missing, altered or not what the contract says.
    pub fn load(
        folder: &Path,
        config: &EngineConfig,
        size: Option<InputSize>,
    ) -> Result<Self, EngineError> {
        let runtime = Runtime::load(config)?;
        let contract = NetworkContract::load(folder, FEATURES_FILE)?;
        contract.expect(&["images"], "features")?;
        let num_features = contract
            .network
            .num_features
            .filter(|&count| count > 0)
            .ok_or_else(|| contract.refuse("must say num_features, at least 1"))?;
        Ok(Self {
            session: network::session(&contract, &runtime, size)?,
            num_features,
            contract,
        })
    }

    /// Returns the number of features of an image.
    #[must_use]
    pub fn num_features(&self) -> usize {
        self.num_features
    }

    /// Returns the features of an RGB image `(height, width, 3)` of any size.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if ONNX Runtime fails, [`EngineError::Contract`] if what comes out is not what the contract
    /// says, [`EngineError::NotJudged`] if it is not finite.
    pub fn features(&mut self, image: ArrayView3<'_, u8>) -> Result<Vec<f32>, EngineError> {
        let images = tensor::from_image(image).map_err(|e| self.session.error(e))?;
        let out = self
            .session
            .run(&Tensors::from([("images".to_owned(), images)]))?;
        let features = tensor::values(&out, "features").map_err(|e| self.session.error(e))?;
        if features.len() != self.num_features {
            let told = format!(
                "says {} features, and {} came out",
                self.num_features,
                features.len()
            );
            return Err(self.contract.refuse(told).into());
        }
        network::finite(&self.contract, features)
    }
}
