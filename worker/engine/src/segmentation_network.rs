//! Semantic segmentation: the class of each pixel of an image, as a segmenter predicts it.

use std::path::Path;

use ndarray::ArrayView3;
use shared::settings::EngineConfig;

use crate::runtime::Runtime;
use crate::session::{GraphSession, InputSize};
use crate::tensor::Tensors;
use crate::{EngineError, network, tensor};
use shared::dataset::classes::UNKNOWN;
use shared::network::{NetworkContract, SEGMENTER_FILE};

/// What the graph takes and gives.
const IMAGES: &str = "images";
const CLASSES: &str = "classes";

/// What the graph gives for a pixel with a score that is not finite.
const NOT_JUDGED: i64 = -1;

/// A segmenter that is loaded and matches its contract.
pub struct SegmentationNetwork {
    /// Its contract, `segmenter.json`.
    pub contract: NetworkContract,
    /// The train id of each of its classes; [`UNKNOWN`] of one that is no class of labels.
    train_ids: Vec<u8>,
    session: GraphSession,
}

impl SegmentationNetwork {
    /// Loads a folder that `onnx_export.segmenter` wrote. `size` is the fixed size of its images; required on a GPU.
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
        let contract = NetworkContract::load(folder, SEGMENTER_FILE)?;
        contract.expect(&[IMAGES], CLASSES)?;
        let mut outputs = contract.network.graph.outputs.iter();
        if outputs.any(|output| output.dtype != "int64") {
            let told =
                format!("must give {CLASSES} as int64: class indices; export the segmenter again");
            return Err(contract.refuse(told).into());
        }
        let classes = contract.network.classes.as_ref();
        let classes = classes.ok_or_else(|| contract.refuse("must say its classes"))?;
        let train_ids = classes
            .iter()
            .map(|class| class.train_id.unwrap_or(UNKNOWN));
        Ok(Self {
            train_ids: train_ids.collect(),
            session: network::session(&contract, &runtime, size)?,
            contract,
        })
    }

    /// Returns the train id of each pixel of an RGB image `(height, width, 3)`, row by row; [`UNKNOWN`] where it shows none
    /// of the classes.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if ONNX Runtime fails, [`EngineError::Contract`] if what comes out is not one class of the
    /// contract for each pixel, [`EngineError::NotJudged`] if a score of one is not finite.
    pub fn predict(&mut self, image: ArrayView3<'_, u8>) -> Result<Vec<u8>, EngineError> {
        let (height, width, _) = image.dim();
        let images = tensor::from_image(image).map_err(|e| self.session.error(e))?;
        let out = self
            .session
            .run(&Tensors::from([(IMAGES.to_owned(), images)]))?;
        let classes = tensor::indices(&out, CLASSES).map_err(|e| self.session.error(e))?;
        if classes.shape != [1, height, width] {
            let told = format!(
                "names a graph that gives {CLASSES} of shape {:?} for an image of {width}x{height}, expected [1, {height}, \
                 {width}]",
                classes.shape
            );
            return Err(self.contract.refuse(told).into());
        }
        if classes.values.contains(&NOT_JUDGED) {
            return Err(EngineError::NotJudged {
                network: self.contract.network.name.clone(),
                path: self.contract.path.clone(),
            });
        }
        let train_id = |&index: &i64| {
            let known = usize::try_from(index).ok();
            let train_id = known.and_then(|index| self.train_ids.get(index));
            train_id.copied().ok_or_else(|| {
                let told = format!(
                    "says {} classes, and its graph gives class {index}, expected 0 to {}; export the segmenter again",
                    self.train_ids.len(),
                    self.train_ids.len() - 1
                );
                EngineError::from(self.contract.refuse(told))
            })
        };
        classes.values.iter().map(train_id).collect()
    }
}
