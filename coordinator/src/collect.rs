//! The run's manifest, made from its shards; it can be made again at any time.

use std::collections::BTreeMap;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::failure::FailedAttempt;
use shared::ids::{ItemId, RunId};
use shared::manifest::{self, ManifestError, ManifestRow, Status};
use shared::storage::{Storage, StorageError};

use crate::inventory::Inventory;
use crate::ledger::{self, Ledger, LedgerError};
use crate::plan::Shard;

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
}

/// What a run's manifest says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Items with an image and a label.
    pub done: usize,
    /// Items whose input cannot be converted.
    pub quarantined: usize,
    /// Items whose shard failed too often.
    pub failed: usize,
    /// Items that are done with a warning.
    pub warnings: usize,
    /// UNet evaluations, styles included.
    pub unet_evaluations: f64,
    /// Reasons for quarantine and failure, with the number of items.
    pub reasons: BTreeMap<String, usize>,
}

impl Summary {
    /// Returns what some rows say.
    #[must_use]
    pub fn of(rows: &[ManifestRow]) -> Self {
        let mut summary = Self::default();
        for row in rows {
            match row.status {
                Status::Done => summary.done += 1,
                Status::Quarantined => summary.quarantined += 1,
                Status::Failed => summary.failed += 1,
            }
            summary.warnings += usize::from(row.warning.is_some());
            if let Some(work) = row.work {
                summary.unet_evaluations += work.unet_evaluations + work.style_evaluations;
            }
            if let Some(error) = &row.error {
                *summary.reasons.entry(error.clone()).or_default() += 1;
            }
        }
        summary
    }

    /// Returns the items that are not done.
    #[must_use]
    pub fn not_done(&self) -> usize {
        self.quarantined + self.failed
    }
}

/// Returns the rows of every committed shard.
///
/// # Errors
///
/// [`LedgerError`] if a shard cannot be read.
pub async fn committed_rows(
    storage: &dyn Storage,
    run: &RunId,
    ledger: &Ledger,
) -> Result<Vec<ManifestRow>, LedgerError> {
    let mut rows = Vec::new();
    for &shard in &ledger.committed {
        rows.extend(ledger::shard_rows(storage, run, shard).await?);
    }
    Ok(rows)
}

/// Stores `manifest.parquet` and returns its rows: those of committed shards, and `failed` for items of shards whose
/// attempts all failed.
///
/// # Errors
///
/// [`CollectError`] if a shard cannot be read or the manifest cannot be stored.
pub async fn collect(
    storage: &dyn Storage,
    run: &RunId,
    inventory: &Inventory,
) -> Result<Vec<ManifestRow>, CollectError> {
    let ledger = Ledger::read(storage, run).await?;
    let mut rows = committed_rows(storage, run, &ledger).await?;
    for shard in inventory
        .plan
        .shards
        .iter()
        .filter(|shard| !ledger.committed.contains(&shard.id))
    {
        let Some(&attempt) = ledger
            .failed_attempts
            .get(&shard.id)
            .and_then(|attempts| attempts.iter().max())
        else {
            continue;
        };
        if let Some(failure) = ledger::failed_attempt(storage, run, shard.id, attempt).await {
            rows.extend(failed_rows(run, inventory, shard, &failure));
        }
    }
    let bytes = manifest::write(rows.clone())?;
    storage
        .replace(&ArtifactKey::Manifest(run.clone()), Bytes::from(bytes))
        .await?;
    Ok(rows)
}

fn failed_rows(
    run: &RunId,
    inventory: &Inventory,
    shard: &Shard,
    failure: &FailedAttempt,
) -> Vec<ManifestRow> {
    let items = shard
        .styles
        .iter()
        .flat_map(|&style| shard.contents.iter().map(move |&content| (style, content)));
    items
        .map(|(style, content)| ManifestRow {
            run: run.clone(),
            shard: shard.id,
            item: ItemId {
                style: inventory.styles[style].name().to_owned(),
                content: inventory.contents[content].name().to_owned(),
            },
            status: Status::Failed,
            error_class: Some(failure.error_class),
            error: Some(failure.error.clone()),
            warning: None,
            attempt: failure.attempt,
            worker: failure.worker.clone(),
            device: String::new(),
            seed: inventory.frozen.method.seed,
            config_hash: shared::digest::sha256_of_json(&inventory.frozen.method),
            model_sha256: inventory.frozen.model.sha256.clone(),
            output: None,
            content_sha256: None,
            work: None,
            started_at: failure.failed_at,
            finished_at: failure.failed_at,
        })
        .collect()
}
