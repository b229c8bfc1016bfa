//! Content, styles and outputs side by side, for a first look at a run.
//!
//! - `beside`: other runs of the same items, which are shown with it; `tile_grid`: the picture
//! - `reading`: images of inputs and outputs, here and wherever else people look at them

mod beside;
mod reading;
mod tile_grid;

use std::collections::BTreeMap;

use bytes::Bytes;
use image::RgbImage;
use shared::artifact::ArtifactKey;
use shared::dataset::ClassTable;
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::failure::chain;
use shared::source::{self, Source};
use shared::spread;
use shared::storage::{Storage, StorageError};

pub use self::beside::Beside;
use self::beside::Other;
use self::reading::unless_away;
pub(crate) use self::reading::{
    Unshown, encoded, input_image, max_bytes_of_output, output_image, rgb_image, size_of,
};
use self::tile_grid::TileGrid;
use super::class_maps;
use crate::run::freeze::FrozenRun;
use crate::run::stored_items::StoredItems;

/// Rows of outputs at most.
const MAX_ROWS: usize = 6;
const MAX_STYLES: usize = 4;
/// Other runs that are shown beside one, at most.
pub const MAX_BESIDE: usize = MAX_ROWS - 1;

/// Stores a contact sheet of some done items of a run whose plan has taken its changed inputs, and returns where it is; none
/// if nothing is done.
///
/// The first row shows the styles, and the one below it the class maps of those without labels over them; each other row a
/// content and its outputs. It is for looking at: a picture that cannot be read stays blank, and a warning names it. While a
/// dataset or storage is away, a warning says so, and a sheet that was drawn before stays as it is.
pub async fn make(storage: &dyn Storage, run: &FrozenRun) -> Option<String> {
    let made = make_beside(storage, run, &[]).await;
    made.unwrap_or_else(|error| {
        let error = chain(&error);
        tracing::warn!(
            error,
            "no contact sheet is drawn, and one that is there stays as it is"
        );
        None
    })
}

/// Stores a contact sheet as [`make`] does, of items that other runs have made as well: what the first [`MAX_BESIDE`] of them
/// made of a content is in rows beneath it, with what they are called. If there are no such items, it is of the run alone.
///
/// # Errors
///
/// If storage or a dataset cannot be reached, or nothing of what is shown of a dataset can be read: a sheet that was drawn
/// before stays as it is.
pub async fn make_beside(
    storage: &dyn Storage,
    run: &FrozenRun,
    beside: &[Beside<'_>],
) -> Result<Option<String>, StorageError> {
    let stored = StoredItems::read(storage, run).await?;
    let mut others = Vec::new();
    for beside in beside.iter().take(MAX_BESIDE) {
        others.push(Other::read(beside).await?);
    }
    let shown = Shown::choose(run, &stored, others);
    if shown.contents.is_empty() {
        return Ok(None);
    }
    let Some(png) = shown.drawn(storage, run).await?.encode() else {
        return Ok(None);
    };
    let key = ArtifactKey::ContactSheet(run.record.run.clone());
    storage.replace(&key, Bytes::from(png)).await?;
    Ok(Some(storage.locate(&key)))
}

/// What a contact sheet shows.
struct Shown<'a> {
    /// Positions in the plan.
    contents: Vec<usize>,
    styles: Vec<usize>,
    /// Runs that have made some of these items as well.
    others: Vec<Other<'a>>,
}

impl<'a> Shown<'a> {
    /// Chooses some of the items that are there, those that others have made as well if there are such items.
    fn choose(run: &FrozenRun, stored: &StoredItems, others: Vec<Other<'a>>) -> Self {
        let is_shared = |&item: &(usize, usize)| {
            let mut others = others.iter();
            others.any(|other| other.has(&run.plan.item(item)))
        };
        let shared: Vec<(usize, usize)> = stored.images().filter(is_shared).collect();
        if shared.is_empty() {
            if !others.is_empty() {
                let run = &run.record.run;
                tracing::warn!(%run, "no other run has made any of its items: its contact sheet shows it alone");
            }
            let (contents, styles) = choose(stored.images(), MAX_ROWS);
            return Self {
                contents,
                styles,
                others: Vec::new(),
            };
        }
        let most_contents = (MAX_ROWS / (1 + others.len())).max(1);
        let (contents, styles) = choose(shared.into_iter(), most_contents);
        Self {
            contents,
            styles,
            others,
        }
    }

    async fn drawn(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
    ) -> Result<TileGrid, StorageError> {
        let unshown = Unshown::default();
        let (frozen, plan) = (&run.record.frozen, &run.plan);
        let inputs = &run.record.inputs;
        let style_source = source::open(&inputs.style).await?;
        let styles = Inputs {
            source: style_source.as_ref(),
            listings: &plan.styles,
            classes: frozen.style_classes.as_ref(),
        };
        let styles = styles.images(run, &self.styles, &unshown).await?;
        let content_source = source::open(&inputs.content).await?;
        let contents = Inputs {
            source: content_source.as_ref(),
            listings: &plan.contents,
            classes: frozen.content.classes.as_ref(),
        };
        let contents = contents.images(run, &self.contents, &unshown).await?;
        let maps = self.maps((storage, run), &styles, &unshown).await;
        let first = 1 + u32::from(maps.iter().any(Option::is_some));
        let rows_of_content = 1 + self.others.len() as u32;
        let rows = first + self.contents.len() as u32 * rows_of_content;
        let size = size_of(&frozen.model);
        let mut grid = TileGrid::new(size, 1 + self.styles.len() as u32, rows);
        if !self.others.is_empty() {
            let method = frozen.method.method();
            grid.write(0, 0, &format!("beside each content: {method}"));
        }
        for ((column, style), map) in (1..).zip(styles).zip(maps) {
            grid.place(column, 0, style);
            grid.place(column, 1, map);
        }
        for ((number, &content), image) in (0..).zip(&self.contents).zip(contents) {
            let row = first + number * rows_of_content;
            grid.place(0, row, image);
            let outputs = Outputs {
                storage,
                run,
                content,
                unshown: &unshown,
            };
            self.place_outputs(&mut grid, row, outputs).await;
        }
        Ok(grid)
    }

    /// Returns the class map of each style over its image, where it has one.
    async fn maps(
        &self,
        (storage, run): (&dyn Storage, &FrozenRun),
        images: &[Option<RgbImage>],
        unshown: &Unshown,
    ) -> Vec<Option<RgbImage>> {
        // The plan has taken what changed.
        let run = (run, &ChangedInputs::default());
        let mut maps = Vec::with_capacity(self.styles.len());
        for (&style, image) in self.styles.iter().zip(images) {
            let map = class_maps::shown(storage, run, style, image.as_ref()).await;
            maps.push(unshown.shown(map).flatten().map(|map| map.over));
        }
        maps
    }

    /// Places what became of a content in its row, and what others made of it in those beneath.
    async fn place_outputs(&self, grid: &mut TileGrid, row: u32, outputs: Outputs<'_>) {
        let Outputs {
            storage,
            run,
            content,
            unshown,
        } = outputs;
        for (row, other) in (row + 1..).zip(&self.others) {
            grid.write(0, row, other.label());
        }
        for (column, &style) in (1..).zip(&self.styles) {
            let item = run.plan.item((style, content));
            let key = ArtifactKey::Image(run.record.run.clone(), item.clone());
            let image = output_image(storage, &key, &run.record.frozen.model).await;
            grid.place(column, row, unshown.shown(image).flatten());
            for (row, other) in (row + 1..).zip(&self.others) {
                let image = other.output(item.clone()).await;
                grid.place(column, row, unshown.shown(image).flatten());
            }
        }
    }
}

/// What a run has made of a content.
struct Outputs<'a> {
    storage: &'a dyn Storage,
    run: &'a FrozenRun,
    /// Its position in the plan.
    content: usize,
    unshown: &'a Unshown,
}

/// The inputs of one dataset.
struct Inputs<'a> {
    source: &'a dyn Source,
    listings: &'a [DatasetEntry],
    classes: Option<&'a ClassTable>,
}

impl Inputs<'_> {
    /// Returns the images of some, by their positions; none of one that cannot be read.
    ///
    /// # Errors
    ///
    /// If none can be: the dataset is away.
    async fn images(
        &self,
        run: &FrozenRun,
        positions: &[usize],
        unshown: &Unshown,
    ) -> Result<Vec<Option<RgbImage>>, StorageError> {
        let size = size_of(&run.record.frozen.model);
        let mut images = Vec::with_capacity(positions.len());
        for &position in positions {
            let listing = &self.listings[position];
            images.push(input_image(self.source, listing, self.classes, size).await);
        }
        unless_away(images, unshown)
    }
}

/// Positions of contents spread over those of some items, those with the most outputs, and of styles they were converted
/// into.
fn choose(
    items: impl Iterator<Item = (usize, usize)>,
    most_contents: usize,
) -> (Vec<usize>, Vec<usize>) {
    let mut styles_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (style, content) in items {
        styles_of.entry(content).or_default().push(style);
    }
    let most = styles_of.values().map(Vec::len).max().unwrap_or_default();
    let full: Vec<_> = styles_of
        .into_iter()
        .filter(|(_, styles)| styles.len() == most)
        .collect();
    let chosen = spread::positions(full.len(), most_contents).map(|at| &full[at]);
    let mut styles: Vec<usize> = chosen
        .clone()
        .flat_map(|(_, styles)| styles.clone())
        .collect();
    styles.sort_unstable();
    styles.dedup();
    styles.truncate(MAX_STYLES);
    (chosen.map(|(content, _)| *content).collect(), styles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_with_the_most_outputs_are_chosen_spread_over_all_with_their_styles() {
        // The last content was made in one style of two.
        let items = (0..2).flat_map(|style| (0..10).map(move |content| (style, content)));
        let items: Vec<(usize, usize)> = items.filter(|&item| item != (1, 9)).collect();
        let chosen = choose(items.iter().copied(), 3);
        assert_eq!(chosen, (vec![0, 3, 6], vec![0, 1]));
        let all = choose(items.into_iter(), 100);
        assert_eq!(all, ((0..9).collect::<Vec<usize>>(), vec![0, 1]));
        let many_styles = choose((0..7).map(|style| (style, 0)), 3);
        assert_eq!(many_styles, (vec![0], vec![0, 1, 2, 3]));
        assert!(choose(std::iter::empty(), 3).0.is_empty());
    }
}
