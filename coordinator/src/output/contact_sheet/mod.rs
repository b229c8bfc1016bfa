//! Content, styles and outputs side by side, for a first look at a run.
//!
//! - `beside`: other runs of the same items, which are shown with it; `tile_grid`: the picture

mod beside;
mod tile_grid;

use std::collections::BTreeMap;

use bytes::Bytes;
use image::RgbImage;
use imaging::{LabelNeed, LabelUse, NamedBytes, decode_image, encode_png, load};
use ndarray::Array3;
use shared::artifact::ArtifactKey;
use shared::dataset::ClassTable;
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::failure::chain;
use shared::model::ImageSize;
use shared::model::PIXELS_PER_LATENT;
use shared::run_record::FrozenModel;
use shared::source::{self, Source};
use shared::spread;
use shared::storage::{Storage, StorageError};

pub use self::beside::Beside;
use self::beside::Other;
use self::tile_grid::TileGrid;
use super::class_maps::{self, ShownMap};
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
/// content and its outputs. It is for looking at: what cannot be read stays blank.
pub async fn make(storage: &dyn Storage, run: &FrozenRun) -> Option<String> {
    let made = make_beside(storage, run, &[]).await;
    made.unwrap_or_else(|error| {
        tracing::warn!(error = chain(&error), "no contact sheet");
        None
    })
}

/// Stores a contact sheet as [`make`] does, of items that other runs have made as well: what the first [`MAX_BESIDE`] of them
/// made of a content is in rows beneath it, with what they are called. If there are no such items, it is of the run alone.
///
/// # Errors
///
/// If storage or a dataset cannot be reached.
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

    async fn drawn(&self, storage: &dyn Storage, run: &FrozenRun) -> Result<TileGrid, StorageError> {
        let size = size_of(&run.record.frozen.model);
        let (inputs, frozen) = (&run.record.inputs, &run.record.frozen);
        let content_source = source::open(&inputs.content).await?;
        let style_source = source::open(&inputs.style).await?;
        let maps = maps(storage, run, style_source.as_ref(), &self.styles).await;
        let first = 1 + u32::from(maps.iter().any(Option::is_some));
        let rows_of_content = 1 + self.others.len() as u32;
        let rows = first + self.contents.len() as u32 * rows_of_content;
        let mut sheet = TileGrid::new(size, 1 + self.styles.len() as u32, rows);
        if !self.others.is_empty() {
            let method = frozen.method.method();
            sheet.write(0, 0, &format!("beside each content: {method}"));
        }
        for ((column, &style), map) in (1..).zip(&self.styles).zip(maps) {
            let photograph = match map {
                Some(map) => {
                    sheet.place(column, 1, Some(map.over));
                    map.photograph
                }
                None => {
                    let (source, listing) = (style_source.as_ref(), &run.plan.styles[style]);
                    input_image(source, listing, frozen.style_classes.as_ref(), size).await
                }
            };
            sheet.place(column, 0, photograph);
        }
        for (number, &content) in (0..).zip(&self.contents) {
            let row = first + number * rows_of_content;
            let (source, listing) = (content_source.as_ref(), &run.plan.contents[content]);
            let image = input_image(source, listing, frozen.content.classes.as_ref(), size).await;
            sheet.place(0, row, image);
            self.place_outputs(&mut sheet, row, content, (storage, run))
                .await;
        }
        Ok(sheet)
    }

    /// Places what became of a content in its row, and what others made of it in those beneath.
    async fn place_outputs(
        &self,
        sheet: &mut TileGrid,
        row: u32,
        content: usize,
        (storage, run): (&dyn Storage, &FrozenRun),
    ) {
        for (row, other) in (row + 1..).zip(&self.others) {
            sheet.write(0, row, other.label());
        }
        for (column, &style) in (1..).zip(&self.styles) {
            let item = run.plan.item((style, content));
            let key = ArtifactKey::Image(run.record.run.clone(), item.clone());
            let image = output_image(storage, &key, &run.record.frozen.model).await;
            sheet.place(column, row, image);
            for (row, other) in (row + 1..).zip(&self.others) {
                sheet.place(column, row, other.output(item.clone()).await);
            }
        }
    }
}

/// Returns the class map of each style with its photograph, where it has one.
async fn maps(
    storage: &dyn Storage,
    run: &FrozenRun,
    photographs: &dyn Source,
    styles: &[usize],
) -> Vec<Option<ShownMap>> {
    // The plan has taken what changed.
    let run = (run, &ChangedInputs::default());
    let mut maps = Vec::with_capacity(styles.len());
    for &style in styles {
        maps.push(class_maps::shown(storage, run, Some(photographs), style).await);
    }
    maps
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

/// Returns an input as the model sees it; none if it cannot be read.
pub(crate) async fn input_image(
    source: &dyn Source,
    listing: &DatasetEntry,
    classes: Option<&ClassTable>,
    size: ImageSize,
) -> Option<RgbImage> {
    let labels = LabelUse {
        need: LabelNeed::Optional,
        classes: classes.cloned(),
    };
    let prepared = load(source, listing, &labels, size).await.ok()?.prepared;
    rgb_image(prepared.image)
}

/// Returns an output; none if it cannot be read, or is larger than any of its model.
pub(crate) async fn output_image(
    storage: &dyn Storage,
    key: &ArtifactKey,
    model: &FrozenModel,
) -> Option<RgbImage> {
    let bytes = storage.read_within(key, max_bytes_of_output(model)).await;
    let (name, bytes) = (key.path(), bytes.ok()?);
    let decode = move || {
        let file = NamedBytes {
            name: &name,
            bytes: &bytes,
        };
        decode_image(file).ok().and_then(rgb_image)
    };
    shared::blocking::run(decode).await
}

/// Returns RGB pixels `(height, width, 3)` as an image.
pub(crate) fn rgb_image(pixels: Array3<u8>) -> Option<RgbImage> {
    let (height, width, _) = pixels.dim();
    let pixels = pixels.into_raw_vec_and_offset().0;
    RgbImage::from_raw(width as u32, height as u32, pixels)
}

/// Returns more bytes than any output of a model has, however badly it is compressed.
pub(crate) fn max_bytes_of_output(model: &FrozenModel) -> u64 {
    let pixels = (model.width as u64).saturating_mul(model.height as u64);
    pixels.saturating_mul(4).saturating_add(1 << 16)
}

/// Returns the sizes of a model's images and of its latents.
pub(crate) fn size_of(model: &FrozenModel) -> ImageSize {
    ImageSize {
        width: model.width,
        height: model.height,
        latent_width: model.width / PIXELS_PER_LATENT,
        latent_height: model.height / PIXELS_PER_LATENT,
    }
}

/// Returns a picture as a PNG.
pub(crate) fn encoded(picture: RgbImage) -> Option<Vec<u8>> {
    let (width, height) = picture.dimensions();
    let shape = (height as usize, width as usize, 3);
    let pixels = Array3::from_shape_vec(shape, picture.into_raw()).ok()?;
    encode_png(pixels.view()).ok()
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
