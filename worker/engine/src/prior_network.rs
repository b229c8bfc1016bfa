//! The network of priors: features of an image's patches, which tell the classes of photographs without labels.
//!
//! - [`PriorNetwork`]: the network; [`Priors`]: class maps by it, from labelled images that show what classes look like

use std::path::Path;

use ndarray::{Array2, ArrayView2, ArrayView3};
use shared::model::{ImageSize, PIXELS_PER_LATENT};
use shared::settings::EngineConfig;

use crate::runtime::Runtime;
use crate::session::{GraphSession, InputSize};
use crate::tensor::Tensors;
use crate::{EngineError, network, tensor};
use method::prototypes::{ClassSums, UnitFeatures};
use shared::network::{NetworkContract, PRIOR_FEATURES, PRIOR_FILE, PRIOR_IMAGE, PatchShapes};

/// A network of priors that is loaded and matches its contract.
pub struct PriorNetwork {
    /// Its contract, `prior.json`.
    pub contract: NetworkContract,
    shapes: PatchShapes,
    session: GraphSession,
}

impl PriorNetwork {
    /// Loads a folder that `onnx_export.prior` wrote, for images of a model's size: the network's have their shape.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if ONNX Runtime cannot be loaded, or a file is missing, altered or not what the contract says, or the
    /// network was exported for images of another shape.
    pub fn load(
        folder: &Path,
        config: &EngineConfig,
        size: Option<InputSize>,
    ) -> Result<Self, EngineError> {
        let runtime = Runtime::load(config)?;
        let contract = NetworkContract::load(folder, PRIOR_FILE)?;
        let shapes = PatchShapes::of(&contract)?;
        if let Some(size) = size {
            shapes.check(&contract, (size.width, size.height))?;
        }
        Ok(Self {
            session: network::session(&contract, &runtime, None)?,
            shapes,
            contract,
        })
    }

    /// Returns the size that images must have. What has less detail than a latent of that size, or less than a patch, is too
    /// small to be enlarged to it.
    #[must_use]
    pub fn image_size(&self) -> ImageSize {
        let PatchShapes {
            image: (height, width),
            patch,
            ..
        } = self.shapes;
        let least = |side: usize| (side / PIXELS_PER_LATENT).max(patch);
        ImageSize {
            width,
            height,
            latent_width: least(width),
            latent_height: least(height),
        }
    }

    /// Returns the features of the patches of an RGB image `(height, width, 3)`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if the image has another size or ONNX Runtime fails, [`EngineError::NotJudged`] if what comes out
    /// is not finite.
    pub fn features(&mut self, image: ArrayView3<'_, u8>) -> Result<UnitFeatures, EngineError> {
        let image = tensor::from_image(image).map_err(|e| self.session.error(e))?;
        let out = self
            .session
            .run(&Tensors::from([(PRIOR_IMAGE.to_owned(), image)]))?;
        let features = tensor::values(&out, PRIOR_FEATURES).map_err(|e| self.session.error(e))?;
        let features = network::finite(&self.contract, features)?;
        let PatchShapes {
            patches,
            num_features,
            ..
        } = self.shapes;
        let tokens = Array2::from_shape_vec((patches.0 * patches.1, num_features), features);
        let tokens = tokens.map_err(|e| self.session.error(ort::Error::wrap(e)))?;
        Ok(UnitFeatures::of_tokens(tokens.view(), patches)?)
    }
}

/// Makes class maps of photographs without labels.
pub struct Priors {
    network: PriorNetwork,
    sums: ClassSums,
}

impl Priors {
    /// Returns what makes maps by a network, which knows no class yet.
    #[must_use]
    pub fn new(network: PriorNetwork) -> Self {
        let sums = ClassSums::new(network.shapes.num_features);
        Self { network, sums }
    }

    /// Returns the size that images must have.
    #[must_use]
    pub fn image_size(&self) -> ImageSize {
        self.network.image_size()
    }

    /// Learns what classes look like from an image of the network's size, and its train ids at another.
    ///
    /// # Errors
    ///
    /// As [`PriorNetwork::features`].
    pub fn learn(
        &mut self,
        image: ArrayView3<'_, u8>,
        labels: ArrayView2<'_, u8>,
    ) -> Result<(), EngineError> {
        let features = self.network.features(image)?;
        Ok(self.sums.add(&features, labels)?)
    }

    /// Returns the class map, of `size` (height, width), of an image of the network's size.
    ///
    /// # Errors
    ///
    /// As [`PriorNetwork::features`].
    pub fn map(
        &mut self,
        image: ArrayView3<'_, u8>,
        size: (usize, usize),
    ) -> Result<Array2<u8>, EngineError> {
        let features = self.network.features(image)?;
        Ok(self.sums.prototypes().prior(&features, size)?)
    }
}
