//! Blocks of the manifest: shards of the same styles, whose rows are sorted together.

use std::io::Write;

use futures::future::try_join_all;
use shared::ids::ShardId;
use shared::manifest::{ManifestError, ManifestRow, ManifestWriter};
use shared::storage::Storage;

use super::failed_shard::{FailedShard, failed_rows};
use crate::output::quality::fold::RunFold;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{self, Ledger, LedgerError, ShardState};
use crate::run::plan::Shard;
use crate::run::tally::{Counts, READS_AT_ONCE, Tally};

/// Rows that are written at once.
const WRITTEN_AT_ONCE: usize = 8192;

/// Consecutive shards of the same group of styles. Styles are planned in groups in the order of their names, so blocks
/// one after the other are in the order of the manifest.
pub(super) fn blocks(shards: &[Shard]) -> impl Iterator<Item = &[Shard]> {
    let mut highest = 0;
    let starts = shards
        .iter()
        .enumerate()
        .filter_map(move |(position, shard)| {
            let begins = position == 0 || shard.styles.iter().all(|&style| style > highest);
            highest = shard.styles.iter().copied().fold(highest, usize::max);
            begins.then_some(position)
        });
    let starts: Vec<usize> = starts.collect();
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .copied()
        .chain([shards.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| &shards[start..end])
}

/// What becomes rows of a block of the manifest.
pub(super) struct Block<'a> {
    /// The rows of committed shards.
    committed: Vec<ManifestRow>,
    /// The shards whose attempts all failed. Their rows are made when they are written: of each shard, all say the same.
    failed: Vec<FailedShard<'a>>,
}

/// What was found of a shard.
enum Found<'a> {
    /// Its rows, which are committed.
    Rows(ShardId, Vec<ManifestRow>),
    Failed(Box<FailedShard<'a>>),
    Nothing,
}

/// What is made of rows on the way to the manifest.
pub(super) struct Sums<'a> {
    /// What outputs are like.
    pub(super) fold: &'a mut RunFold,
    /// Counts of committed shards.
    pub(super) tally: &'a mut Tally,
}

/// Returns what some shards become, and takes it into sums, in the order of the plan.
pub(super) async fn read_block<'a>(
    storage: &dyn Storage,
    run: &'a FrozenRun,
    ledger: &Ledger,
    shards: &'a [Shard],
    sums: &mut Sums<'_>,
) -> Result<Block<'a>, LedgerError> {
    let is_committed = |shard: &&Shard| ledger.committed.contains(&shard.id);
    let committed = shards.iter().filter(is_committed).map(Shard::num_items);
    let mut block = Block {
        committed: Vec::with_capacity(committed.sum()),
        failed: Vec::new(),
    };
    for part in shards.chunks(READS_AT_ONCE) {
        let reads = part.iter().map(|shard| find(storage, run, ledger, shard));
        let mut read = Vec::new();
        for found in try_join_all(reads).await? {
            match found {
                Found::Rows(shard, rows) => {
                    sums.tally.count_rows(&rows, ledger, shard);
                    read.extend(rows);
                }
                Found::Failed(failed) => block.failed.push(*failed),
                Found::Nothing => {}
            }
        }
        block.committed.append(&mut sums.fold.take_in(read).await);
    }
    Ok(block)
}

/// Returns what a shard becomes: the rows that were committed, rows that say that it failed, or none yet.
async fn find<'a>(
    storage: &dyn Storage,
    run: &'a FrozenRun,
    ledger: &Ledger,
    shard: &'a Shard,
) -> Result<Found<'a>, LedgerError> {
    let id = &run.record.run;
    match ledger.state(shard.id, run.record.limits.max_attempts) {
        ShardState::Committed | ShardState::Revising { .. } | ShardState::RevisionFailed { .. } => {
            let rows = ledger.shard_rows_with_features(storage, run, shard.id);
            Ok(Found::Rows(shard.id, rows.await?))
        }
        ShardState::Failed { last } => {
            let failure = ledger::failed_attempt(storage, id, shard.id, last).await?;
            Ok(Found::Failed(Box::new(FailedShard::new(
                run, shard, failure,
            ))))
        }
        ShardState::Open => Ok(Found::Nothing),
    }
}

impl Block<'_> {
    /// Writes its rows, sorted by style and content, and returns what they count.
    pub(super) fn write<W: Write + Send>(
        mut self,
        run: &FrozenRun,
        writer: &mut ManifestWriter<W>,
    ) -> Result<Counts, ManifestError> {
        // No item has two rows here, so that there is one order.
        self.committed.sort_unstable_by(|a, b| a.item.cmp(&b.item));
        let mut committed = self.committed.into_iter().peekable();
        let mut failed = failed_rows(&self.failed, &run.plan).peekable();
        let mut counts = Counts::default();
        loop {
            let mut rows = Vec::new();
            while rows.len() < WRITTEN_AT_ONCE {
                let next = match (committed.peek(), failed.peek()) {
                    (Some(one), Some(other)) if one.item > other.item => failed.next(),
                    (Some(_), _) => committed.next(),
                    (None, _) => failed.next(),
                };
                let Some(row) = next else { break };
                rows.push(row);
            }
            if rows.is_empty() {
                return Ok(counts);
            }
            counts.add(&Counts::of(&rows));
            writer.write(&rows)?;
        }
    }
}
