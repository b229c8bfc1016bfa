//! Other runs of the same items, whose outputs a contact sheet shows beneath those of its run.

use std::collections::BTreeSet;

use image::RgbImage;
use imaging::LoadError;
use shared::artifact::ArtifactKey;
use shared::ids::ItemId;
use shared::storage::{Storage, StorageError};

use super::output_image;
use crate::run::freeze::FrozenRun;
use crate::run::stored_items::StoredItems;

/// Another run, as a contact sheet shows it.
#[derive(Debug)]
pub struct Beside<'a> {
    /// What it is called there.
    pub label: String,
    /// Where it is stored.
    pub storage: &'a dyn Storage,
    /// The run.
    pub run: &'a FrozenRun,
}

/// Such a run with the items of which it has images.
pub(super) struct Other<'a> {
    beside: &'a Beside<'a>,
    items: BTreeSet<ItemId>,
}

impl<'a> Other<'a> {
    pub(super) async fn read(beside: &'a Beside<'a>) -> Result<Self, StorageError> {
        let stored = StoredItems::read(beside.storage, beside.run).await?;
        let items = stored.images().map(|item| beside.run.plan.item(item));
        Ok(Self {
            beside,
            items: items.collect(),
        })
    }

    pub(super) fn label(&self) -> &str {
        &self.beside.label
    }

    pub(super) fn has(&self, item: &ItemId) -> bool {
        self.items.contains(item)
    }

    /// Returns what the run made of an item; none if it has made nothing of it.
    ///
    /// # Errors
    ///
    /// [`LoadError`] naming the output.
    pub(super) async fn output(&self, item: ItemId) -> Result<Option<RgbImage>, LoadError> {
        if !self.has(&item) {
            return Ok(None);
        }
        let Beside { storage, run, .. } = self.beside;
        let key = ArtifactKey::Image(run.record.run.clone(), item);
        output_image(*storage, &key, &run.record.frozen.model).await
    }
}
