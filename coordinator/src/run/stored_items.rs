//! Which images, labels, predictions and class maps of a run are stored, as sets of items of its plan. An object without a
//! byte is none.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use futures::TryStreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::storage::{Storage, StorageError};

use crate::run::freeze::FrozenRun;
use crate::run::plan::Plan;

/// Which artifacts of a run are stored.
pub struct StoredItems {
    planned: Planned,
    /// Whether the image of each planned item is stored, by its place.
    images: Vec<bool>,
    labels: Vec<bool>,
    /// Whether the prediction of each planned item's output is stored, by its place; nothing of a run that has none.
    output_predictions: Vec<bool>,
    /// The same of what was predicted for its content.
    content_predictions: Vec<bool>,
    /// Whether the class map of each style is stored; nothing of a run that has none.
    priors: Vec<bool>,
    /// Number of images stored.
    pub num_images: usize,
    /// Items in the place of whose images is an object without a byte.
    empty: BTreeSet<(usize, usize)>,
    /// Objects among the images that no item of the plan is stored as.
    pub orphans: Vec<String>,
}

/// The planned items in the order of their styles and contents, each with a place. There may be far fewer of them than
/// styles times contents.
struct Planned {
    /// The contents of each style, one style after the other, each in rising order.
    contents: Vec<usize>,
    /// Which of them each style has.
    of_style: Vec<Range<usize>>,
}

impl Planned {
    fn of(plan: &Plan) -> Self {
        let mut counts = vec![0; plan.styles.len()];
        for shard in &plan.shards {
            for &style in &shard.styles {
                counts[style] += shard.contents.len();
            }
        }
        let mut end = 0;
        let ranges = counts.iter().map(|count| {
            let start = end;
            end += count;
            start..end
        });
        let of_style: Vec<Range<usize>> = ranges.collect();
        let mut contents = vec![0; end];
        let mut next: Vec<usize> = of_style.iter().map(|range| range.start).collect();
        for (style, content) in plan.shards.iter().flat_map(crate::run::plan::Shard::items) {
            contents[next[style]] = content;
            next[style] += 1;
        }
        for range in &of_style {
            contents[range.clone()].sort_unstable();
        }
        Self { contents, of_style }
    }

    /// Returns the place of an item; nothing if it is not planned.
    fn place(&self, (style, content): (usize, usize)) -> Option<usize> {
        let range = self.of_style.get(style)?.clone();
        let found = self.contents[range.clone()].binary_search(&content);
        found.ok().map(|at| range.start + at)
    }

    /// Returns the items in the order of their places.
    fn items(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let styles = self.of_style.iter().enumerate();
        styles.flat_map(|(style, range)| {
            let contents = self.contents[range.clone()].iter();
            contents.map(move |&content| (style, content))
        })
    }
}

/// Positions of names.
struct Positions<'a>(HashMap<&'a str, usize>);

impl<'a> Positions<'a> {
    fn of(listings: &'a [shared::dataset::entry::DatasetEntry]) -> Self {
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
        let planned = Planned::of(plan);
        let mut stored = Self {
            images: vec![false; planned.contents.len()],
            planned,
            labels: vec![false; plan.contents.len()],
            output_predictions: Vec::new(),
            content_predictions: Vec::new(),
            priors: Vec::new(),
            num_images: 0,
            empty: BTreeSet::new(),
            orphans: Vec::new(),
        };
        let styles = Positions::of(&plan.styles);
        let contents = Positions::of(&plan.contents);
        let prefix = ArtifactPrefix::Images(id.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let item = match ArtifactKey::parse(&object.path) {
                    Some(ArtifactKey::Image(_, item)) => Some(item),
                    Some(_) | None => None,
                };
                let item = item.and_then(|item| {
                    let item = (styles.get(&item.style)?, contents.get(&item.content)?);
                    Some((item, stored.planned.place(item)?))
                });
                match item {
                    Some((item, _)) if object.size_bytes == 0 => {
                        stored.empty.insert(item);
                    }
                    Some((_, place)) => {
                        stored.images[place] = true;
                        stored.num_images += 1;
                    }
                    None => stored.orphans.push(object.path),
                }
            }
        }
        let prefix = ArtifactPrefix::Labels(id.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                if let Some(ArtifactKey::Label(_, name)) = ArtifactKey::parse(&object.path)
                    && let Some(content) = contents.get(&name)
                {
                    stored.labels[content] = object.size_bytes > 0;
                }
            }
        }
        if run.has_predictions() {
            stored
                .read_predictions(storage, run, (&styles, &contents))
                .await?;
        }
        if run.has_class_maps() {
            stored.read_priors(storage, run, &styles).await?;
        }
        Ok(stored)
    }

    async fn read_priors(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        styles: &Positions<'_>,
    ) -> Result<(), StorageError> {
        self.priors = vec![false; run.plan.styles.len()];
        let prefix = ArtifactPrefix::Priors(run.record.run.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page.into_iter().filter(|object| object.size_bytes > 0) {
                if let Some(ArtifactKey::Prior(_, name)) = ArtifactKey::parse(&object.path)
                    && let Some(style) = styles.get(&name)
                {
                    self.priors[style] = true;
                }
            }
        }
        Ok(())
    }

    async fn read_predictions(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        (styles, contents): (&Positions<'_>, &Positions<'_>),
    ) -> Result<(), StorageError> {
        self.output_predictions = vec![false; self.images.len()];
        self.content_predictions = vec![false; self.images.len()];
        let prefix = ArtifactPrefix::Predictions(run.record.run.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page.into_iter().filter(|object| object.size_bytes > 0) {
                let (stored, item) = match ArtifactKey::parse(&object.path) {
                    Some(ArtifactKey::OutputPrediction(_, item)) => {
                        (&mut self.output_predictions, item)
                    }
                    Some(ArtifactKey::ContentPrediction(_, item)) => {
                        (&mut self.content_predictions, item)
                    }
                    // An audit tells what else is there.
                    Some(_) | None => continue,
                };
                let item = styles.get(&item.style).zip(contents.get(&item.content));
                if let Some(place) = item.and_then(|item| self.planned.place(item)) {
                    stored[place] = true;
                }
            }
        }
        Ok(())
    }

    /// Returns whether the prediction of an item's output is stored.
    #[must_use]
    pub fn has_output_prediction(&self, item: (usize, usize)) -> bool {
        self.is_among(&self.output_predictions, item)
    }

    /// Returns whether the prediction of an item's content is stored.
    #[must_use]
    pub fn has_content_prediction(&self, item: (usize, usize)) -> bool {
        self.is_among(&self.content_predictions, item)
    }

    fn is_among(&self, stored: &[bool], item: (usize, usize)) -> bool {
        let place = self.planned.place(item);
        let stored = place.and_then(|place| stored.get(place));
        stored.is_some_and(|&is_stored| is_stored)
    }

    /// Returns whether an item's image is stored.
    #[must_use]
    pub fn has_image(&self, item: (usize, usize)) -> bool {
        let place = self.planned.place(item);
        place.is_some_and(|place| self.images[place])
    }

    /// Returns whether a content's label is stored.
    #[must_use]
    pub fn has_label(&self, content: usize) -> bool {
        self.labels[content]
    }

    /// Returns whether a style's class map is stored.
    #[must_use]
    pub fn has_prior(&self, style: usize) -> bool {
        self.priors.get(style).is_some_and(|&is_stored| is_stored)
    }

    /// Returns whether any class map is stored.
    #[must_use]
    pub fn has_priors(&self) -> bool {
        self.priors.contains(&true)
    }

    /// Takes an item's image out of the set, as one that is accounted for.
    pub fn account_for(&mut self, item: (usize, usize)) {
        if let Some(place) = self.planned.place(item) {
            self.images[place] = false;
        }
        self.empty.remove(&item);
    }

    /// Returns the items whose images are still in the set.
    pub fn images(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let items = self.planned.items().zip(&self.images);
        items.filter_map(|(item, &stored)| stored.then_some(item))
    }

    /// Returns the items that are not accounted for and have an object without a byte in the place of their images.
    pub fn empty(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.empty.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::ShardId;

    use super::*;
    use crate::run::plan::Shard;

    fn shard(id: u32, contents: &[usize], styles: &[usize]) -> Shard {
        Shard {
            id: ShardId(id),
            contents: contents.to_vec(),
            styles: styles.to_vec(),
        }
    }

    fn plan(contents: usize, styles: usize, shards: Vec<Shard>) -> Plan {
        let listing = |number: usize| shared::dataset::entry::DatasetEntry {
            name: number.to_string(),
            image: shared::dataset::entry::DatasetFile {
                path: "a.png".into(),
                size_bytes: 1,
            },
            label: None,
        };
        Plan {
            contents: (0..contents).map(listing).collect(),
            styles: (0..styles).map(listing).collect(),
            shards,
            prototypes: Vec::new(),
        }
    }

    #[test]
    fn each_planned_item_has_a_place_of_its_own_and_no_other_has_any() {
        let shards = vec![
            shard(0, &[4, 1], &[0, 2]),
            shard(1, &[0], &[2]),
            shard(2, &[3], &[1]),
        ];
        let planned = Planned::of(&plan(5, 4, shards));
        let items: Vec<_> = planned.items().collect();
        let expected = [(0, 1), (0, 4), (1, 3), (2, 0), (2, 1), (2, 4)];
        assert_eq!(items, expected);
        for (place, &item) in items.iter().enumerate() {
            assert_eq!(planned.place(item), Some(place));
        }
        for other in [(0, 0), (1, 1), (3, 0), (2, 5), (9, 0)] {
            assert_eq!(planned.place(other), None, "{other:?}");
        }
    }

    /// A bit for each content in each style would be more than any memory holds.
    #[test]
    fn places_take_memory_for_items_and_not_for_styles_times_contents() {
        const MANY: usize = 300_000;
        let planned = Planned::of(&plan(MANY, MANY, vec![shard(0, &[MANY - 1], &[MANY - 1])]));
        assert_eq!(planned.contents.len(), 1);
        assert_eq!(planned.place((MANY - 1, MANY - 1)), Some(0));
        assert_eq!(planned.place((0, 0)), None);
    }
}
