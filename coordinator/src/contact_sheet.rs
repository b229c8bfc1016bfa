//! Content, styles and outputs side by side, for a first look at a run.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use shared::artifact::ArtifactKey;
use shared::ids::{ItemId, RunId};
use shared::manifest::{ManifestRow, Status};
use shared::storage::Storage;
use worker::dataset::{Listing, encode_png, load};

use crate::inventory::Inventory;

const MAX_CONTENTS: usize = 6;
const MAX_STYLES: usize = 4;
const TILE_WIDTH: u32 = 384;
const GAP: u32 = 6;

/// Folders in which inputs lie.
#[derive(Debug, Clone, Copy)]
pub struct InputRoots<'a> {
    /// Of the contents.
    pub content: &'a Path,
    /// Of the styles.
    pub style: &'a Path,
}

/// Stores a contact sheet of some done items and returns where it is; none if nothing is done.
///
/// The first row shows the styles; each other row a content and its outputs. It is for looking at: what cannot be read
/// stays blank.
pub async fn make(
    storage: &dyn Storage,
    run: &RunId,
    inventory: &Inventory,
    roots: InputRoots<'_>,
    rows: &[ManifestRow],
) -> Option<String> {
    let (contents, styles) = choose(rows);
    if contents.is_empty() {
        return None;
    }
    let model = &inventory.contract.model;
    let tile = (
        TILE_WIDTH,
        TILE_WIDTH * model.height as u32 / model.width as u32,
    );
    let mut sheet = Sheet::new(tile, 1 + styles.len() as u32, 1 + contents.len() as u32);
    let input = |root: &Path, listings: &[Listing], name: &str| {
        let listing = listings.iter().find(|listing| listing.name() == name)?;
        input_image(root, listing, inventory)
    };
    for (column, style) in styles.iter().enumerate() {
        sheet.place(
            1 + column as u32,
            0,
            input(roots.style, &inventory.styles, style),
        );
    }
    for (row, content) in contents.iter().enumerate() {
        let row = 1 + row as u32;
        sheet.place(0, row, input(roots.content, &inventory.contents, content));
        for (column, style) in styles.iter().enumerate() {
            let item = ItemId {
                style: style.clone(),
                content: content.clone(),
            };
            let bytes = storage
                .read(&ArtifactKey::Image(run.clone(), item))
                .await
                .ok();
            let image = bytes
                .and_then(|bytes| image::load_from_memory(&bytes).ok())
                .map(|image| image.to_rgb8());
            sheet.place(1 + column as u32, row, image);
        }
    }
    let key = ArtifactKey::ContactSheet(run.clone());
    let png = sheet.encode()?;
    match storage.replace(&key, Bytes::from(png)).await {
        Ok(()) => Some(storage.locate(&key)),
        Err(error) => {
            tracing::warn!(%error, "no contact sheet");
            None
        }
    }
}

/// Contents spread over the run, those with the most outputs first, and the styles they were converted into.
fn choose(rows: &[ManifestRow]) -> (Vec<String>, Vec<String>) {
    let mut styles_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.status == Status::Done) {
        styles_of
            .entry(&row.item.content)
            .or_default()
            .push(&row.item.style);
    }
    let most = styles_of.values().map(Vec::len).max().unwrap_or_default();
    let full: Vec<_> = styles_of
        .into_iter()
        .filter(|(_, styles)| styles.len() == most)
        .collect();
    let count = full.len().min(MAX_CONTENTS);
    let contents: Vec<_> = (0..count)
        .map(|i| full[i * full.len() / count].clone())
        .collect();
    let mut styles: Vec<String> = contents
        .iter()
        .flat_map(|(_, styles)| styles.iter().map(ToString::to_string))
        .collect();
    styles.sort();
    styles.dedup();
    styles.truncate(MAX_STYLES);
    (
        contents
            .into_iter()
            .map(|(content, _)| content.to_owned())
            .collect(),
        styles,
    )
}

fn input_image(root: &Path, listing: &Listing, inventory: &Inventory) -> Option<RgbImage> {
    let Listing::Pair(pair) = listing else {
        return None;
    };
    let size = inventory.contract.image_size();
    let prepared = load(root, pair, size).ok()?.prepared;
    let pixels = prepared.image.into_raw_vec_and_offset().0;
    RgbImage::from_raw(size.width as u32, size.height as u32, pixels)
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
