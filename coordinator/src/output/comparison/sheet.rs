//! A comparison as one picture: a column for each run, whose figures are beneath its head, and a row for each item.

use bytes::Bytes;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use shared::artifact::ArtifactKey;
use shared::storage::{Storage, StorageError};

use super::{Column, Comparison, Pictures, rows, shown_items};
use crate::output::contact_sheet::encoded;
use crate::output::lettering::Lettering;

/// Width of the whole picture at most, if columns are not narrower than can be looked at.
const MAX_WIDTH: u32 = 8192;
/// Widths of a column.
const COLUMN: std::ops::RangeInclusive<u32> = 120..=320;
const GAP: u32 = 6;
const WHITE: Rgb<u8> = Rgb([255; 3]);
/// Columns before the first run: the content and the style.
const INPUTS: u32 = 2;

/// Stores a comparison as one picture, and returns where it is; none if nothing of it is begun, so that there are no
/// pictures.
///
/// # Errors
///
/// If storage fails. What cannot be read stays blank.
pub async fn store(
    storage: &dyn Storage,
    comparison: &Comparison,
    columns: &[Column<'_>],
    pictures: Option<&Pictures<'_>>,
) -> Result<Option<String>, StorageError> {
    let Some(pictures) = pictures else {
        return Ok(None);
    };
    let sheet = drawn(comparison, columns, pictures).await;
    let Some(png) = shared::blocking::run(move || encoded(sheet)).await else {
        return Ok(None);
    };
    let key = ArtifactKey::ComparisonSheet(comparison.run.clone());
    storage.replace(&key, Bytes::from(png)).await?;
    Ok(Some(storage.locate(&key)))
}

async fn drawn(
    comparison: &Comparison,
    columns: &[Column<'_>],
    pictures: &Pictures<'_>,
) -> RgbImage {
    let items = shown_items(comparison);
    let headers = columns.iter().enumerate();
    let headers = headers.map(|(at, column)| {
        let number = at + 1;
        format!("{number}: {}", column.combination.label())
    });
    let given = ["content", "style"].map(str::to_owned);
    let headers: Vec<String> = given.into_iter().chain(headers).collect();
    let figures: Vec<_> = columns.iter().map(|column| &column.figures).collect();
    let figures = rows(&figures).into_iter().map(|row| {
        let cells = row.cells.iter();
        let cells = cells.map(|cell| format!("{}: {cell}", row.title));
        // Inputs have none.
        let none = (0..INPUTS).map(|_| String::new());
        none.chain(cells).collect::<Vec<String>>()
    });
    let texts: Vec<Vec<String>> = [headers].into_iter().chain(figures).collect();
    let size = pictures.size();
    let mut sheet = Sheet::new((size.width, size.height), &texts, items.len());
    for (row, &item) in items.iter().enumerate() {
        sheet.place(0, row, pictures.content(item.content).await);
        sheet.place(1, row, pictures.style(item.style).await);
        for (number, column) in (INPUTS..).zip(columns) {
            sheet.place(number, row, pictures.output(column, item).await);
        }
    }
    sheet.canvas
}

/// The picture, with its texts; tiles are placed in it.
struct Sheet {
    canvas: RgbImage,
    tile: (u32, u32),
    /// Where the first row of tiles begins.
    top: u32,
}

impl Sheet {
    /// Returns a sheet without tiles, which have the proportions of `size`; above them are rows of a text for each column.
    fn new(size: (usize, usize), texts: &[Vec<String>], num_rows: usize) -> Self {
        let num_columns = texts.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let width = (MAX_WIDTH / num_columns.max(1)).saturating_sub(GAP);
        let width = width.clamp(*COLUMN.start(), *COLUMN.end());
        let height = u64::from(width) * size.1 as u64 / (size.0 as u64).max(1);
        // Proportions that no image has make no picture that does not fit.
        let height = u32::try_from(height).unwrap_or(width).clamp(1, 4 * width);
        let tile = (width, height);
        let text = TextBlock::new(tile.0);
        let heads: Vec<TextRow> = texts.iter().map(|row| text.row(row)).collect();
        let top = GAP + heads.iter().map(|row| row.height).sum::<u32>();
        let whole = (
            GAP + num_columns * (tile.0 + GAP),
            top + num_rows as u32 * (tile.1 + GAP),
        );
        let mut sheet = Self {
            canvas: RgbImage::from_pixel(whole.0, whole.1, WHITE),
            tile,
            top,
        };
        sheet.write(text.lettering, &heads);
        sheet
    }

    /// Writes rows of texts, one beneath the other.
    fn write(&mut self, lettering: Lettering, rows: &[TextRow]) {
        let mut top = GAP;
        for row in rows {
            for (column, lines) in row.cells.iter().enumerate() {
                let left = self.left(column as u32);
                lettering.write(&mut self.canvas, (left, top), lines);
            }
            top += row.height;
        }
    }

    fn left(&self, column: u32) -> u32 {
        GAP + column * (self.tile.0 + GAP)
    }

    fn place(&mut self, column: u32, row: usize, image: Option<RgbImage>) {
        let Some(image) = image else { return };
        let tile = imageops::resize(&image, self.tile.0, self.tile.1, FilterType::Lanczos3);
        let y = self.top + row as u32 * (self.tile.1 + GAP);
        let x = self.left(column);
        imageops::replace(&mut self.canvas, &tile, i64::from(x), i64::from(y));
    }
}

/// Texts beside each other, each in lines.
struct TextRow {
    cells: Vec<Vec<String>>,
    height: u32,
}

/// How texts are set in columns of a width.
struct TextBlock {
    width: u32,
    lettering: Lettering,
}

impl TextBlock {
    fn new(width: u32) -> Self {
        let lettering = Lettering::of_columns(width);
        Self { width, lettering }
    }

    fn row(&self, texts: &[String]) -> TextRow {
        let cells = texts.iter();
        let cells = cells.map(|text| self.lettering.wrapped(text, self.width));
        let cells: Vec<Vec<String>> = cells.collect();
        let most = cells.iter().map(Vec::len).max().unwrap_or(0) as u32;
        TextRow {
            height: most * self.lettering.line_height(),
            cells,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_sheet_has_room_for_all_columns_figures_and_rows_and_is_never_too_wide() {
        let heads = [
            texts(&["content", "style", "1: method=fda"]),
            texts(&["", "", "done: 1 of 1"]),
            texts(&["", "", "SSIM: 0.412"]),
        ];
        let small = Sheet::new((256, 128), &heads, 2);
        assert_eq!(small.tile, (320, 160));
        assert_eq!(small.canvas.width(), 3 * 326 + 6);
        // A line of headers, two of figures, and two rows of tiles.
        assert_eq!(small.top, 6 + 3 * 20);
        assert_eq!(small.canvas.height(), small.top + 2 * 166);
        let many = Sheet::new((256, 128), &[texts(&["a"; 66])], 24);
        assert_eq!(many.tile.0, *COLUMN.start());
        assert!(many.canvas.width() < MAX_WIDTH + MAX_WIDTH / 10);
    }

    #[test]
    fn figures_stand_beneath_the_head_of_their_column_and_above_its_tiles() {
        let heads = [texts(&["", "", ""]), texts(&["", "", "SSIM: 0.412"])];
        let sheet = Sheet::new((256, 128), &heads, 1);
        let inked = sheet.canvas.enumerate_pixels();
        let inked: Vec<(u32, u32)> = inked
            .filter(|(_, _, pixel)| **pixel != WHITE)
            .map(|(x, y, _)| (x, y))
            .collect();
        assert!(!inked.is_empty());
        let is_there = |&(x, y): &(u32, u32)| x >= sheet.left(2) && y < sheet.top;
        assert!(inked.iter().all(is_there), "{inked:?}");
    }

    #[test]
    fn a_tile_is_placed_below_its_header_and_beside_the_others() {
        let headers = [texts(&["content", "style", "1: x"])];
        let mut sheet = Sheet::new((8, 8), &headers, 1);
        let red = Rgb([200, 0, 0]);
        sheet.place(2, 0, Some(RgbImage::from_pixel(8, 8, red)));
        sheet.place(1, 0, None);
        let (left, top) = (sheet.left(2), sheet.top);
        assert_eq!(*sheet.canvas.get_pixel(left + 5, top + 5), red);
        assert_eq!(*sheet.canvas.get_pixel(left - 1, top + 5), WHITE);
        assert_eq!(*sheet.canvas.get_pixel(sheet.left(1) + 5, top + 5), WHITE);
    }
}
