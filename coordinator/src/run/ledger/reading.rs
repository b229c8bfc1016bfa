//! The ledger, read out of what storage lists.

use futures::TryStreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::decision::Decisions;
use shared::ids::ShardId;
use shared::storage::Storage;

use super::{Ledger, LedgerError};
use crate::run::freeze::FrozenRun;

impl Ledger {
    /// Reads what storage says about the planned shards of a run.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if storage cannot be listed or a decision cannot be read.
    pub async fn read(storage: &dyn Storage, run: &FrozenRun) -> Result<Self, LedgerError> {
        let num_shards = run.plan.shards.len();
        let is_planned = |shard: ShardId| (shard.0 as usize) < num_shards;
        let plan = &run.plan;
        let run = &run.record.run;
        let decisions = Decisions::read(storage, run).await?;
        decisions.check(storage, run, plan).await?;
        let mut ledger = Self {
            decisions,
            ..Self::default()
        };
        let prefix = ArtifactPrefix::Shards(run.clone());
        let folder = prefix.path();
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let stored = stored_shard(&object.path);
                let Some((shard, revision)) = stored.filter(|&(shard, _)| is_planned(shard)) else {
                    let name = object.path.strip_prefix(&folder).unwrap_or(&object.path);
                    ledger.orphans.insert(format!("shards/{name}"));
                    continue;
                };
                match revision {
                    None => {
                        ledger.committed.insert(shard);
                    }
                    Some(revision) => {
                        ledger.revisions.entry(shard).or_default().insert(revision);
                    }
                }
                let number = revision.unwrap_or(0);
                ledger.size_bytes.insert((shard, number), object.size_bytes);
            }
        }
        let prefix = ArtifactPrefix::FailedAttempts(run.clone());
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let stored = stored_attempt(&object.path);
                if let Some((shard, attempt)) = stored.filter(|&(shard, _)| is_planned(shard)) {
                    let attempts = ledger.failed_attempts.entry(shard).or_default();
                    attempts.push(attempt);
                }
            }
        }
        Ok(ledger)
    }
}

/// Returns which shard an object at this path holds the rows of, and for a revision its number.
fn stored_shard(path: &str) -> Option<(ShardId, Option<u32>)> {
    match ArtifactKey::parse(path)? {
        ArtifactKey::Shard(_, shard) => Some((shard, None)),
        ArtifactKey::ShardRevision(_, shard, revision) => Some((shard, Some(revision))),
        _ => None,
    }
}

/// Returns which attempt at which shard an object at this path is the record of.
fn stored_attempt(path: &str) -> Option<(ShardId, u32)> {
    match ArtifactKey::parse(path)? {
        ArtifactKey::FailedAttempt(_, shard, attempt) => Some((shard, attempt)),
        _ => None,
    }
}
