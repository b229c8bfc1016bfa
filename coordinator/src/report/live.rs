//! The report of a run under way, brought up to date now and then. Each committed shard is read once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shared::ids::ShardId;
use shared::storage::Storage;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::RunReport;
use super::make::Material;
use crate::collect;
use crate::freeze::FrozenRun;
use crate::ledger::{Ledger, LedgerError};
use crate::quality::fold::RunFold;
use crate::tally::{Counts, READS_AT_ONCE};

/// Between two reports at least.
const EVERY: Duration = Duration::from_secs(20);
/// Making reports takes at most one part in so many of the time.
const SHARE: u32 = 10;
/// Shards that are read at one look, so that a run which is far along does not keep the others waiting.
const SHARDS_AT_A_LOOK: usize = 2_000;

/// What the committed shards of a run are like so far.
pub struct LiveReport {
    run: Arc<FrozenRun>,
    fold: RunFold,
    folded: BTreeSet<ShardId>,
    /// The report that is being made, and since when. Decomposing covariances takes seconds, and nobody waits for it.
    making: Option<(JoinHandle<RunReport>, Instant)>,
    /// Shards that the last report is about, and when the next one may be made.
    last: Option<(usize, Instant)>,
}

impl LiveReport {
    /// Returns what no shards are like.
    #[must_use]
    pub fn new(run: &Arc<FrozenRun>) -> Self {
        Self {
            run: Arc::clone(run),
            fold: RunFold::new(run.record.quality.per_class),
            folded: BTreeSet::new(),
            making: None,
            last: None,
        }
    }

    /// Reads what is new, and returns a report if one was finished since.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if a shard cannot be read.
    pub async fn refresh(
        &mut self,
        storage: &dyn Storage,
        ledger: &Ledger,
        counts: &Counts,
    ) -> Result<Option<RunReport>, LedgerError> {
        if !self.folded.is_subset(&ledger.committed) {
            // Somebody removed a shard to have it made again.
            *self = Self::new(&self.run);
        }
        let new: Vec<ShardId> = ledger
            .committed
            .difference(&self.folded)
            .take(SHARDS_AT_A_LOOK)
            .copied()
            .collect();
        for part in new.chunks(READS_AT_ONCE) {
            collect::fold_in(storage, &self.run, part, &mut self.fold).await?;
            self.folded.extend(part);
        }
        let made = self.take_made().await;
        let behind = self.folded.len() < ledger.committed.len();
        if self.making.is_none() && !behind && self.is_due() {
            self.make(counts.clone());
        }
        Ok(made)
    }

    fn is_due(&self) -> bool {
        match self.last {
            Some((shards, next)) => shards != self.folded.len() && Instant::now() >= next,
            None => !self.folded.is_empty(),
        }
    }

    fn make(&mut self, counts: Counts) {
        let (run, fold) = (Arc::clone(&self.run), self.fold.clone());
        let make = async move {
            let material = Material {
                run: &run,
                counts: &counts,
                fold,
                reference: None,
                is_complete: false,
            };
            material.report().await
        };
        let started = Instant::now();
        self.last = Some((self.folded.len(), started));
        self.making = Some((tokio::spawn(make), started));
    }

    async fn take_made(&mut self) -> Option<RunReport> {
        let (task, started) = self.making.take_if(|(task, _)| task.is_finished())?;
        let pause = EVERY.max(SHARE * started.elapsed());
        if let Some((_, next)) = &mut self.last {
            *next = Instant::now() + pause;
        }
        match task.await {
            Ok(report) => Some(report),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The program is going down.
                Err(_) => None,
            },
        }
    }
}
