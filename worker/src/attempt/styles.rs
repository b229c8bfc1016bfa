//! The styles of a content's outputs: each is recorded once, for the first content that meets it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::dataset::entry::DatasetEntry;
use shared::failure::FailureClass;
use shared::warning::ItemWarning;

use super::{Attempt, AttemptError, LoadedInput, Quarantine, Stage};

/// Whether outputs can be made in a style.
pub(super) enum RecordedStyle {
    /// It was recorded just now.
    Now(Recording),
    /// It had been recorded for an earlier content.
    Before,
    /// It cannot be recorded, and its items are quarantined.
    Unusable(Quarantine),
}

/// What the recording of a style took. Nothing where it had been recorded before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recording {
    /// UNet evaluations.
    pub(super) evaluations: u64,
    pub(super) elapsed: Duration,
}

/// A style that is recorded.
pub(super) struct UsableStyle<'a> {
    pub(super) listing: &'a DatasetEntry,
    /// Its recording, which the first item of the style accounts for; nothing at all others.
    pub(super) recording: Recording,
}

impl UsableStyle<'_> {
    pub(super) fn name(&self) -> &str {
        self.listing.name()
    }
}

impl Attempt<'_> {
    /// Records a style unless it has been.
    pub(super) async fn record_style(
        &self,
        style: &DatasetEntry,
    ) -> Result<RecordedStyle, AttemptError> {
        let backend = &self.context.backend;
        if backend.has_style(style.name()).await? {
            return Ok(RecordedStyle::Before);
        }
        let loaded = match self.load_style(style).await? {
            Ok(loaded) => loaded,
            Err(why) => return Ok(RecordedStyle::Unusable(why)),
        };
        self.progress.begin(Stage::StyleStep);
        let (progress, started) = (Arc::clone(&self.progress), Instant::now());
        match backend.record_style(loaded, progress).await {
            Ok(evaluations) => Ok(RecordedStyle::Now(Recording {
                evaluations,
                elapsed: started.elapsed(),
            })),
            Err(error) if error.class() == FailureClass::BadOutput => {
                Ok(RecordedStyle::Unusable(error.into_quarantine()))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the warnings of an item that an earlier attempt stored, so that its row says what that attempt's would.
    pub(super) async fn warnings_of_stored(
        &self,
        content: &Arc<LoadedInput>,
        style: &DatasetEntry,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        match self.load_style(style).await? {
            Ok(style) => {
                let backend = &self.context.backend;
                backend.warnings(Arc::clone(content), style).await
            }
            // The image is there: that its style cannot be read any more says nothing about it.
            Err(_) => Ok(Vec::new()),
        }
    }
}
