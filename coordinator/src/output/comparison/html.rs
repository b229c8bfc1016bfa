//! A comparison as one page that needs nothing else: a column for each run, whose figures are beneath its head, and a row for
//! each item.

use std::collections::BTreeSet;

use askama::Template;
use bytes::Bytes;
use image::RgbImage;
use shared::artifact::ArtifactKey;
use shared::clock::Clock;
use shared::storage::{Storage, StorageError};

use super::{Column, Comparison, FigureRow, Pictures, rows, shown_items};
use crate::output::report::pictures;

/// Widths of pictures, in pixels: where runs are few, and where they are many.
const WIDTHS: (u32, u32) = (320, 160);
/// From so many runs on they are many.
const MANY: usize = 12;

/// Why a page is not stored.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The template failed.
    #[error("the page of the comparison cannot be rendered")]
    Template(#[from] askama::Error),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

#[derive(Template)]
#[template(path = "comparison_page.html")]
struct Page {
    run: String,
    made_at: String,
    columns: Vec<Header>,
    items: Vec<ItemRow>,
    figures: Vec<FigureRow>,
    notes: BTreeSet<String>,
    /// How many runs have ended, of all.
    num_complete: usize,
    /// Items of each run.
    num_contents: usize,
    num_styles: usize,
}

/// A run.
struct Header {
    number: usize,
    label: String,
    run: String,
    is_complete: bool,
}

/// An item of every run, with pictures; none of what is not made, or cannot be read.
struct ItemRow {
    style: String,
    content: String,
    before: Option<String>,
    photograph: Option<String>,
    outputs: Vec<Option<String>>,
}

/// Stores the page of a comparison, with pictures if anything of it is begun, and returns where it is. It was made now by a
/// clock.
///
/// # Errors
///
/// [`PageError`] if it cannot be rendered or stored. Pictures that cannot be read are left out.
pub async fn store(
    storage: &dyn Storage,
    comparison: &Comparison,
    columns: &[Column<'_>],
    pictures: Option<&Pictures<'_>>,
    clock: &dyn Clock,
) -> Result<String, PageError> {
    let figures: Vec<_> = columns.iter().map(|column| &column.figures).collect();
    let notes = columns.iter().flat_map(|column| column.notes.clone());
    let page = Page {
        run: comparison.run.to_string(),
        made_at: clock.now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        columns: columns.iter().enumerate().map(header).collect(),
        items: items(comparison, columns, pictures).await,
        figures: rows(&figures),
        notes: notes.collect(),
        num_complete: columns.iter().filter(|column| column.is_complete).count(),
        num_contents: comparison.contents.len(),
        num_styles: comparison.styles.len(),
    };
    let html = Bytes::from(page.render()?);
    let key = ArtifactKey::ComparisonPage(comparison.run.clone());
    storage.replace(&key, html).await?;
    Ok(storage.locate(&key))
}

fn header((at, column): (usize, &Column<'_>)) -> Header {
    Header {
        number: at + 1,
        label: column.combination.label(),
        run: column.combination.run.to_string(),
        is_complete: column.is_complete,
    }
}

async fn items(
    comparison: &Comparison,
    columns: &[Column<'_>],
    pictures: Option<&Pictures<'_>>,
) -> Vec<ItemRow> {
    let width = if columns.len() < MANY {
        WIDTHS.0
    } else {
        WIDTHS.1
    };
    let Some(pictures) = pictures else {
        return Vec::new();
    };
    let mut items = Vec::new();
    for item in shown_items(comparison) {
        let mut outputs = Vec::with_capacity(columns.len());
        for column in columns {
            outputs.push(picture(pictures.output(column, item).await, width).await);
        }
        items.push(ItemRow {
            style: item.style.to_owned(),
            content: item.content.to_owned(),
            before: picture(pictures.content(item.content).await, width).await,
            photograph: picture(pictures.style(item.style).await, width).await,
            outputs,
        });
    }
    items
}

async fn picture(image: Option<RgbImage>, width: u32) -> Option<String> {
    pictures::photograph(image?, width).await
}
