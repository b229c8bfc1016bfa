//! A picture of tiles and texts in rows and columns.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use shared::model::ImageSize;

use super::encoded;
use crate::output::lettering::Lettering;

const TILE_WIDTH: u32 = 384;
/// The height of a tile at most, whatever the proportions of images are.
const MAX_HEIGHT: u32 = 4 * TILE_WIDTH;
const GAP: u32 = 6;
const WHITE: Rgb<u8> = Rgb([255; 3]);

pub(super) struct TileGrid {
    canvas: RgbImage,
    tile: (u32, u32),
}

impl TileGrid {
    /// Returns a grid without tiles, which have the proportions of images of a size as far as a picture can.
    pub(super) fn new(size: ImageSize, columns: u32, rows: u32) -> Self {
        let height = u64::from(TILE_WIDTH) * size.height as u64 / (size.width as u64).max(1);
        // Images may be a few pixels wide and thousands high: a picture of those as they are would take all memory.
        let height = u32::try_from(height).unwrap_or(MAX_HEIGHT);
        let tile = (TILE_WIDTH, height.clamp(1, MAX_HEIGHT));
        let side = |tile: u32, count: u32| count * (tile + GAP) + GAP;
        Self {
            canvas: RgbImage::from_pixel(side(tile.0, columns), side(tile.1, rows), WHITE),
            tile,
        }
    }

    /// Places a picture; none leaves its tile blank.
    pub(super) fn place(&mut self, column: u32, row: u32, image: Option<RgbImage>) {
        let Some(image) = image else { return };
        let tile = imageops::resize(&image, self.tile.0, self.tile.1, FilterType::Lanczos3);
        let (x, y) = self.corner(column, row);
        imageops::replace(&mut self.canvas, &tile, i64::from(x), i64::from(y));
    }

    /// Writes a text in the place of a picture, as much of it as there is room for.
    pub(super) fn write(&mut self, column: u32, row: u32, text: &str) {
        let lettering = Lettering::of_columns(self.tile.0);
        let mut lines = lettering.wrapped(text, self.tile.0);
        let most = (self.tile.1 / lettering.line_height()).max(1);
        lines.truncate(most as usize);
        let height = lines.len() as u32 * lettering.line_height();
        let (x, y) = self.corner(column, row);
        let y = y + self.tile.1.saturating_sub(height) / 2;
        lettering.write(&mut self.canvas, (x, y), &lines);
    }

    fn corner(&self, column: u32, row: u32) -> (u32, u32) {
        (
            GAP + column * (self.tile.0 + GAP),
            GAP + row * (self.tile.1 + GAP),
        )
    }

    /// Returns the picture as a PNG.
    pub(super) fn encode(self) -> Option<Vec<u8>> {
        encoded(self.canvas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_of_any_proportions_make_a_picture_that_fits_into_memory() {
        for (width, height, tile_height) in [
            (1024, 512, 192),
            (16, 8192, MAX_HEIGHT),
            (8192, 16, 1),
            (1, 1, TILE_WIDTH),
        ] {
            let size = ImageSize {
                width,
                height,
                latent_width: 1,
                latent_height: 1,
            };
            let grid = TileGrid::new(size, 1, 1);
            assert_eq!(grid.tile, (TILE_WIDTH, tile_height), "{width} x {height}");
        }
    }

    #[test]
    fn a_text_stands_in_the_middle_of_its_tile_and_never_in_another() {
        let size = ImageSize {
            width: 256,
            height: 128,
            latent_width: 32,
            latent_height: 16,
        };
        for text in ["ast, use_labels=false".to_owned(), "words ".repeat(1_000)] {
            let mut grid = TileGrid::new(size, 3, 3);
            grid.write(1, 1, &text);
            let (left, top) = grid.corner(1, 1);
            let inked = grid.canvas.enumerate_pixels();
            let inked: Vec<(u32, u32)> = inked
                .filter(|(_, _, pixel)| **pixel != WHITE)
                .map(|(x, y, _)| (x, y))
                .collect();
            assert!(!inked.is_empty());
            let is_in_tile = |&(x, y): &(u32, u32)| {
                (left..left + grid.tile.0).contains(&x) && (top..top + grid.tile.1).contains(&y)
            };
            assert!(inked.iter().all(is_in_tile), "{text}");
        }
    }
}
