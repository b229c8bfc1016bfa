//! What is asked of a worker: the payload of a message.

use serde::{Deserialize, Serialize};

use crate::decision::ChangedInputs;
use crate::ids::{RunId, ShardId};
use crate::listing::Listing;

/// A shard that is to be made. It holds pointers only; what the run is stands in its `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardTask {
    /// The run.
    pub run: RunId,
    /// The shard.
    pub shard: ShardId,
    /// Attempts from this number on count towards the run's `max_attempts`; 1 unless the shard failed for good before
    /// and is tried anew.
    pub first_attempt: u32,
    /// Whether images of a shard that is committed are missing and are to be made again.
    #[serde(default)]
    pub repair: bool,
    /// Number of the revision of a committed shard that is to be made: the items that a decision about the run names.
    /// 0 for the shard itself.
    #[serde(default)]
    pub revision: u32,
    /// Its contents.
    pub contents: Vec<Listing>,
    /// Its styles.
    pub styles: Vec<Listing>,
    /// The span that published it, as W3C Trace Context writes it, if traces are collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl ShardTask {
    /// Returns the task as the payload of a message.
    ///
    /// # Panics
    ///
    /// Never: a task is JSON.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a task is JSON")
    }

    /// Returns the task with inputs that were changed after it was published, and that the run goes on with.
    #[must_use]
    pub fn with_changes(&self, changed: &ChangedInputs) -> Self {
        let content = |planned| changed.content(planned).clone();
        let style = |planned| changed.style(planned).clone();
        Self {
            contents: self.contents.iter().map(content).collect(),
            styles: self.styles.iter().map(style).collect(),
            ..self.clone()
        }
    }

    /// Returns the task that a payload holds.
    ///
    /// # Errors
    ///
    /// If it holds none.
    pub fn from_payload(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}
