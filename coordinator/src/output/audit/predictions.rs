//! Predictions of a segmenter: those of doubtful items are there and as they were stored, and there are no others.

use std::collections::{BTreeMap, HashSet};

use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::ids::ItemId;
use shared::manifest;
use shared::storage::{Storage, StorageError};

use super::gathered::{Audit, agrees};
use super::pictures;
use crate::run::tally::READS_AT_ONCE;

/// Predictions that may be stored, by positions of styles and contents.
#[derive(Debug, Default)]
pub(super) struct ExpectedPredictions {
    /// Items of whose outputs rows have one.
    outputs: HashSet<(usize, usize)>,
    /// Contents of which rows have one, with its SHA-256.
    contents: BTreeMap<usize, Option<String>>,
    /// Items that are being made, of which they may be stored before a row speaks of them.
    in_making: HashSet<(usize, usize)>,
    contents_in_making: HashSet<usize>,
}

/// How a prediction is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// A row speaks of it.
    InRow,
    /// No row speaks of it yet.
    InMaking,
    /// It belongs to nothing.
    Not,
}

impl ExpectedPredictions {
    /// Takes note of an item that is being made.
    pub(super) fn in_making(&mut self, item: (usize, usize)) {
        self.in_making.insert(item);
        self.contents_in_making.insert(item.1);
    }

    /// Returns how the prediction of an item's output is expected.
    pub(super) fn of_output(&self, item: (usize, usize)) -> Expectation {
        expectation(self.outputs.contains(&item), self.in_making.contains(&item))
    }

    /// Returns how the prediction of a content is expected.
    pub(super) fn of_content(&self, content: usize) -> Expectation {
        expectation(
            self.contents.contains_key(&content),
            self.contents_in_making.contains(&content),
        )
    }
}

fn expectation(is_in_row: bool, is_in_making: bool) -> Expectation {
    match (is_in_row, is_in_making) {
        (true, _) => Expectation::InRow,
        (false, true) => Expectation::InMaking,
        (false, false) => Expectation::Not,
    }
}

impl Audit<'_> {
    /// Takes in what the row of an item says of its predictions.
    pub(super) fn take_predictions(
        &mut self,
        position: (usize, usize),
        item: &ItemId,
        predictions: manifest::Predictions,
    ) {
        self.predictions.outputs.insert(position);
        let known = self.predictions.contents.entry(position.1).or_default();
        if !agrees(known, predictions.content_sha256) {
            self.report.findings.push(format!(
                "predictions/contents/{}.png: rows disagree about its SHA-256",
                item.content
            ));
        }
    }

    /// The prediction of each content that has doubtful items is there, and is that of their rows. Those of outputs are looked
    /// at with their shards.
    pub(super) async fn check_predictions(
        &mut self,
        storage: &dyn Storage,
    ) -> Result<(), StorageError> {
        let size = self.size();
        let (run, contents) = (&self.run.record.run, &self.run.plan.contents);
        let known: Vec<_> = self.predictions.contents.iter().collect();
        for part in known.chunks(READS_AT_ONCE) {
            let checks = part.iter().filter_map(|&(&content, sha256)| {
                let name = contents[content].name().to_owned();
                let key = ArtifactKey::ContentPrediction(run.clone(), name);
                let sha256 = sha256.as_deref()?;
                Some(async move { pictures::check(storage, &key, (sha256, size)).await })
            });
            let found = try_join_all(checks).await?;
            self.report.findings.extend(found.into_iter().flatten());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_belongs_to_a_row_or_to_an_item_that_is_being_made_or_to_nothing() {
        let mut expected = ExpectedPredictions::default();
        expected.outputs.insert((0, 3));
        expected.contents.insert(3, None);
        expected.in_making((1, 3));
        expected.in_making((1, 4));
        assert_eq!(expected.of_output((0, 3)), Expectation::InRow);
        assert_eq!(expected.of_output((1, 3)), Expectation::InMaking);
        assert_eq!(expected.of_output((0, 4)), Expectation::Not);
        assert_eq!(expected.of_content(3), Expectation::InRow);
        assert_eq!(expected.of_content(4), Expectation::InMaking);
        assert_eq!(expected.of_content(5), Expectation::Not);
    }
}
