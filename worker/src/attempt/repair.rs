//! What is made again for a committed shard must be what its rows speak of, and is stored only then.

use std::collections::BTreeMap;

use shared::artifact::ArtifactKey;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Output, Status};

use super::{AttemptError, ShardOutcome, inputs};

/// Returns how a repair ended that came out with some rows: what cannot be made again is an error.
pub(super) fn outcome(
    made: Vec<ManifestRow>,
    committed: Vec<ManifestRow>,
) -> Result<ShardOutcome, AttemptError> {
    match made.into_iter().find(|row| row.status != Status::Done) {
        Some(row) => {
            let (class, error) = row
                .error_class
                .zip(row.error)
                .expect("the row of an item that is not done says why");
            Err(AttemptError::Unrepairable {
                item: row.item,
                class,
                reason: inputs::what_helps_a_repair(&error),
            })
        }
        None => Ok(ShardOutcome::Committed(committed)),
    }
}

/// The outputs of a committed shard's items that are done.
pub(super) struct Expected(BTreeMap<ItemId, Output>);

impl Expected {
    pub(super) fn of(rows: &[ManifestRow]) -> Self {
        let done = rows.iter().filter(|row| row.status == Status::Done);
        let outputs = done.filter_map(|row| Some((row.item.clone(), row.output.clone()?)));
        Self(outputs.collect())
    }

    /// Returns the digest of an item's image.
    pub(super) fn image(&self, item: &ItemId) -> Option<&str> {
        self.0.get(item).map(|output| output.image_sha256.as_str())
    }

    /// Returns the digest of a content's label.
    pub(super) fn label(&self, content: &str) -> Option<&str> {
        let mut outputs = self.0.iter();
        let found = outputs.find(|(item, _)| item.content == content);
        found.map(|(_, output)| output.label_sha256.as_str())
    }
}

/// Refuses what does not have the digest that is expected of it, if one is.
pub(super) fn check(
    expected: Option<&str>,
    key: &ArtifactKey,
    sha256: &str,
) -> Result<(), AttemptError> {
    match expected {
        Some(expected) if expected != sha256 => Err(AttemptError::Differs {
            path: key.path(),
            made: sha256.to_owned(),
            committed: expected.to_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}
