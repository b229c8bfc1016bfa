//! The items of one content: what is missing of them is made, one style after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::failure::FailureClass;
use shared::making::ContentDigests;
use tokio::sync::OnceCell;

use super::rows::RowMaker;
use super::styles::{RecordedStyle, Recording, UsableStyle};
use super::{Attempt, AttemptError, InputKind, LoadedInput, Quarantine};

/// A content whose items are being made.
pub(super) struct InHand<'a> {
    pub(super) listing: &'a DatasetEntry,
    pub(super) loaded: Arc<LoadedInput>,
    /// Its label as it is stored.
    pub(super) label: Bytes,
    pub(super) digests: ContentDigests,
    pub(super) label_is_stored: OnceCell<()>,
}

impl<'a> InHand<'a> {
    /// Returns a content in hand; none if it has no label that could be stored.
    fn new(listing: &'a DatasetEntry, loaded: Arc<LoadedInput>) -> Option<Self> {
        let label = Bytes::from(loaded.prepared.stored_label.clone()?);
        Some(Self {
            digests: ContentDigests {
                image_sha256: loaded.image_sha256.clone(),
                label_sha256: digest::sha256(&label),
            },
            label_is_stored: OnceCell::new(),
            label,
            listing,
            loaded,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.listing.name()
    }
}

impl Attempt<'_> {
    /// Makes the items of a content.
    pub(super) async fn make_items(
        &self,
        listing: &DatasetEntry,
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        let styles = rows.wanted(listing.name(), &self.planned.styles);
        if styles.is_empty() {
            return Ok(());
        }
        rows.begin_content();
        let loaded = match self.load(InputKind::Content, listing).await? {
            Ok(loaded) => Arc::new(loaded),
            Err(why) => {
                for style in styles {
                    rows.quarantined(listing.name(), style.name(), &why);
                }
                return Ok(());
            }
        };
        let Some(content) = InHand::new(listing, loaded) else {
            let why = Quarantine {
                class: FailureClass::BadInput,
                reason: format!("{} has no label that could be stored", listing.name()),
            };
            for style in styles {
                rows.quarantined(listing.name(), style.name(), &why);
            }
            return Ok(());
        };
        if let Some(why) = self.other_content(&content, rows).await? {
            for style in styles {
                rows.quarantined(content.name(), style.name(), &why);
            }
            return Ok(());
        }
        let label_key = ArtifactKey::Label(self.run().clone(), content.name().to_owned());
        rows.check_label(content.name(), &label_key, &content.digests.label_sha256)?;
        let styles = self.with_class_maps(content.name(), styles, rows).await?;
        let missing = self.find_stored(&content, &styles, rows).await?;
        let mut usable = Vec::new();
        for style in missing {
            if self.stop.load(Ordering::Relaxed) {
                return Err(AttemptError::ToldToStop);
            }
            let recording = match self.record_style(style).await? {
                RecordedStyle::Now(recording) => recording,
                RecordedStyle::Before => Recording::default(),
                RecordedStyle::Unusable(why) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            usable.push(UsableStyle {
                listing: style,
                recording,
            });
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(AttemptError::ToldToStop);
        }
        self.convert(&content, &usable, rows).await
    }
}
