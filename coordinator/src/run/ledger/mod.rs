//! What storage says is done, what failed, and what was decided.
//!
//! - `reading`: the ledger, read from storage; `rows`: the rows of shards; `error`: why neither can be read
//! - `state`, `revisions`: where a shard stands; `mark`: all of them in a few numbers

mod error;
mod mark;
mod reading;
mod revisions;
mod rows;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use shared::decision::Decisions;
use shared::ids::ShardId;

pub use self::error::LedgerError;
pub use self::mark::Mark;
pub use self::rows::{Parts, failed_attempt};
pub use self::state::ShardState;

/// Which shards are committed, how often the others failed, and what was decided about the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The committed shards.
    pub committed: BTreeSet<ShardId>,
    /// Numbers of the revisions of each shard that are stored.
    pub revisions: BTreeMap<ShardId, BTreeSet<u32>>,
    /// Sizes of the stored commits, as revision 0 of their shards, and of revisions, in bytes.
    pub size_bytes: BTreeMap<(ShardId, u32), u64>,
    /// What lies among the shards and belongs to none that was planned, below the run's folder.
    pub orphans: BTreeSet<String>,
    /// Numbers of the failed attempts at each shard.
    pub failed_attempts: BTreeMap<ShardId, Vec<u32>>,
    /// What was decided.
    pub decisions: Decisions,
}
