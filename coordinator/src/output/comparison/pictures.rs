//! The pictures of a comparison: what its runs are made from, as their methods see it, and what came out.

use std::sync::Arc;

use image::RgbImage;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::ids::ItemId;
use shared::model::ImageSize;
use shared::source::{self, Source};
use shared::storage::Storage;

use super::{Column, ShownItem};
use crate::output::contact_sheet::{Unshown, input_image, output_image, size_of};
use crate::run::freeze::FrozenRun;

/// The pictures of a comparison. A warning names each that cannot be read, however often it is shown.
#[derive(Debug)]
pub struct Pictures<'a> {
    storage: &'a dyn Storage,
    run: &'a FrozenRun,
    contents: Option<Arc<dyn Source>>,
    styles: Option<Arc<dyn Source>>,
    unshown: Unshown,
}

impl<'a> Pictures<'a> {
    /// Opens the datasets of the first run that has begun; nothing if none has. One that cannot be opened shows nothing.
    pub async fn open(storage: &'a dyn Storage, columns: &'a [Column<'_>]) -> Option<Self> {
        let run = columns.iter().find_map(|column| column.run.as_ref())?;
        let inputs = &run.record.inputs;
        let unshown = Unshown::default();
        Some(Self {
            storage,
            run,
            contents: unshown.shown(source::open(&inputs.content).await),
            styles: unshown.shown(source::open(&inputs.style).await),
            unshown,
        })
    }

    /// Returns the size of what is shown.
    pub(super) fn size(&self) -> ImageSize {
        size_of(&self.run.record.frozen.model)
    }

    /// Returns a content as the method sees it; none if it cannot be read.
    pub(super) async fn content(&self, name: &str) -> Option<RgbImage> {
        let listing = named(&self.run.plan.contents, name)?;
        let classes = self.run.record.frozen.content.classes.as_ref();
        let contents = self.contents.as_deref()?;
        let image = input_image(contents, listing, classes, self.size()).await;
        self.unshown.shown(image)
    }

    /// Returns a style as the method sees it; none if it cannot be read.
    pub(super) async fn style(&self, name: &str) -> Option<RgbImage> {
        let listing = named(&self.run.plan.styles, name)?;
        let classes = self.run.record.frozen.style_classes.as_ref();
        let styles = self.styles.as_deref()?;
        let image = input_image(styles, listing, classes, self.size()).await;
        self.unshown.shown(image)
    }

    /// Returns what a run made of an item; none if it has made nothing of it, or that cannot be read.
    pub(super) async fn output(
        &self,
        column: &Column<'_>,
        item: ShownItem<'_>,
    ) -> Option<RgbImage> {
        let record = &column.run.as_ref()?.record;
        let item = ItemId {
            style: item.style.to_owned(),
            content: item.content.to_owned(),
        };
        let key = ArtifactKey::Image(record.run.clone(), item);
        let image = output_image(self.storage, &key, &record.frozen.model).await;
        self.unshown.shown(image).flatten()
    }
}

fn named<'a>(listings: &'a [DatasetEntry], name: &str) -> Option<&'a DatasetEntry> {
    listings.iter().find(|listing| listing.name() == name)
}
