//! The run's manifest, made from its shards; it can be made again at any time.
//!
//! - `block`: a part of the manifest, sorted; `failed_shard`: the rows of shards that failed
//! - `fold`: FID, KID and means, folded from committed shards; `tally`: counts, stored without a manifest

mod block;
mod failed_shard;
mod fold;
mod tally;

use shared::artifact::ArtifactKey;
use shared::manifest::{ManifestError, ManifestWriter};
use shared::storage::{Storage, StorageError};

use self::block::{Sums, blocks, read_block};
pub(crate) use self::failed_shard::FailedShard;
pub use self::fold::{Fold, fold, fold_readable};
pub use self::tally::store_tally;
use crate::output::quality::fold::RunFold;
use crate::run::cost::Workload;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError, Mark};
use crate::run::tally::{Counts, Tally};

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
    /// The same of each committed shard, as it was read.
    pub tally: Tally,
    /// What is left to be made: something of a run that was halted.
    pub left: Workload,
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
    let mut writer = match &run.record.frozen.evaluators.segmenter {
        Some(_) => ManifestWriter::with_label_figures(file.reopen()?)?,
        None => ManifestWriter::new(file.reopen()?)?,
    };
    let mut collected = Collected {
        fold: RunFold::new(run.record.quality.per_class),
        left: Workload::left(run, ledger, |_| false),
        mark: ledger.mark(),
        tally: Tally::anew(run),
        ..Collected::default()
    };
    for block in blocks(&run.plan.shards) {
        let mut sums = Sums {
            fold: &mut collected.fold,
            tally: &mut collected.tally,
        };
        let block = read_block(storage, run, ledger, block, &mut sums).await?;
        collected.counts.add(&block.write(run, &mut writer)?);
    }
    writer.finish()?;
    storage
        .replace_from_file(&ArtifactKey::Manifest(id.clone()), file.path())
        .await?;
    Ok(collected)
}
