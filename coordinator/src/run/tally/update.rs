//! Shards that are not counted yet, read and counted.

use std::collections::BTreeMap;

use futures::future::join_all;
use shared::failure::chain;
use shared::ids::ShardId;
use shared::manifest::ManifestRow;
use shared::storage::Storage;

use super::{READS_AT_ONCE, ShardTally, Tally};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError};

impl Tally {
    /// Returns counts of a run of which nothing is counted yet.
    pub(crate) fn anew(run: &FrozenRun) -> Self {
        Self {
            plan_hash: run.record.plan_hash.clone(),
            ..Self::default()
        }
    }

    /// Counts the rows that hold of a committed shard.
    pub(crate) fn count_rows(&mut self, rows: &[ManifestRow], ledger: &Ledger, shard: ShardId) {
        let tally = ShardTally::of_stored(rows, ledger, shard);
        self.shards.insert(shard, tally);
    }

    /// Returns the stored counts with those of the committed shards that were not counted yet.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if storage fails.
    pub async fn up_to_date(
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<Self, LedgerError> {
        let mut tally = Self::stored(storage, &run.record.run).await?;
        tally.update(storage, run, ledger).await?;
        Ok(tally)
    }

    /// Returns the same of a run whose committed shards must all be whole.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if one cannot be read, or has other rows than were planned.
    pub async fn whole(
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<Self, LedgerError> {
        let mut tally = Self::stored(storage, &run.record.run).await?;
        tally.update_whole(storage, run, ledger).await?;
        Ok(tally)
    }

    /// Reads the committed shards that are not counted yet; returns how many there were. One that is damaged is none of them:
    /// it is told by [`Self::damaged`].
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if storage fails.
    pub async fn update(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<usize, LedgerError> {
        let (counted, _) = self.read_new(storage, run, ledger).await?;
        Ok(counted)
    }

    /// Reads the committed shards that are not counted yet, all of which must be whole; returns how many there were.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if one cannot be read, or has other rows than were planned.
    pub async fn update_whole(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<usize, LedgerError> {
        match self.read_new(storage, run, ledger).await? {
            (counted, None) => Ok(counted),
            (_, Some(damage)) => Err(damage),
        }
    }

    /// Returns how many shards were counted, and what is wrong with the first that is damaged.
    async fn read_new(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
    ) -> Result<(usize, Option<LedgerError>), LedgerError> {
        self.compare_with(run);
        self.shards.retain(|&shard, tally| {
            ledger.committed.contains(&shard)
                && tally.revisions == ledger.num_revisions(shard)
                && tally.size_bytes == ledger.shard_bytes(shard)
        });
        let new: Vec<ShardId> = ledger
            .committed
            .iter()
            .filter(|shard| !self.shards.contains_key(shard))
            .copied()
            .collect();
        // What was damaged stays so until all was read: an outage in between says nothing of it.
        let mut damaged = BTreeMap::new();
        let (mut counted, mut damage) = (0, None);
        for part in new.chunks(READS_AT_ONCE) {
            let reads = part
                .iter()
                .map(|&shard| count_shard(storage, run, ledger, shard));
            for (&shard, read) in part.iter().zip(join_all(reads).await) {
                match read {
                    Ok(tally) => {
                        self.shards.insert(shard, tally);
                        counted += 1;
                    }
                    Err(error) if error.is_damage() => {
                        damaged.insert(shard, chain(&error));
                        damage.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        self.damaged = damaged;
        Ok((counted, damage))
    }
}

async fn count_shard(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shard: ShardId,
) -> Result<ShardTally, LedgerError> {
    let rows = ledger.counted_rows(storage, run, shard).await?;
    Ok(ShardTally::of_stored(&rows, ledger, shard))
}
