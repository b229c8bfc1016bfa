//! The log of decisions about a run: create-only objects.
//!
//! The last one says whether the run is halted; reopened shards, retries and changed inputs hold by all of them.
//!
//! - [`Decision`]: one of them; [`Decisions`]: what holds now, as it is read and added to
//! - [`Retry`]: quarantined items that are tried again; [`ChangedInput`]: inputs that are others than the plan says
//! - `soundness`: what no decision of ours says, and what one may name of a run's plan
//! - [`DecisionError`]: why decisions cannot be read, or one more not be made

mod error;
mod input;
mod log;
mod retry;
mod soundness;

pub use error::DecisionError;
pub use input::{ChangedInput, ChangedInputs, ChangedStyle};
pub use log::Decisions;
pub use retry::{Items, Retries, Retry};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::ids::ShardId;

/// A decision about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What was decided.
    pub what: DecisionKind,
    /// When.
    pub at: jiff::Timestamp,
}

/// What can be decided about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DecisionKind {
    /// It is not worked on any more.
    Halt {
        /// Why, for people.
        reason: String,
    },
    /// Work on it goes on.
    Resume {
        /// Shards that failed for good and are tried anew.
        reopened: Vec<Reopened>,
        /// Items that were quarantined or failed by then: they no longer count towards `max_failed`.
        #[serde(rename = "forgiven")]
        acknowledged_failures: usize,
        /// Quarantined items that are tried again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        retried: Vec<Retry>,
        /// Inputs that are others than the plan says, and of which nothing is stored.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed_inputs: Vec<ChangedInput>,
    },
}

/// A shard whose attempts count anew: it failed for good, or quarantined items of it are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reopened {
    /// The shard.
    pub shard: ShardId,
    /// Number of its last attempt: attempts up to it no longer count.
    pub last_attempt: u32,
}

impl Decision {
    /// Returns a decision that is made now, by a clock.
    #[must_use]
    pub fn made(what: DecisionKind, clock: &dyn Clock) -> Self {
        Self {
            what,
            at: clock.now(),
        }
    }
}
