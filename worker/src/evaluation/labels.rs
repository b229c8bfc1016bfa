//! Whether a label is still true: what a segmenter predicts for an output, and for its content, beside the label that they
//! share.

use imaging::{Prepared, encode_train_ids};
use ndarray::{Array3, ArrayView2, ArrayView3};
use shared::confusion::{Confusion, LabelAgreement};
use shared::digest;
use shared::manifest::{Predictions, Quality};
use shared::warning::ItemWarning;

use super::{EvaluationError, figure};
use engine::EngineError;
use engine::segmentation_network::SegmentationNetwork;

/// A segmenter, and when it doubts a label.
pub struct LabelEvaluator {
    network: SegmentationNetwork,
    min_agreement: Option<f64>,
    /// The content that was looked at last: outputs of one follow each other.
    content: Option<Predicted>,
}

/// An image, and the train ids that were predicted for it.
struct Predicted {
    image: Array3<u8>,
    train_ids: Vec<u8>,
}

/// What was predicted for a doubtful output and for its content, each as a PNG of train ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionPictures {
    /// For the output.
    pub output: Vec<u8>,
    /// For its content.
    pub content: Vec<u8>,
}

impl LabelEvaluator {
    /// Returns a segmenter that finds outputs doubtful which keep less than a share of their content's own agreement with
    /// the label; none without a share.
    #[must_use]
    pub fn new(network: SegmentationNetwork, min_agreement: Option<f64>) -> Self {
        Self {
            network,
            min_agreement,
            content: None,
        }
    }

    /// Adds to the figures of an output of its content's size how far it agrees with the label; returns what was predicted if
    /// it is doubtful. Where the network gives no classes for one of both, there is a warning in place of figures.
    pub(super) fn evaluate(
        &mut self,
        content: &Prepared,
        output: ArrayView3<'_, u8>,
        quality: &mut Quality,
        warnings: &mut Vec<ItemWarning>,
    ) -> Result<Option<PredictionPictures>, EvaluationError> {
        let Some(predicted) = figure(self.network.predict(output), warnings)? else {
            return Ok(None);
        };
        let of_content = of_content(&mut self.network, &mut self.content, content);
        let Some(of_content) = figure(of_content, warnings)? else {
            return Ok(None);
        };
        let label: Vec<u8> = content.label.iter().copied().collect();
        let agreement = LabelAgreement {
            output: Confusion::of(&label, &predicted),
            content: Confusion::of(&label, of_content),
        };
        quality.is_doubtful = self
            .min_agreement
            .is_some_and(|least| agreement.is_doubtful(least));
        quality.agreement = Some(agreement);
        if !quality.is_doubtful {
            return Ok(None);
        }
        let size = content.label.dim();
        let pictures = PredictionPictures {
            output: picture(&predicted, size)?,
            content: picture(of_content, size)?,
        };
        quality.predictions = Some(Predictions {
            output_sha256: digest::sha256(&pictures.output),
            content_sha256: digest::sha256(&pictures.content),
        });
        Ok(Some(pictures))
    }
}

/// Returns what a network predicts for a content. It is asked once for all outputs of it that follow each other: the same
/// pixels have the same prediction.
fn of_content<'a>(
    network: &mut SegmentationNetwork,
    last: &'a mut Option<Predicted>,
    content: &Prepared,
) -> Result<&'a [u8], EngineError> {
    let known = last.take().filter(|last| last.image == content.image);
    let predicted = match known {
        Some(known) => known,
        None => Predicted {
            train_ids: network.predict(content.image.view())?,
            image: content.image.clone(),
        },
    };
    Ok(&last.insert(predicted).train_ids)
}

fn picture(train_ids: &[u8], size: (usize, usize)) -> Result<Vec<u8>, EvaluationError> {
    let train_ids = ArrayView2::from_shape(size, train_ids);
    let train_ids = train_ids.expect("each pixel has a prediction");
    encode_train_ids(train_ids).map_err(EvaluationError::Prediction)
}
