//! Shards that are to be done again, with the reason.

use std::fmt;

use shared::decision::Items;
use shared::ids::ShardId;
use shared::manifest::{ManifestRow, Status};

use crate::run::gone::Gone;

/// A shard that is to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redo {
    /// The shard.
    pub shard: ShardId,
    /// Why.
    pub why: Why,
    /// Items of it that are to be made.
    pub num_items: usize,
}

/// Why a shard is to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is not committed.
    NotCommitted,
    /// It failed too often.
    Failed {
        /// Number of the last attempt.
        last: u32,
        /// Its error.
        error: String,
    },
    /// It is committed, and artifacts of it are gone.
    ArtifactsMissing(Gone),
    /// It is committed, and items of it are quarantined.
    Quarantined {
        /// The items.
        items: Items,
        /// Number of the last attempt that committed any of its rows.
        last_attempt: u32,
        /// Why the first of them is.
        reason: String,
        /// How many are for another reason.
        num_others: usize,
    },
    /// It is committed, and trying quarantined items of it again was decided before and has not ended.
    NotRevised {
        /// Quarantined items that are wanted too, and can be chosen once that has ended.
        num_later: usize,
    },
    /// It is committed, and trying quarantined items of it again failed too often.
    RevisionFailed {
        /// Number of the last attempt.
        last: u32,
        /// Its error.
        error: String,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCommitted => f.write_str("not committed"),
            Self::Failed { last, error } => write!(f, "failed, attempt {last}: {error}"),
            Self::ArtifactsMissing(gone) => {
                write!(f, "committed, but these are gone: {gone}")
            }
            Self::Quarantined {
                reason, num_others, ..
            } => match num_others {
                0 => write!(f, "quarantined: {reason}"),
                others => write!(f, "quarantined: {reason}; {others} for other reasons"),
            },
            Self::NotRevised { num_later: 0 } => f.write_str("quarantined, and to be tried again"),
            Self::NotRevised { num_later } => write!(
                f,
                "quarantined, and to be tried again; {num_later} more can be chosen once these have ended"
            ),
            Self::RevisionFailed { last, error } => {
                write!(
                    f,
                    "quarantined, and tried again without success, attempt {last}: {error}"
                )
            }
        }
    }
}

impl Why {
    /// Returns whether it is about quarantined items of its shard, and about no others.
    #[must_use]
    pub fn is_of_some_items(&self) -> bool {
        match self {
            Self::Quarantined { .. } | Self::NotRevised { .. } | Self::RevisionFailed { .. } => {
                true
            }
            Self::NotCommitted | Self::Failed { .. } | Self::ArtifactsMissing(_) => false,
        }
    }
}

/// Returns what is to be done again of a shard with these rows: its quarantined items that are `wanted`; nothing if
/// there are none.
pub(crate) fn of_quarantined(
    shard: ShardId,
    mut rows: Vec<ManifestRow>,
    wanted: impl Fn(&ManifestRow) -> bool,
) -> Option<Redo> {
    let last_attempt = rows.iter().map(|row| row.attempt).max()?;
    rows.retain(|row| row.status == Status::Quarantined && wanted(row));
    let first = rows.first()?.error.clone();
    let num_others = rows.iter().filter(|row| row.error != first).count();
    let items: Items = rows.into_iter().map(|row| row.item).collect();
    Some(Redo {
        shard,
        num_items: items.len(),
        why: Why::Quarantined {
            items,
            last_attempt,
            reason: first.unwrap_or_default(),
            num_others,
        },
    })
}
