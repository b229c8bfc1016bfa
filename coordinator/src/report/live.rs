//! The report of a run under way, brought up to date now and then. Each committed shard is read once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use shared::ids::ShardId;
use shared::storage::Storage;

use super::RunReport;
use super::make::Material;
use crate::collect;
use crate::freeze::FrozenRun;
use crate::ledger::{Ledger, LedgerError};
use crate::quality::fold::RunFold;
use crate::tally::Counts;

/// Between two reports at least.
const EVERY: Duration = Duration::from_secs(20);
/// Making reports takes at most one part in so many of the time.
const SHARE: u32 = 10;
/// Shards that are read at one look, so that a run which is far along does not keep the others waiting.
const SHARDS_AT_A_LOOK: usize = 2_000;

/// What the committed shards of a run are like so far.
pub struct LiveReport {
    fold: RunFold,
    folded: BTreeSet<ShardId>,
    /// Shards that the last report was about, and when the next one may be made.
    last: Option<(usize, Instant)>,
}

impl LiveReport {
    /// Returns what no shards are like.
    #[must_use]
    pub fn new(run: &FrozenRun) -> Self {
        Self {
            fold: RunFold::new(run.record.quality.per_class),
            folded: BTreeSet::new(),
            last: None,
        }
    }

    /// Has the next report made as soon as there is something new.
    pub fn make_at_once(&mut self) {
        if let Some((_, next)) = &mut self.last {
            *next = Instant::now();
        }
    }

    /// Returns a report if there is something new and it is time to say so.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if a shard cannot be read.
    pub async fn refresh(
        &mut self,
        storage: &dyn Storage,
        run: &FrozenRun,
        ledger: &Ledger,
        counts: &Counts,
    ) -> Result<Option<RunReport>, LedgerError> {
        if !self.folded.is_subset(&ledger.committed) {
            // Somebody removed a shard to have it made again.
            *self = Self::new(run);
        }
        let new: Vec<ShardId> = ledger
            .committed
            .difference(&self.folded)
            .take(SHARDS_AT_A_LOOK)
            .copied()
            .collect();
        collect::fold_shards(storage, run, &new, &mut self.fold).await?;
        self.folded.extend(new);
        let behind = self.folded.len() < ledger.committed.len();
        let due = match self.last {
            Some((shards, next)) => shards != self.folded.len() && Instant::now() >= next,
            None => !self.folded.is_empty(),
        };
        if behind || !due {
            return Ok(None);
        }
        let started = Instant::now();
        let material = Material {
            run,
            counts,
            fold: self.fold.clone(),
            reference: None,
        };
        let report = material.report().await;
        let pause = EVERY.max(SHARE * started.elapsed());
        self.last = Some((self.folded.len(), Instant::now() + pause));
        Ok(Some(report))
    }
}
