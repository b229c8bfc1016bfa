//! What was decided about a run after its start: a log of create-only objects, the last of which holds.
//!
//! - [`Retry`]: quarantined items that are tried again; [`ChangedInput`]: inputs that are others than the plan says

mod input;
mod retry;

use std::collections::BTreeMap;

use bytes::Bytes;
pub use input::{ChangedInput, ChangedInputs, ChangedStyle};
pub use retry::{Items, Retries, Retry};
use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactKey;
use crate::ids::{RunId, ShardId};
use crate::seal::{self, DocumentError};
use crate::storage::{Storage, StorageError, StorageErrorKind};

/// A decision about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What was decided.
    pub what: Decided,
    /// When.
    pub at: jiff::Timestamp,
}

/// What can be decided about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Decided {
    /// Nobody works on it any more.
    Halt {
        /// Why, for people.
        reason: String,
    },
    /// Work on it goes on.
    Resume {
        /// Shards that failed for good and are tried anew.
        reopened: Vec<Reopened>,
        /// Items that were quarantined or failed by then: they no longer count towards `max_failed`.
        forgiven: usize,
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

/// What holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Number of decisions.
    pub count: u32,
    /// When the last one was made.
    pub last_at: Option<jiff::Timestamp>,
    /// Why nobody works on the run; nothing if it is open.
    pub halted: Option<String>,
    /// Number of the last attempt at a shard that no longer counts.
    pub reopened: BTreeMap<ShardId, u32>,
    /// Items that are not done and no longer count towards `max_failed`.
    pub forgiven: usize,
    /// Revisions of committed shards.
    pub retries: Retries,
    /// What holds in place of the plan's listings.
    pub changed_inputs: ChangedInputs,
}

/// Why decisions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// One of them is no decision.
    #[error("{path} is no decision of this version")]
    Malformed {
        /// The object.
        path: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// Another decision came first, and what was to be decided depends on it.
    #[error("something else was decided about run {run} meanwhile: look at it, and decide anew")]
    Meanwhile {
        /// The run.
        run: RunId,
    },
}

impl Decisions {
    /// Reads what holds now.
    ///
    /// # Errors
    ///
    /// [`DecisionError`] naming the object.
    pub async fn read(storage: &dyn Storage, run: &RunId) -> Result<Self, DecisionError> {
        let mut decisions = Self::default();
        decisions.read_new(storage, run).await?;
        Ok(decisions)
    }

    /// Returns the number of the first attempt at a shard that counts.
    #[must_use]
    pub fn first_attempt(&self, shard: ShardId) -> u32 {
        let reopened = self.reopened.get(&shard);
        reopened.map_or(1, |last| last.saturating_add(1))
    }

    /// Reads those that came since; returns whether there were any.
    ///
    /// # Errors
    ///
    /// [`DecisionError`] naming the object.
    pub async fn read_new(
        &mut self,
        storage: &dyn Storage,
        run: &RunId,
    ) -> Result<bool, DecisionError> {
        // They are numbered without a gap, so looking for the next one is cheaper than listing.
        let known = self.count;
        loop {
            let key = ArtifactKey::Decision(run.clone(), self.count + 1);
            let bytes = match storage.read(&key).await {
                Ok(bytes) => bytes,
                // One that is there and cannot be read is an error: nobody knows what holds without it.
                Err(error) if error.is_absent() => break,
                Err(error) => return Err(error.into()),
            };
            let decision: Decision =
                seal::parse(&bytes, &key).map_err(|source| DecisionError::Malformed {
                    path: storage.locate(&key),
                    source,
                })?;
            self.take(decision);
        }
        Ok(self.count > known)
    }

    fn take(&mut self, decision: Decision) {
        self.count += 1;
        self.last_at = Some(decision.at);
        match decision.what {
            Decided::Halt { reason } => self.halted = Some(reason),
            Decided::Resume {
                reopened,
                forgiven,
                retried,
                changed_inputs,
            } => {
                self.halted = None;
                retried
                    .into_iter()
                    .for_each(|retry| self.retries.add(retry));
                changed_inputs
                    .into_iter()
                    .for_each(|input| self.changed_inputs.add(input));
                self.reopened
                    .extend(reopened.iter().map(|r| (r.shard, r.last_attempt)));
                self.forgiven = forgiven;
            }
        }
    }

    /// Stores a decision that depends on those that are known, as the next one.
    ///
    /// # Errors
    ///
    /// [`DecisionError::Meanwhile`] if another one was stored since they were read.
    pub async fn decide_next(
        &mut self,
        storage: &dyn Storage,
        run: &RunId,
        what: Decided,
    ) -> Result<(), DecisionError> {
        let decision = Decision {
            what,
            at: jiff::Timestamp::now(),
        };
        let key = ArtifactKey::Decision(run.clone(), self.count + 1);
        let json = Bytes::from(seal::document(&decision, &key));
        match storage.create(&key, json).await {
            Ok(_) => {
                self.take(decision);
                Ok(())
            }
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                Err(DecisionError::Meanwhile { run: run.clone() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::LocalStorage;

    #[tokio::test]
    async fn the_last_decision_holds_and_none_is_stored_by_who_does_not_know_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalStorage::new(folder.path());
        let run: RunId = "demo".parse().unwrap();
        let (mut here, mut there) = (Decisions::default(), Decisions::default());
        let halt = Decided::Halt {
            reason: "cancelled".into(),
        };
        here.decide_next(&storage, &run, halt).await.unwrap();
        let halted_at = here.last_at.unwrap();
        let resume = Decided::Resume {
            reopened: vec![Reopened {
                shard: ShardId(4),
                last_attempt: 3,
            }],
            forgiven: 5,
            retried: Vec::new(),
            changed_inputs: Vec::new(),
        };
        let refused = there.decide_next(&storage, &run, resume.clone()).await;
        assert!(matches!(refused, Err(DecisionError::Meanwhile { .. })));
        assert_eq!(there, Decisions::default());
        there.read_new(&storage, &run).await.unwrap();
        assert_eq!(there, here);
        there.decide_next(&storage, &run, resume).await.unwrap();

        assert!(there.last_at.unwrap() >= halted_at);
        let expected = Decisions {
            count: 2,
            last_at: there.last_at,
            halted: None,
            reopened: BTreeMap::from([(ShardId(4), 3)]),
            forgiven: 5,
            ..Decisions::default()
        };
        assert_eq!(there, expected);
        assert!(here.read_new(&storage, &run).await.unwrap());
        assert_eq!(here, expected);
        assert_eq!(Decisions::read(&storage, &run).await.unwrap(), expected);
        assert!(!here.read_new(&storage, &run).await.unwrap());
    }

    #[tokio::test]
    async fn a_decision_that_is_there_and_cannot_be_read_is_no_end_of_decisions() {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalStorage::new(folder.path());
        let run: RunId = "demo".parse().unwrap();
        let path = folder.path().join("runs/demo/decisions/000001.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/no/such/file", &path).unwrap();
        let error = Decisions::read(&storage, &run).await.unwrap_err();
        assert!(error.to_string().contains("000001.json"), "{error}");
    }
}
