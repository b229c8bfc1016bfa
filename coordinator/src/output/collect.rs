//! The run's manifest, made from its shards; it can be made again at any time.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write;

use futures::future::try_join_all;
use jiff::Timestamp;
use shared::artifact::ArtifactKey;
use shared::failure::FailedAttempt;
use shared::ids::{ItemId, ShardId};
use shared::manifest::{ManifestError, ManifestRow, ManifestWriter, RowOrigin, Status};
use shared::storage::{Storage, StorageError};

use crate::output::quality::fold::RunFold;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{self, Ledger, LedgerError, Mark, Parts, ShardState};
use crate::run::plan::{Plan, Shard};
use crate::run::tally::{Counts, READS_AT_ONCE, Tally};

/// Rows that are written at once.
const WRITTEN_AT_ONCE: usize = 8192;

/// Why the manifest cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A shard cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The manifest cannot be encoded.
    #[error("the run's manifest failed")]
    Manifest(#[from] ManifestError),
    /// The manifest cannot be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file in which it is made cannot be opened again.
    #[error("cannot open the file in which the run's manifest is made")]
    Temporary(#[from] std::io::Error),
}

/// What a run's shards say.
#[derive(Debug, Default)]
pub struct Collected {
    /// What they count: rows of committed shards, and `failed` for items of shards whose attempts all failed.
    pub counts: Counts,
    /// What the outputs are like together.
    pub fold: RunFold,
    /// What was stored of the shards.
    pub mark: Mark,
}

/// Stores `manifest.parquet` and returns what the run's shards say.
///
/// Rows are sorted by style and content. Committed rows of styles that share shards are held in memory together, and no
/// others; of every style, sums over its features and a sample of them.
///
/// # Errors
///
/// [`CollectError`] if a shard cannot be read or the manifest cannot be stored.
pub async fn collect(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Collected, CollectError> {
    let id = &run.record.run;
    // What was listed may be of a process that was killed before it survived a crash, and a manifest speaks of what does.
    if let Some(&shard) = ledger.committed.first() {
        storage
            .settle(&ArtifactKey::Shard(id.clone(), shard))
            .await?;
    }
    let file = storage.temporary_file()?;
    let mut writer = ManifestWriter::new(file.reopen()?)?;
    let mut collected = Collected {
        fold: RunFold::new(run.record.quality.per_class),
        mark: ledger.mark(),
        ..Collected::default()
    };
    for block in blocks(&run.plan.shards) {
        let block = read_block(storage, run, ledger, block, &mut collected.fold).await?;
        collected.counts.add(&block.write(run, &mut writer)?);
    }
    writer.finish()?;
    storage
        .replace_from_file(&ArtifactKey::Manifest(id.clone()), file.path())
        .await?;
    Ok(collected)
}

/// Returns what the committed outputs are like together, without storing anything. Shards that are damaged are left out.
///
/// # Errors
///
/// [`LedgerError`] if storage fails.
pub async fn fold(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<RunFold, LedgerError> {
    let mut fold = RunFold::new(run.record.quality.per_class);
    let all: Vec<Fold> = ledger
        .committed
        .iter()
        .map(|&shard| Fold::All(shard))
        .collect();
    for part in all.chunks(READS_AT_ONCE) {
        fold_readable(storage, run, ledger, part, &mut fold).await?;
    }
    Ok(fold)
}

/// What of a committed shard is to be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// All that holds.
    All(ShardId),
    /// What is done since there were so many revisions.
    Since(ShardId, u32),
}

impl Fold {
    fn shard(self) -> ShardId {
        match self {
            Self::All(shard) | Self::Since(shard, _) => shard,
        }
    }
}

/// Adds a few committed shards to a fold, in their order, but for those that are damaged, which it returns: who counts them
/// tells them.
///
/// # Errors
///
/// [`LedgerError`] if storage fails.
pub async fn fold_readable(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shards: &[Fold],
    fold: &mut RunFold,
) -> Result<BTreeSet<ShardId>, LedgerError> {
    let mut damaged = BTreeSet::new();
    match fold_in(storage, run, ledger, shards, fold).await {
        Err(error) if error.is_damage() => {}
        folded => return folded.map(|()| damaged),
    }
    for shard in shards {
        let one = std::slice::from_ref(shard);
        match fold_in(storage, run, ledger, one, fold).await {
            Err(error) if error.is_damage() => {
                damaged.insert(shard.shard());
            }
            folded => folded?,
        }
    }
    Ok(damaged)
}

/// Adds a few committed shards to a fold, in their order: all of them or, after an error, none.
///
/// # Errors
///
/// [`LedgerError`] if one cannot be read.
pub async fn fold_in(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shards: &[Fold],
    fold: &mut RunFold,
) -> Result<(), LedgerError> {
    let reads = shards.iter().map(|&what| async move {
        match what {
            Fold::All(shard) => ledger.shard_rows_with_features(storage, run, shard).await,
            Fold::Since(shard, revisions) => {
                let parts = ledger
                    .shard_parts_with_features(storage, run, shard)
                    .await?;
                Ok(done_since(parts, revisions))
            }
        }
    });
    let rows = try_join_all(reads).await?;
    fold.take_in(rows.into_iter().flatten().collect()).await;
    Ok(())
}

/// Returns the rows that are done and were not when there were so many revisions.
fn done_since(parts: Parts, revisions: u32) -> Vec<ManifestRow> {
    let is_done = |row: &ManifestRow| row.status == Status::Done;
    let before = parts.effective_at(revisions as usize);
    let before: HashSet<ItemId> = before
        .into_iter()
        .filter(is_done)
        .map(|row| row.item)
        .collect();
    let mut rows = parts.effective();
    rows.retain(|row| is_done(row) && !before.contains(&row.item));
    rows
}

/// Brings the stored counts up to date, and returns them.
///
/// # Errors
///
/// [`CollectError`] if a shard cannot be read or the counts cannot be stored.
pub async fn store_tally(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Tally, CollectError> {
    let id = &run.record.run;
    let mut tally = Tally::stored(storage, id).await?;
    if tally.update_whole(storage, run, ledger).await? > 0 {
        tally.store(storage, id).await?;
    }
    Ok(tally)
}

/// Counts every committed shard anew, as storage has it now, and stores that: whatever was counted before may be of a shard
/// that was removed and made again.
///
/// # Errors
///
/// [`CollectError`] if a shard cannot be read or the counts cannot be stored.
pub async fn store_tally_anew(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Tally, CollectError> {
    let id = &run.record.run;
    let mut tally = Tally::default();
    tally.update_whole(storage, run, ledger).await?;
    tally.store(storage, id).await?;
    Ok(tally)
}

/// Consecutive shards of the same group of styles. Styles are planned in groups in the order of their names, so blocks
/// one after the other are in the order of the manifest.
fn blocks(shards: &[Shard]) -> impl Iterator<Item = &[Shard]> {
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
#[derive(Default)]
struct Block<'a> {
    /// The rows of committed shards.
    committed: Vec<ManifestRow>,
    /// The shards whose attempts all failed. Their rows are made when they are written: of each shard, all say the same.
    failed: Vec<FailedShard<'a>>,
}

/// What was found of a shard.
enum Found<'a> {
    Rows(Vec<ManifestRow>),
    Failed(Box<FailedShard<'a>>),
}

/// Returns what some shards become, and folds what their outputs are like, in the order of the plan.
async fn read_block<'a>(
    storage: &dyn Storage,
    run: &'a FrozenRun,
    ledger: &Ledger,
    shards: &'a [Shard],
    fold: &mut RunFold,
) -> Result<Block<'a>, LedgerError> {
    let mut block = Block::default();
    for part in shards.chunks(READS_AT_ONCE) {
        let reads = part.iter().map(|shard| find(storage, run, ledger, shard));
        let mut read = Vec::new();
        for found in try_join_all(reads).await? {
            match found {
                Found::Rows(rows) => read.extend(rows),
                Found::Failed(failed) => block.failed.push(*failed),
            }
        }
        block.committed.append(&mut fold.take_in(read).await);
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
            Ok(Found::Rows(rows.await?))
        }
        ShardState::Failed { last } => {
            let failure = ledger::failed_attempt(storage, id, shard.id, last).await?;
            Ok(Found::Failed(Box::new(FailedShard::new(
                run, shard, failure,
            ))))
        }
        ShardState::Open => Ok(Found::Rows(Vec::new())),
    }
}

impl Block<'_> {
    /// Writes its rows, sorted by style and content, and returns what they count.
    fn write<W: Write + Send>(
        mut self,
        run: &FrozenRun,
        writer: &mut ManifestWriter<W>,
    ) -> Result<Counts, ManifestError> {
        self.committed.sort_by(|a, b| a.item.cmp(&b.item));
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

/// Returns the rows of shards that failed, sorted by style and content, each made when it is asked for.
fn failed_rows<'a>(
    failed: &'a [FailedShard<'a>],
    plan: &'a Plan,
) -> impl Iterator<Item = ManifestRow> + 'a {
    let mut of_styles: BTreeMap<&str, Vec<(usize, &FailedShard<'_>)>> = BTreeMap::new();
    for shard in failed {
        for &style in &shard.shard.styles {
            let of_style = of_styles.entry(plan.styles[style].name()).or_default();
            of_style.push((style, shard));
        }
    }
    of_styles.into_values().flat_map(move |shards| {
        let items = shards.into_iter().flat_map(|(style, shard)| {
            let contents = shard.shard.contents.iter();
            contents.map(move |&content| ((style, content), shard))
        });
        let mut items: Vec<_> = items.collect();
        items.sort_by_key(|&((_, content), _)| plan.contents[content].name());
        items.into_iter().map(|(item, shard)| shard.row(item))
    })
}

/// A shard whose attempts all failed, the last of them so.
pub(crate) struct FailedShard<'a> {
    run: &'a FrozenRun,
    shard: &'a Shard,
    failure: FailedAttempt,
    failed_at: Timestamp,
    origin: RowOrigin,
}

impl<'a> FailedShard<'a> {
    pub(crate) fn new(run: &'a FrozenRun, shard: &'a Shard, failure: FailedAttempt) -> Self {
        // As exact as a manifest stores it, so that what is read back is the same.
        let microseconds = failure.failed_at.as_microsecond();
        let failed_at = Timestamp::from_microsecond(microseconds).unwrap_or(failure.failed_at);
        let frozen = &run.record.frozen;
        let origin = RowOrigin {
            run: run.record.run.clone(),
            shard: shard.id,
            attempt: failure.attempt,
            worker: failure.worker.clone(),
            device: String::new(),
            seed: frozen.method.seed,
            config_hash: frozen.config_hash(),
            model_sha256: frozen.model.sha256.clone(),
        };
        Self {
            run,
            shard,
            failure,
            failed_at,
            origin,
        }
    }

    /// Returns its rows, each made when it is asked for.
    pub(crate) fn rows(&self) -> impl Iterator<Item = ManifestRow> + '_ {
        self.shard.items().map(|position| self.row(position))
    }

    fn row(&self, position: (usize, usize)) -> ManifestRow {
        let (item, failure) = (self.run.plan.item(position), &self.failure);
        let span = (self.failed_at, self.failed_at);
        ManifestRow::new(self.origin.clone(), item, span).not_done(
            Status::Failed,
            failure.error_class,
            failure.error.clone(),
        )
    }
}
