//! What is stored of an item: its image, and the label of its content.

use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::manifest::Output;
use shared::storage::StorageErrorKind;

use super::content::InHand;
use super::rows::{RowMaker, item_of};
use super::{Attempt, AttemptError, Quarantine};

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
