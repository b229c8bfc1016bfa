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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::samples::row;

    #[test]
    fn a_revision_holds_in_place_of_rows_that_are_not_done_and_of_no_others() {
        let committed = vec![row("night", "1", true), row("night", "2", false)];
        let again = |worker: &str, content: &str, done: bool| ManifestRow {
            worker: worker.to_owned(),
            ..row("night", content, done)
        };
        let first = vec![again("first", "1", false), again("first", "2", false)];
        let second = vec![again("second", "2", true)];
        let third = vec![again("third", "2", false), again("third", "3", true)];
        let effective = crate::manifest::effective(committed.clone(), [first, second, third]);
        let said: Vec<_> = effective
            .iter()
            .map(|row| (row.item.content.as_str(), row.worker.as_str(), row.status))
            .collect();
        let done = Status::Done;
        assert_eq!(
            said,
            [
                ("1", "here", done),
                ("2", "second", done),
                ("3", "third", done)
            ]
        );
        assert_eq!(crate::manifest::effective(committed.clone(), []), committed);
    }
}
