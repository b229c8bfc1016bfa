//! Inputs out of the datasets of a run.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use shared::failure::FailureClass;
use shared::listing::Listing;
use shared::source::Source;
use shared::storage::StorageErrorKind;

use super::ports::{InputKind, Inputs, LoadedInput, Quarantine, Unusable};
use crate::dataset::{self, ImageSize, LabelNeed, LoadError};

/// A run's datasets.
#[derive(Debug)]
pub struct Datasets {
    /// The contents.
    pub content: Arc<dyn Source>,
    /// The styles.
    pub style: Arc<dyn Source>,
    /// The model's sizes.
    pub size: ImageSize,
}

#[async_trait]
impl Inputs for Datasets {
    async fn load(&self, kind: InputKind, listing: &Listing) -> Result<LoadedInput, Unusable> {
        let (source, need) = match kind {
            InputKind::Content => (&self.content, LabelNeed::Required),
            // A plan has styles without a label where the method uses none.
            InputKind::Style => (&self.style, LabelNeed::Optional),
        };
        let started = Instant::now();
        let loaded = dataset::load(source.as_ref(), listing, need, self.size).await;
        let loaded = loaded.map_err(|error| match error {
            LoadError::Read(error) => match error.kind {
                StorageErrorKind::NotFound | StorageErrorKind::Denied => bad_input(&error),
                StorageErrorKind::Unavailable
                | StorageErrorKind::Full
                | StorageErrorKind::Conflict => Unusable::Transient(error.into()),
            },
            LoadError::Input(_) => bad_input(&error),
        })?;
        Ok(LoadedInput {
            name: listing.name.clone(),
            prepared: loaded.prepared,
            image_sha256: loaded.image_sha256,
            elapsed: started.elapsed(),
        })
    }
}

fn bad_input(error: &(dyn std::error::Error + 'static)) -> Unusable {
    Unusable::Quarantine(Quarantine::of(error, FailureClass::BadInput))
}
