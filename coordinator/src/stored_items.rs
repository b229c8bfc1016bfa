//! Which images and labels of a run are stored, as sets of positions in its plan: a bit for each item. An object without
//! a byte is none.

use std::collections::{BTreeSet, HashMap};

use futures::TryStreamExt;
use shared::artifact::ArtifactPrefix;
use shared::storage::{Storage, StorageError};

use crate::freeze::FrozenRun;
use crate::plan::Plan;

/// Which artifacts of a run are stored.
pub struct StoredItems {
    num_contents: usize,
    images: Vec<bool>,
    labels: Vec<bool>,
    /// Number of images stored.
    pub num_images: usize,
    /// Items in the place of whose images is an object without a byte.
    empty: BTreeSet<(usize, usize)>,
    /// Objects among the images that no item of the plan is stored as.
    pub strays: Vec<String>,
}

/// Positions of names.
struct Positions<'a>(HashMap<&'a str, usize>);

impl<'a> Positions<'a> {
    fn of(listings: &'a [shared::listing::Listing]) -> Self {
        Self(
            listings
                .iter()
                .enumerate()
                .map(|(i, listing)| (listing.name(), i))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

impl StoredItems {
    /// Lists what is stored, page by page.
    ///
    /// # Errors
    ///
    /// If storage cannot be listed.
    pub async fn read(storage: &dyn Storage, run: &FrozenRun) -> Result<Self, StorageError> {
        let (id, plan) = (&run.record.run, &run.plan);
        let mut stored = Self {
            num_contents: plan.contents.len(),
            images: vec![false; plan.styles.len() * plan.contents.len()],
            labels: vec![false; plan.contents.len()],
            num_images: 0,
            empty: BTreeSet::new(),
            strays: Vec::new(),
        };
        let styles = Positions::of(&plan.styles);
        let contents = Positions::of(&plan.contents);
        let prefix = ArtifactPrefix::Images(id.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let name = object.path.strip_prefix(&prefix.path());
                let name = name.and_then(|name| name.strip_suffix(".png"));
                let parts = name.and_then(|name| name.split_once('/'));
                let item = parts.and_then(|(style, content)| {
                    Some((styles.get(style)?, contents.get(content)?))
                });
                match item {
                    Some(item) if object.size_bytes == 0 => {
                        stored.empty.insert(item);
                    }
                    Some((style, content)) => {
                        let place = stored.place(style, content);
                        stored.images[place] = true;
                        stored.num_images += 1;
                    }
                    None => stored.strays.push(object.path),
                }
            }
        }
        let prefix = ArtifactPrefix::Labels(id.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let name = object.path.strip_prefix(&prefix.path());
                let name = name.and_then(|name| name.strip_suffix(".png"));
                if let Some(content) = name.and_then(|name| contents.get(name)) {
                    stored.labels[content] = object.size_bytes > 0;
                }
            }
        }
        Ok(stored)
    }

    fn place(&self, style: usize, content: usize) -> usize {
        style * self.num_contents + content
    }

    /// Returns whether an item's image is stored.
    #[must_use]
    pub fn has_image(&self, (style, content): (usize, usize)) -> bool {
        self.images[self.place(style, content)]
    }

    /// Returns whether a content's label is stored.
    #[must_use]
    pub fn has_label(&self, content: usize) -> bool {
        self.labels[content]
    }

    /// Takes an item's image out of the set, as one that is accounted for.
    pub fn account_for(&mut self, (style, content): (usize, usize)) {
        let place = self.place(style, content);
        self.images[place] = false;
        self.empty.remove(&(style, content));
    }

    /// Returns the items whose images are still in the set.
    pub fn images<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (usize, usize)> + 'a {
        let width = plan.contents.len().max(1);
        let set = self
            .images
            .iter()
            .enumerate()
            .filter(|(_, stored)| **stored);
        set.map(move |(place, _)| (place / width, place % width))
    }

    /// Returns the items that are not accounted for and have an object without a byte in the place of their images.
    pub fn empty(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.empty.iter().copied()
    }
}
