//! The log of decisions as it is read and added to, and what holds by all of them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{ChangedInputs, Decision, DecisionError, DecisionKind, Retries, soundness};
use crate::artifact::ArtifactKey;
use crate::failure::MAX_ATTEMPT;
use crate::ids::{RunId, ShardId};
use crate::plan::Plan;
use crate::seal::{self, DocumentError};
use crate::storage::{Storage, StorageErrorKind, max_bytes_of};

/// What holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Number of decisions.
    pub count: u32,
    /// When the last one was made.
    pub last_at: Option<jiff::Timestamp>,
    /// Why the run is not worked on; nothing if it is open.
    pub halted: Option<String>,
    /// Number of the last attempt at a shard that no longer counts.
    pub reopened: BTreeMap<ShardId, u32>,
    /// Items that are not done and no longer count towards `max_failed`.
    pub acknowledged_failures: usize,
    /// Revisions of committed shards.
    pub retries: Retries,
    /// What holds in place of the plan's listings.
    pub changed_inputs: ChangedInputs,
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
        reopened.map_or(1, |last| last.saturating_add(1).min(MAX_ATTEMPT))
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
            let Some(decision) = read(storage, &key).await? else {
                break;
            };
            let follows = soundness::follows(&decision, &self.retries);
            follows.map_err(|source| malformed(storage, &key, source))?;
            self.take(decision);
        }
        Ok(self.count > known)
    }

    /// Proves that they name nothing but what a run's plan has.
    ///
    /// # Errors
    ///
    /// [`DecisionError::Malformed`] naming the one that does not.
    pub async fn check(
        &self,
        storage: &dyn Storage,
        run: &RunId,
        plan: &Plan,
    ) -> Result<(), DecisionError> {
        let Err(misfit) = soundness::fit(self, plan) else {
            return Ok(());
        };
        // Which of them it is takes reading them one by one.
        for number in 1..=self.count {
            let key = ArtifactKey::Decision(run.clone(), number);
            let mut alone = Self::default();
            if let Some(decision) = read(storage, &key).await? {
                alone.take(decision);
            }
            soundness::fit(&alone, plan).map_err(|source| malformed(storage, &key, source))?;
        }
        let last = ArtifactKey::Decision(run.clone(), self.count);
        Err(malformed(storage, &last, misfit))
    }

    fn take(&mut self, decision: Decision) {
        self.count += 1;
        self.last_at = Some(decision.at);
        match decision.what {
            DecisionKind::Halt { reason } => self.halted = Some(reason),
            DecisionKind::Resume {
                reopened,
                acknowledged_failures,
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
                self.acknowledged_failures = acknowledged_failures;
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
        decision: Decision,
    ) -> Result<(), DecisionError> {
        let key = ArtifactKey::Decision(run.clone(), self.count + 1);
        let json = Bytes::from(seal::document(&decision, &key));
        let (found, most) = (json.len() as u64, max_bytes_of(&key));
        if found > most {
            let run = run.clone();
            return Err(DecisionError::TooLarge { run, found, most });
        }
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

/// Returns a stored decision; nothing if there is none.
async fn read(storage: &dyn Storage, key: &ArtifactKey) -> Result<Option<Decision>, DecisionError> {
    let bytes = match storage.read(key).await {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => {
            let refused = error.refused().map(ToString::to_string);
            let refused = refused.map(DocumentError::Malformed);
            return Err(match refused {
                Some(source) => malformed(storage, key, source),
                None => error.into(),
            });
        }
    };
    let decision = Decision::parse(&bytes, key);
    decision
        .map(Some)
        .map_err(|source| malformed(storage, key, source))
}

fn malformed(storage: &dyn Storage, key: &ArtifactKey, source: DocumentError) -> DecisionError {
    DecisionError::Malformed {
        path: storage.locate(key),
        source,
    }
}

#[cfg(test)]
mod tests;
