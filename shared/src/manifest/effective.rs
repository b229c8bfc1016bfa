//! The effective rows of a shard: those of its commit with its revisions put over them.

use std::collections::HashMap;

use super::{ManifestRow, Status};
use crate::ids::ItemId;

/// Returns the rows that hold: those of a shard's commit, and in place of items that are not done those of its
/// revisions, the last of them. A row that says done always holds.
#[must_use]
pub fn effective(
    committed: Vec<ManifestRow>,
    revisions: impl IntoIterator<Item = Vec<ManifestRow>>,
) -> Vec<ManifestRow> {
    let mut rows = committed;
    let mut revisions = revisions.into_iter().peekable();
    if revisions.peek().is_none() {
        return rows;
    }
    let places = rows.iter().enumerate();
    let mut places: HashMap<ItemId, usize> = places
        .map(|(place, row)| (row.item.clone(), place))
        .collect();
    for row in revisions.flatten() {
        match places.get(&row.item) {
            Some(&place) if rows[place].status == Status::Done => {}
            Some(&place) => rows[place] = row,
            None => {
                places.insert(row.item.clone(), rows.len());
                rows.push(row);
            }
        }
    }
    rows
}
