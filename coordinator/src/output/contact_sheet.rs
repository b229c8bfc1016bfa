//! Content, styles and outputs side by side, for a first look at a run.

use std::collections::BTreeMap;

use bytes::Bytes;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use imaging::{LabelNeed, LabelUse, NamedBytes, decode_image, encode_png, load};
use shared::artifact::ArtifactKey;
use shared::dataset::ClassTable;
use shared::dataset::entry::DatasetEntry;
use shared::failure::chain;
use shared::model::ImageSize;
use shared::model::PIXELS_PER_LATENT;
use shared::run_record::FrozenModel;
use shared::source::{self, Source};
use shared::storage::{Storage, StorageError};

use crate::run::freeze::FrozenRun;
use crate::run::stored_items::StoredItems;

const MAX_CONTENTS: usize = 6;
const MAX_STYLES: usize = 4;
const TILE_WIDTH: u32 = 384;
const GAP: u32 = 6;

/// Stores a contact sheet of some done items and returns where it is; none if nothing is done.
///
/// The first row shows the styles; each other row a content and its outputs. It is for looking at: what cannot be read
/// stays blank.
pub async fn make(storage: &dyn Storage, run: &FrozenRun) -> Option<String> {
    made(storage, run).await.unwrap_or_else(|error| {
        tracing::warn!(error = chain(&error), "no contact sheet");
        None
    })
}

async fn made(storage: &dyn Storage, run: &FrozenRun) -> Result<Option<String>, StorageError> {
    let size = size_of(&run.record.frozen.model);
    let stored = StoredItems::read(storage, run).await?;
    let (contents, styles) = choose(&stored);
    if contents.is_empty() {
        return Ok(None);
    }
    let (inputs, frozen) = (&run.record.inputs, &run.record.frozen);
    let content_source = source::open(&inputs.content).await?;
    let style_source = source::open(&inputs.style).await?;
    let tile = (
        TILE_WIDTH,
        TILE_WIDTH * size.height as u32 / size.width as u32,
    );
    let mut sheet = Sheet::new(tile, 1 + styles.len() as u32, 1 + contents.len() as u32);
    for (column, &style) in styles.iter().enumerate() {
        let (source, listing) = (style_source.as_ref(), &run.plan.styles[style]);
        let image = input_image(source, listing, frozen.style_classes.as_ref(), size).await;
        sheet.place(1 + column as u32, 0, image);
    }
    for (row, &content) in contents.iter().enumerate() {
        let row = 1 + row as u32;
        let (source, listing) = (content_source.as_ref(), &run.plan.contents[content]);
        let image = input_image(source, listing, frozen.content.classes.as_ref(), size).await;
        sheet.place(0, row, image);
        for (column, &style) in styles.iter().enumerate() {
            let key = ArtifactKey::Image(run.record.run.clone(), run.plan.item((style, content)));
            let image = output_image(storage, &key, &run.record.frozen.model).await;
            sheet.place(1 + column as u32, row, image);
        }
    }
    let key = ArtifactKey::ContactSheet(run.record.run.clone());
    let Some(png) = sheet.encode() else {
        return Ok(None);
    };
    storage.replace(&key, Bytes::from(png)).await?;
    Ok(Some(storage.locate(&key)))
}

/// Positions of contents spread over the run, those with the most outputs, and of styles they were converted into.
fn choose(stored: &StoredItems) -> (Vec<usize>, Vec<usize>) {
    let mut styles_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (style, content) in stored.images() {
        styles_of.entry(content).or_default().push(style);
    }
    let most = styles_of.values().map(Vec::len).max().unwrap_or_default();
    let full: Vec<_> = styles_of
        .into_iter()
        .filter(|(_, styles)| styles.len() == most)
        .collect();
    let count = full.len().min(MAX_CONTENTS);
    let chosen = (0..count).map(|i| &full[i * full.len() / count]);
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
    let pixels = prepared.image.into_raw_vec_and_offset().0;
    RgbImage::from_raw(size.width as u32, size.height as u32, pixels)
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
        let pixels = decode_image(file).ok()?;
        let (height, width, _) = pixels.dim();
        let pixels = pixels.into_raw_vec_and_offset().0;
        RgbImage::from_raw(width as u32, height as u32, pixels)
    };
    shared::blocking::run(decode).await
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

struct Sheet {
    canvas: RgbImage,
    tile: (u32, u32),
}

impl Sheet {
    fn new(tile: (u32, u32), columns: u32, rows: u32) -> Self {
        let side = |tile: u32, count: u32| count * (tile + GAP) + GAP;
        let white = Rgb([255; 3]);
        Self {
            canvas: RgbImage::from_pixel(side(tile.0, columns), side(tile.1, rows), white),
            tile,
        }
    }

    fn place(&mut self, column: u32, row: u32, image: Option<RgbImage>) {
        let Some(image) = image else { return };
        let tile = imageops::resize(&image, self.tile.0, self.tile.1, FilterType::Lanczos3);
        let (x, y) = (
            GAP + column * (self.tile.0 + GAP),
            GAP + row * (self.tile.1 + GAP),
        );
        imageops::replace(&mut self.canvas, &tile, i64::from(x), i64::from(y));
    }

    fn encode(self) -> Option<Vec<u8>> {
        let (width, height) = self.canvas.dimensions();
        let shape = (height as usize, width as usize, 3);
        let pixels = ndarray::Array3::from_shape_vec(shape, self.canvas.into_raw()).ok()?;
        encode_png(pixels.view()).ok()
    }
}
