//! What is stored of an item: its image, the label of its content, and what was predicted where that is doubtful.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::manifest::{Output, Predictions};
use shared::storage::StorageErrorKind;

use super::content::InHand;
use super::rows::{RowMaker, item_of};
use super::{Attempt, AttemptError, Quarantine};
use crate::evaluation::Evaluation;

impl Attempt<'_> {
    /// Stores the label of a content in hand, once: it is there before any of its images, and not without one. Returns why
    /// its items are quarantined if it cannot be.
    pub(super) async fn store_label(
        &self,
        content: &InHand<'_>,
        rows: &RowMaker<'_>,
    ) -> Result<Result<(), Quarantine>, AttemptError> {
        let store = || async {
            let key = ArtifactKey::Label(self.run().clone(), content.name().to_owned());
            self.storage
                .create(&key, content.label.clone())
                .await
                .map(drop)
        };
        match content.label_is_stored.get_or_try_init(store).await {
            Ok(()) => Ok(Ok(())),
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                self.other_label(content, rows, error).map(Err)
            }
            Err(error) => AttemptError::from(error).of_item().map(Err),
        }
    }

    /// Stores what was predicted for an item and for its content, if it is doubtful: before its row speaks of them, and after
    /// the image, of which is noted what it was made from. Returns why the item is quarantined if they cannot be stored.
    pub(super) async fn store_predictions(
        &self,
        content: &InHand<'_>,
        style: &DatasetEntry,
        evaluation: &mut Evaluation,
        rows: &RowMaker<'_>,
    ) -> Result<Result<(), Quarantine>, AttemptError> {
        let digests = &evaluation.quality.predictions;
        let (Some(pictures), Some(digests)) = (evaluation.predictions.take(), digests) else {
            return Ok(Ok(()));
        };
        let Predictions {
            output_sha256,
            content_sha256,
        } = digests;
        let item = item_of(content.name(), style.name());
        let of_content =
            ArtifactKey::ContentPrediction(self.run().clone(), content.name().to_owned());
        let of_output = ArtifactKey::OutputPrediction(self.run().clone(), item.clone());
        rows.check_prediction(&item, &of_content, content_sha256, |of| &of.content_sha256)?;
        rows.check_prediction(&item, &of_output, output_sha256, |of| &of.output_sha256)?;
        for (key, png) in [(of_content, pictures.content), (of_output, pictures.output)] {
            if let Err(error) = self.storage.create(&key, Bytes::from(png)).await {
                return AttemptError::from(error).of_item().map(Err);
            }
        }
        Ok(Ok(()))
    }

    /// Returns the key of an item's image.
    pub(super) fn image_key(&self, content: &str, style: &str) -> ArtifactKey {
        ArtifactKey::Image(self.run().clone(), item_of(content, style))
    }

    /// Returns what an item's row says of its output.
    pub(super) fn output(
        &self,
        content: &InHand<'_>,
        style: &DatasetEntry,
        image_sha256: String,
    ) -> Output {
        Output {
            image_key: self.image_key(content.name(), style.name()).path(),
            label_key: ArtifactKey::Label(self.run().clone(), content.name().to_owned()).path(),
            width: self.context.size.width as u32,
            height: self.context.size.height as u32,
            image_sha256,
            label_sha256: content.digests.label_sha256.clone(),
        }
    }
}
