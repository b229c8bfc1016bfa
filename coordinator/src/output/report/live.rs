//! The report of a run under way, brought up to date now and then. Each committed shard is read once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared::clock::SystemClock;
use shared::ids::ShardId;
use shared::storage::Storage;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::RunReport;
use super::make::Material;
use crate::output::collect::{self, Fold};
use crate::output::quality::fold::RunFold;
use crate::run::cost::Workload;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError};
use crate::run::tally::{Counts, READS_AT_ONCE};

/// Between two reports at least.
const EVERY: Duration = Duration::from_secs(20);
/// Making reports takes at most one part in so many of the time.
const SHARE: u32 = 10;
/// Between two times that a damaged shard is read: it may be put right.
const READ_DAMAGED_EVERY: Duration = Duration::from_secs(30);
/// Shards that are read at one look, so that a run which is far along does not keep the others waiting.
const SHARDS_AT_A_LOOK: usize = 2_000;

/// What the committed shards of a run are like so far.
pub struct LiveReport {
    run: Arc<FrozenRun>,
    fold: RunFold,
    /// The shards that are folded, with the number of revisions of each.
    folded: BTreeMap<ShardId, u32>,
    /// The shards that could not be read, and when they were read last.
    damaged: BTreeMap<ShardId, Instant>,
    /// The report that is being made, and since when. Decomposing covariances takes seconds, and nothing waits for it.
    making: Option<(JoinHandle<RunReport>, Instant)>,
    /// Commits that the last report is about, and when the next one may be made.
    last: Option<(usize, Instant)>,
}

impl LiveReport {
    /// Returns what no shards are like.
    #[must_use]
    pub fn new(run: &Arc<FrozenRun>) -> Self {
        Self {
            run: Arc::clone(run),
            fold: RunFold::new(run.record.quality.per_class),
            folded: BTreeMap::new(),
            damaged: BTreeMap::new(),
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
        let is_there = |(shard, revisions): (&ShardId, &u32)| {
            ledger.committed.contains(shard) && *revisions <= ledger.num_revisions(*shard)
        };
        if !self.folded.iter().all(is_there) {
            // A shard was removed to have it made again.
            *self = Self::new(&self.run);
        }
        self.damaged
            .retain(|_, read| read.elapsed() < READ_DAMAGED_EVERY);
        let committed = ledger.committed.iter();
        let readable = committed.filter(|shard| !self.damaged.contains_key(shard));
        let new = readable.filter_map(|&shard| {
            let revisions = ledger.num_revisions(shard);
            let fold = match self.folded.get(&shard) {
                None => Fold::All(shard),
                Some(&known) if known < revisions => Fold::Since(shard, known),
                Some(_) => return None,
            };
            Some((fold, (shard, revisions)))
        });
        let mut new: Vec<_> = new.take(SHARDS_AT_A_LOOK + 1).collect();
        let behind = new.len() > SHARDS_AT_A_LOOK;
        new.truncate(SHARDS_AT_A_LOOK);
        for part in new.chunks(READS_AT_ONCE) {
            let folds: Vec<Fold> = part.iter().map(|&(fold, _)| fold).collect();
            let unread =
                collect::fold_readable(storage, &self.run, ledger, &folds, &mut self.fold).await?;
            let folded = part.iter().map(|&(_, folded)| folded);
            self.folded
                .extend(folded.filter(|(shard, _)| !unread.contains(shard)));
            self.damaged
                .extend(unread.into_iter().map(|shard| (shard, Instant::now())));
        }
        let made = self.take_made().await;
        if self.making.is_none() && !behind && self.is_due() {
            let is_damaged = |shard| self.damaged.contains_key(&shard);
            let left = Workload::left(&self.run, ledger, is_damaged);
            self.make(counts.clone(), left);
        }
        Ok(made)
    }

    fn is_due(&self) -> bool {
        match self.last {
            Some((commits, next)) => commits != self.num_commits() && Instant::now() >= next,
            None => !self.folded.is_empty(),
        }
    }

    fn num_commits(&self) -> usize {
        let revisions = self.folded.values().map(|&revisions| revisions as usize);
        self.folded.len() + revisions.sum::<usize>()
    }

    fn make(&mut self, counts: Counts, left: Workload) {
        let (run, fold) = (Arc::clone(&self.run), self.fold.clone());
        let make = async move {
            let material = Material {
                run: &run,
                counts: &counts,
                left,
                fold,
                reference: None,
                is_complete: false,
            };
            material.report(&SystemClock).await
        };
        let started = Instant::now();
        self.last = Some((self.num_commits(), started));
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
