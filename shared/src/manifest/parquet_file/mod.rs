//! Manifests as Parquet bytes, sorted by style and content.
//!
//! - `writer`: rows to bytes, those of a shard at once or those of a run a row group at a time
//! - `reader`: bytes, which may be anything, to rows
//! - `error`: why either is not possible

mod error;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use error::ManifestError;
pub use reader::{
    Columns, MAX_ROWS, StoredRows, is_sealed, read, read_each, read_stored, read_with_features,
};
pub use writer::{ManifestWriter, write};

use super::{ManifestRow, schema};

/// Refuses a row with a number that is no figure: means, distances and sums over a run would be none either.
fn check_figures(row: &ManifestRow) -> Result<(), ManifestError> {
    match schema::no_figure(row) {
        None => Ok(()),
        Some(column) => Err(ManifestError::NoFigure {
            column,
            item: row.item.clone(),
        }),
    }
}
