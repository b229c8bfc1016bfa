//! Counts over a run's committed shards. What is committed never changes, so each is read once, and again when it has
//! another revision or another size.
//!
//! What is stored of them saves reading and is no truth: another program may have written it, or another process that has
//! seen less. Of a run with this plan it is taken for a shard that it can be true of, as that is planned and listed; all
//! others are counted anew. So it does no harm which process stores it last.
//!
//! - `counts`, `reasons`: what is counted, and what people are told of it; `shard`: of one shard; `failures`: of those that
//!   failed for good
//! - `stored`, `update`, `totals`: counts are read, brought up to date, and added up

mod counts;
mod failures;
mod reasons;
mod shard;
mod stored;
mod totals;
mod update;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::ids::ShardId;

pub use self::counts::Counts;
pub(crate) use self::counts::is_doubtful;
pub use self::failures::Failures;
pub use self::reasons::{doubtful_line, reason_lines};
pub use self::shard::ShardTally;
pub use self::totals::count;

/// What a stored tally says about a shard. One of another version is counted anew.
const VERSION: u32 = 6;

/// Shards that are read at once.
pub(crate) const READS_AT_ONCE: usize = 32;

/// Counts of the committed shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    version: u32,
    /// The run's plan: another run may have had its name.
    #[serde(default)]
    plan_hash: String,
    shards: BTreeMap<ShardId, ShardTally>,
    /// Whether they come from storage and were not compared with the plan yet.
    #[serde(skip)]
    is_claimed: bool,
    /// Why committed shards could not be read when they were looked at last. They count as not done.
    #[serde(skip)]
    damaged: BTreeMap<ShardId, String>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            version: VERSION,
            plan_hash: String::new(),
            shards: BTreeMap::new(),
            is_claimed: false,
            damaged: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Returns the committed shards that could not be read when they were looked at last, with what helps.
    #[must_use]
    pub fn damaged(&self) -> &BTreeMap<ShardId, String> {
        &self.damaged
    }

    /// Returns what is counted of a shard; none if it is not committed.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> Option<&ShardTally> {
        self.shards.get(&shard)
    }

    /// Returns the committed shards, in the order of their ids.
    pub fn shards(&self) -> impl Iterator<Item = (ShardId, &ShardTally)> {
        self.shards.iter().map(|(&shard, tally)| (shard, tally))
    }
}

#[cfg(test)]
mod tests;
