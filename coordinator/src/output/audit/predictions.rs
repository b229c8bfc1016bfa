//! Predictions of a segmenter: those of doubtful items are there and as they were stored, and there are none of what is no
//! item.
//!
//! Those that rows speak of are looked at with their shards.

use std::collections::HashSet;

/// Predictions that may be stored, by positions of styles and contents.
#[derive(Debug, Default)]
pub(super) struct ExpectedPredictions {
    /// Items whose rows speak of some.
    in_rows: HashSet<(usize, usize)>,
    /// Items that are being made, of which they may be stored before a row speaks of them.
    in_making: HashSet<(usize, usize)>,
    /// Items whose rows speak of none.
    in_no_row: HashSet<(usize, usize)>,
}

/// How the predictions of an item are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// Its row speaks of them.
    InRow,
    /// No row speaks of it yet.
    InMaking,
    /// Its row speaks of none: an attempt may have doubted it that did not commit its shard, such as one on another device.
    LeftBehind,
    /// There is no such item.
    Not,
}

impl ExpectedPredictions {
    /// Takes note of an item that is being made.
    pub(super) fn in_making(&mut self, item: (usize, usize)) {
        self.in_making.insert(item);
    }

    /// Takes note of what the row of an item says.
    pub(super) fn in_row(&mut self, item: (usize, usize), has_predictions: bool) {
        let items = if has_predictions {
            &mut self.in_rows
        } else {
            &mut self.in_no_row
        };
        items.insert(item);
    }

    /// Returns how the predictions of an item are expected.
    pub(super) fn of(&self, item: (usize, usize)) -> Expectation {
        if self.in_rows.contains(&item) {
            Expectation::InRow
        } else if self.in_making.contains(&item) {
            Expectation::InMaking
        } else if self.in_no_row.contains(&item) {
            Expectation::LeftBehind
        } else {
            Expectation::Not
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_belongs_to_a_row_or_to_an_item_or_to_nothing() {
        let mut expected = ExpectedPredictions::default();
        expected.in_row((0, 3), true);
        expected.in_row((0, 4), false);
        expected.in_making((1, 3));
        // It is quarantined, and tried again.
        expected.in_row((1, 4), false);
        expected.in_making((1, 4));
        assert_eq!(expected.of((0, 3)), Expectation::InRow);
        assert_eq!(expected.of((0, 4)), Expectation::LeftBehind);
        assert_eq!(expected.of((1, 3)), Expectation::InMaking);
        assert_eq!(expected.of((1, 4)), Expectation::InMaking);
        assert_eq!(expected.of((0, 5)), Expectation::Not);
    }
}
