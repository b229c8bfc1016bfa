//! What is stored of an item: its image, the label of its content, and what was predicted where that is doubtful.

use bytes::Bytes;
use imaging::resize::Size;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::ids::ItemId;
use shared::manifest::{Output, Predictions};
use shared::storage::{StorageError, StorageErrorKind};

use super::content::InHand;
use super::rows::{RowMaker, item_of};
use super::{Attempt, AttemptError, Quarantine, repair};
use crate::evaluation::{Evaluation, PredictionPictures};

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
    ///
    /// A prediction that is there already was made for the same item, and by another device if it is another one: it is kept,
    /// and the row speaks of it.
    pub(super) async fn store_predictions(
        &self,
        content: &InHand<'_>,
        style: &DatasetEntry,
        evaluation: &mut Evaluation,
        rows: &RowMaker<'_>,
    ) -> Result<Result<(), Quarantine>, AttemptError> {
        let item = item_of(content.name(), style.name());
        let pictures = evaluation.predictions.take();
        if let Some(expected) = rows.expected_predictions(&item) {
            return self.restore_predictions(&item, pictures, expected).await;
        }
        let digests = &mut evaluation.quality.predictions;
        let (Some(pictures), Some(digests)) = (pictures, digests) else {
            return Ok(Ok(()));
        };
        let [of_content, of_output] = self.prediction_keys(&item);
        for (key, png, sha256) in [
            (of_content, pictures.content, &mut digests.content_sha256),
            (of_output, pictures.output, &mut digests.output_sha256),
        ] {
            match self.store_prediction(&key, Bytes::from(png)).await {
                Ok(Some(of_stored)) => *sha256 = of_stored,
                Ok(None) => {}
                Err(error) => return AttemptError::from(error).of_item().map(Err),
            }
        }
        Ok(Ok(()))
    }

    /// Stores a prediction unless there is one that can be read; returns the digest of that.
    async fn store_prediction(
        &self,
        key: &ArtifactKey,
        png: Bytes,
    ) -> Result<Option<String>, StorageError> {
        let conflict = match self.storage.create(key, png).await {
            Ok(_) => return Ok(None),
            Err(error) if error.kind == StorageErrorKind::Conflict => error,
            Err(error) => return Err(error),
        };
        // Who stored it may have been killed before it survived a crash of the machine, and the commit will speak of it.
        self.storage.settle(key).await?;
        let there = self.storage.read(key).await?;
        let size = Size {
            width: self.context.size.width,
            height: self.context.size.height,
        };
        let digest_of = move || {
            let is_kept = imaging::is_prediction(&there, size);
            is_kept.then(|| digest::sha256(&there))
        };
        match shared::blocking::run(digest_of).await {
            Some(sha256) => Ok(Some(sha256)),
            None => Err(conflict),
        }
    }

    /// Stores those predictions of a committed row that are gone, if they came out as it says.
    async fn restore_predictions(
        &self,
        item: &ItemId,
        pictures: Option<PredictionPictures>,
        expected: Option<&Predictions>,
    ) -> Result<Result<(), Quarantine>, AttemptError> {
        let keys = self.prediction_keys(item);
        let Some(expected) = expected else {
            return match pictures {
                Some(made) => repair::check(
                    Some("that there is none"),
                    &keys[0],
                    &digest::sha256(&made.content),
                )
                .map(Ok),
                None => Ok(Ok(())),
            };
        };
        let digests = [&expected.content_sha256, &expected.output_sha256];
        let made = pictures.map(|made| [made.content, made.output].map(Bytes::from));
        let mut gone = Vec::new();
        for (at, (key, committed)) in keys.into_iter().zip(digests).enumerate() {
            if self.has(&key, committed).await? {
                continue;
            }
            let Some(png) = made.as_ref().map(|made| made[at].clone()) else {
                return Err(AttemptError::Undoubted {
                    path: key.path(),
                    committed: committed.clone(),
                });
            };
            repair::check(Some(committed.as_str()), &key, &digest::sha256(&png))?;
            gone.push((key, png));
        }
        for (key, png) in gone {
            if let Err(error) = self.storage.create(&key, png).await {
                return AttemptError::from(error).of_item().map(Err);
            }
        }
        Ok(Ok(()))
    }

    /// Returns whether an object is stored with a digest.
    async fn has(&self, key: &ArtifactKey, sha256: &str) -> Result<bool, StorageError> {
        match self.storage.read(key).await {
            Ok(there) => Ok(digest::sha256(&there) == sha256),
            Err(error) if error.kind == StorageErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the keys of what was predicted for the content of an item, and for its output.
    fn prediction_keys(&self, item: &ItemId) -> [ArtifactKey; 2] {
        [
            ArtifactKey::ContentPrediction(self.run().clone(), item.clone()),
            ArtifactKey::OutputPrediction(self.run().clone(), item.clone()),
        ]
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
