//! What the runs of a comparison are made from, as their methods see it.

use std::sync::Arc;

use image::RgbImage;
use shared::dataset::entry::DatasetEntry;
use shared::model::ImageSize;
use shared::source::{self, Source};

use super::Column;
use crate::output::contact_sheet::{input_image, size_of};
use crate::run::freeze::FrozenRun;

/// The datasets of a comparison, as one of its runs has them.
pub(super) struct Inputs<'a> {
    run: &'a FrozenRun,
    contents: Option<Arc<dyn Source>>,
    styles: Option<Arc<dyn Source>>,
}

impl<'a> Inputs<'a> {
    /// Opens the datasets of the first run that has begun; nothing if none has. One that cannot be opened shows nothing.
    pub(super) async fn open(columns: &'a [Column<'_>]) -> Option<Self> {
        let run = columns.iter().find_map(|column| column.run.as_ref())?;
        let inputs = &run.record.inputs;
        Some(Self {
            run,
            contents: source::open(&inputs.content).await.ok(),
            styles: source::open(&inputs.style).await.ok(),
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
        input_image(contents, listing, classes, self.size()).await
    }

    /// Returns a style as the method sees it; none if it cannot be read.
    pub(super) async fn style(&self, name: &str) -> Option<RgbImage> {
        let listing = named(&self.run.plan.styles, name)?;
        let classes = self.run.record.frozen.style_classes.as_ref();
        let styles = self.styles.as_deref()?;
        input_image(styles, listing, classes, self.size()).await
    }
}

fn named<'a>(listings: &'a [DatasetEntry], name: &str) -> Option<&'a DatasetEntry> {
    listings.iter().find(|listing| listing.name() == name)
}
