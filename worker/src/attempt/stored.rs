//! Images that earlier attempts stored: those that can be kept get their rows.

use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::storage::StorageErrorKind;

use super::content::InHand;
use super::rows::{RowMaker, Stored};
use super::{Attempt, AttemptError, Stage};

impl Attempt<'_> {
    /// Gives what earlier attempts stored in some styles their rows, and returns those whose images are missing.
    pub(super) async fn find_stored<'s>(
        &self,
        content: &InHand<'_>,
        styles: &[&'s DatasetEntry],
        rows: &mut RowMaker<'_>,
    ) -> Result<Vec<&'s DatasetEntry>, AttemptError> {
        let mut missing = Vec::new();
        for &style in styles {
            self.progress.begin(Stage::Store);
            let key = self.image_key(content.name(), style.name());
            let image = match self.storage.read(&key).await {
                // What trouble left of an image is none: it is made again in its place.
                Ok(image) if image.is_empty() => {
                    missing.push(style);
                    continue;
                }
                Ok(image) => image,
                Err(error) if error.kind == StorageErrorKind::NotFound => {
                    missing.push(style);
                    continue;
                }
                Err(error) => {
                    let why = AttemptError::from(error).of_item()?;
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            let sha256 = digest::sha256(&image);
            // It is not known what it was made from: it is made again, and storage compares both.
            if !self.is_known(content, style, &sha256, rows) {
                missing.push(style);
                continue;
            }
            // Who stored it may have been killed before it survived a crash of the machine, and the commit will speak of it.
            self.storage.settle(&key).await?;
            if let Err(why) = self.store_label(content, rows).await? {
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            let output = self.output(content, style, sha256);
            let mut evaluation = match self.evaluate(&content.loaded, &key, image).await {
                Ok(Ok(evaluation)) => evaluation,
                Ok(Err(why)) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
                // A damaged one is made again, and refused by storage with its name: nothing stored is rewritten.
                Err(error) if error.is_damaged_output() => {
                    missing.push(style);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let predictions = self.store_predictions(content, style, &mut evaluation, rows);
            if let Err(why) = predictions.await? {
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            let mut warnings = self.warnings_of_stored(&content.loaded, style).await?;
            warnings.extend(evaluation.warnings);
            let stored = Stored {
                output,
                quality: evaluation.quality,
                work: None,
                warnings,
            };
            rows.done(&content.loaded, style.name(), stored);
        }
        Ok(missing)
    }
}
