//! What is made again for a committed shard must be what its rows speak of, and is stored only then.

use std::collections::BTreeMap;

use shared::artifact::ArtifactKey;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Output, Predictions, Status};

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

/// What was made of a committed shard's items that are done.
pub(super) struct Expected(BTreeMap<ItemId, Made>);

struct Made {
    output: Output,
    predictions: Option<Predictions>,
    prior_sha256: Option<String>,
}

impl Expected {
    pub(super) fn of(rows: &[ManifestRow]) -> Self {
        let done = rows.iter().filter(|row| row.status == Status::Done);
        let made = |row: &ManifestRow| {
            let quality = row.quality.as_ref();
            Some(Made {
                output: row.output.clone()?,
                predictions: quality.and_then(|quality| quality.predictions.clone()),
                prior_sha256: row.prior_sha256.clone(),
            })
        };
        let made = done.filter_map(|row| Some((row.item.clone(), made(row)?)));
        Self(made.collect())
    }

    /// Returns the digest of an item's image.
    pub(super) fn image(&self, item: &ItemId) -> Option<&str> {
        let made = self.0.get(item)?;
        Some(made.output.image_sha256.as_str())
    }

    /// Returns the digest of a content's label.
    pub(super) fn label(&self, content: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(item, _)| item.content == content);
        found.map(|(_, made)| made.output.label_sha256.as_str())
    }

    /// Returns the digest of the class map of a style.
    pub(super) fn prior(&self, style: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(item, _)| item.style == style);
        found.and_then(|(_, made)| made.prior_sha256.as_deref())
    }

    /// Returns the digests of what was predicted for an item, none if nothing of that is stored; nothing of an item that is
    /// not done.
    pub(super) fn predictions(&self, item: &ItemId) -> Option<Option<&Predictions>> {
        Some(self.0.get(item)?.predictions.as_ref())
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
