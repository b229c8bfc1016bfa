//! Counts as they are stored: a beginning, which is compared with the run before it is believed.

use std::collections::BTreeMap;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::json;
use shared::seal;
use shared::storage::{Storage, StorageError, StorageErrorKind};

use super::{Tally, VERSION};
use crate::run::freeze::FrozenRun;
use crate::run::unreadable;

impl Tally {
    /// Returns the counts that were stored, as a beginning that [`Self::update`] compares with the run; nothing if there are
    /// none of this version that can be read.
    ///
    /// # Errors
    ///
    /// If storage does not answer.
    pub async fn stored(storage: &dyn Storage, run: &RunId) -> Result<Self, StorageError> {
        let key = ArtifactKey::Tally(run.clone());
        let Some(bytes) = unreadable::read_cache(storage, &key).await? else {
            return Ok(Self::default());
        };
        Ok(match seal::parse::<Self>(&bytes, &key) {
            Ok(tally) if tally.version == VERSION => Self {
                is_claimed: true,
                ..tally
            },
            Ok(_) => Self::default(),
            Err(error) => {
                tracing::warn!(%run, %error, "stored counts cannot be read: shards are counted anew");
                Self::default()
            }
        })
    }

    /// Stores the counts. Where something else is in their place, such as a folder, nothing is stored: without them shards
    /// are counted anew.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub async fn store(&self, storage: &dyn Storage, run: &RunId) -> Result<(), StorageError> {
        let key = ArtifactKey::Tally(run.clone());
        let json = Bytes::from(seal::seal(json::line(self).as_bytes(), &key));
        match storage.replace(&key, json).await {
            Err(error) if error.kind == StorageErrorKind::Invalid => {
                tracing::warn!(%run, error = chain(&error), "counts are not stored");
                Ok(())
            }
            stored => stored,
        }
    }

    /// Forgets what was stored and cannot be true of the run as it is planned.
    pub(super) fn compare_with(&mut self, run: &FrozenRun) {
        let plan_hash = &run.record.plan_hash;
        if std::mem::take(&mut self.is_claimed) {
            if self.plan_hash != *plan_hash {
                self.shards.clear();
            }
            let wrong = self.contradictions(run);
            if let Some((shard, why)) = wrong.first_key_value() {
                let (run, num_shards) = (&run.record.run, wrong.len());
                tracing::warn!(
                    %run, num_shards, %shard, why,
                    "stored counts cannot be those of their shards: these are counted anew"
                );
            }
            self.shards.retain(|shard, _| !wrong.contains_key(shard));
        }
        self.plan_hash.clone_from(plan_hash);
    }

    /// Returns the shards that are counted as they cannot be, or that were not planned, with why.
    pub(crate) fn contradictions(&self, run: &FrozenRun) -> BTreeMap<ShardId, String> {
        let shards = self.shards.iter().filter_map(|(&shard, tally)| {
            let why = match run.plan.shard(shard) {
                Some(planned) => tally.contradiction(&run.plan, planned)?,
                None => "it was not planned".to_owned(),
            };
            Some((shard, why))
        });
        shards.collect()
    }

    /// Returns whether they are of a run with this plan.
    pub(crate) fn is_of(&self, run: &FrozenRun) -> bool {
        self.plan_hash == run.record.plan_hash
    }
}
