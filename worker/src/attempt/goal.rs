//! What an attempt is to make of its shard.

use shared::decision::Items;
use shared::manifest::{ManifestRow, Status};

use super::AttemptError;

/// What an attempt is to make of its shard.
#[derive(Debug, Clone, PartialEq)]
pub enum Goal {
    /// All of it: its rows are its commit.
    Shard,
    /// Quarantined items of it, which is committed: their rows are the commit of a revision.
    Revision {
        /// Number of the revision.
        number: u32,
        /// The items.
        items: Items,
        /// Rows of those that are done by now, as the shard was made again meanwhile: they are committed as they are.
        done: Vec<ManifestRow>,
    },
    /// Images of it that are gone, made again as the rows say that hold of it. Nothing is committed.
    Repair {
        /// The rows.
        rows: Vec<ManifestRow>,
    },
}

impl Goal {
    /// Returns whether an item is to be made.
    pub(super) fn has(&self, style: &str, content: &str) -> bool {
        match self {
            Self::Shard => true,
            Self::Revision { items, done, .. } => {
                let is_it =
                    |row: &ManifestRow| row.item.style == style && row.item.content == content;
                items.has(style, content) && !done.iter().any(is_it)
            }
            // What is quarantined has no image, and gets none but by a revision.
            Self::Repair { rows } => rows.iter().any(|row| {
                row.status == Status::Done && row.item.style == style && row.item.content == content
            }),
        }
    }
}

/// Checks that what was made for committed rows is what they speak of.
pub(super) fn check_same_images(
    made: &[ManifestRow],
    committed: &[ManifestRow],
) -> Result<(), AttemptError> {
    for row in made {
        let there = committed.iter().find(|there| there.item == row.item);
        let there = there.and_then(|there| there.output.as_ref());
        if let (Some(made), Some(there)) = (&row.output, there)
            && made.image_sha256 != there.image_sha256
        {
            return Err(AttemptError::Differs {
                path: made.image_key.clone(),
                made: made.image_sha256.clone(),
                committed: there.image_sha256.clone(),
            });
        }
    }
    Ok(())
}
