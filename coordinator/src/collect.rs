//! The run's manifest, made from its shards; it can be made again at any time.

use std::collections::{BTreeSet, HashSet};

use futures::future::try_join_all;
use jiff::Timestamp;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::FailedAttempt;
use shared::ids::{ItemId, ShardId};
use shared::manifest::{ManifestError, ManifestRow, ManifestWriter, Status};
use shared::storage::{Storage, StorageError};

use crate::freeze::FrozenRun;
use crate::ledger::{self, Ledger, LedgerError, Mark, Parts, ShardState};
use crate::plan::Shard;
use crate::quality::fold::RunFold;
use crate::tally::{Counts, READS_AT_ONCE, Tally};

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
/// Rows are sorted by style and content. Rows of styles that share shards are held in memory together, and no others;
/// of every style, sums over its features and a sample of them.
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
        let mut rows = block_rows(storage, run, ledger, block, &mut collected.fold).await?;
        rows.sort_by(|a, b| a.item.cmp(&b.item));
        collected.counts.add(&Counts::of(&rows));
        writer.write(&rows)?;
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

/// Returns the rows of some shards, and folds what their outputs are like, in the order of the plan.
async fn block_rows(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    block: &[Shard],
    fold: &mut RunFold,
) -> Result<Vec<ManifestRow>, LedgerError> {
    let mut rows = Vec::new();
    for part in block.chunks(READS_AT_ONCE) {
        let reads = part
            .iter()
            .map(|shard| rows_of(storage, run, ledger, shard));
        let read = try_join_all(reads).await?.into_iter().flatten().collect();
        rows.append(&mut fold.take_in(read).await);
    }
    Ok(rows)
}

/// Returns the rows of a shard: what was committed, or that it failed, or none yet.
async fn rows_of(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shard: &Shard,
) -> Result<Vec<ManifestRow>, LedgerError> {
    let id = &run.record.run;
    match ledger.state(shard.id, run.record.limits.max_attempts) {
        ShardState::Committed | ShardState::Revising { .. } | ShardState::RevisionFailed { .. } => {
            ledger
                .shard_rows_with_features(storage, run, shard.id)
                .await
        }
        ShardState::Failed { last } => {
            let failure = ledger::failed_attempt(storage, id, shard.id, last).await?;
            Ok(failed_rows(run, shard, &failure))
        }
        ShardState::Open => Ok(Vec::new()),
    }
}

/// Returns the rows of a shard whose attempts all failed, the last of them so.
pub(crate) fn failed_rows(
    run: &FrozenRun,
    shard: &Shard,
    failure: &FailedAttempt,
) -> Vec<ManifestRow> {
    let frozen = &run.record.frozen;
    // As exact as a manifest stores it, so that what is read back is the same.
    let microseconds = failure.failed_at.as_microsecond();
    let failed_at = Timestamp::from_microsecond(microseconds).unwrap_or(failure.failed_at);
    let row = |position| ManifestRow {
        run: run.record.run.clone(),
        shard: shard.id,
        item: run.plan.item(position),
        status: Status::Failed,
        error_class: Some(failure.error_class),
        error: Some(failure.error.clone()),
        warning: None,
        warning_kinds: Vec::new(),
        attempt: failure.attempt,
        worker: failure.worker.clone(),
        device: String::new(),
        seed: frozen.method.seed,
        config_hash: digest::sha256_of_json(&frozen.method),
        model_sha256: frozen.model.sha256.clone(),
        output: None,
        quality: None,
        content_sha256: None,
        work: None,
        started_at: failed_at,
        finished_at: failed_at,
    };
    shard.items().map(row).collect()
}
