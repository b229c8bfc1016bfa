//! What has changed since a version, for those who show it.

use std::collections::BTreeSet;

use shared::ids::RunId;
use tokio::sync::watch;

use super::LiveState;

/// What has changed since a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LiveChanges {
    /// The version that this leads to.
    pub version: u64,
    /// The runs that changed, or whose workers did something.
    pub runs: Vec<RunId>,
    /// Whether workers did something, or messages at the broker.
    pub fleet: bool,
    /// Whether storage or the broker answers again or no more, or runs came and went.
    pub health: bool,
}

impl LiveState {
    /// Returns what has changed since a version.
    #[must_use]
    pub fn changes_since(&self, version: u64) -> LiveChanges {
        let seen = self.seen();
        let newer = seen
            .runs
            .iter()
            .filter(|(_, noted)| noted.version > version);
        let worked_on = seen.worked_on.iter().filter(|(_, at)| **at > version);
        let runs: BTreeSet<&RunId> = newer
            .map(|(run, _)| run)
            .chain(worked_on.map(|(run, _)| run))
            .collect();
        LiveChanges {
            version: *self.version.borrow(),
            runs: runs.into_iter().cloned().collect(),
            fleet: seen.fleet_version > version,
            health: seen.health_version > version,
        }
    }

    /// Returns the number of the newest change, to be waited upon.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}
