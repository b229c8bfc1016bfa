//! One shard: where it stands, its rows, what was counted of it, and the images that its rows speak of.

use shared::artifact::ArtifactKey;
use shared::decision::Items;
use shared::failure::chain;
use shared::ids::ItemId;
use shared::making::ContentDigests;
use shared::manifest::{self, ManifestRow, Status};
use shared::storage::{Storage, StorageError};
use shared::wording::counted;

use super::pictures::{self, look};
use super::row_sum::RowSum;
use super::rows::{self, Expected};
use crate::output::collect::FailedShard;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{self, Ledger, LedgerError, ShardState};
use crate::run::plan::Shard;
use crate::run::tally::{Counts, ShardTally, Tally};

/// What a shard is compared with.
pub(super) struct Known<'a> {
    pub(super) run: &'a FrozenRun,
    pub(super) ledger: &'a Ledger,
    pub(super) tally: &'a Tally,
    pub(super) expected: Expected<'a>,
}

/// What was found in one shard.
pub(super) struct Checked<'a> {
    pub(super) shard: &'a Shard,
    pub(super) counts: Counts,
    /// The items that are done.
    pub(super) done: Vec<Done>,
    pub(super) quarantined: Vec<ItemId>,
    /// Whether something of it is to be made.
    pub(super) is_open: bool,
    /// Its rows in the manifest; nothing if they cannot be read.
    pub(super) rows: Option<RowSum>,
    /// Its rows with the features of their outputs.
    pub(super) judged: Vec<ManifestRow>,
    /// Files of it that carry no digest.
    pub(super) num_unsealed: usize,
    /// Items that are being made, so that images of them may be stored without a row.
    pub(super) uncommitted: Uncommitted<'a>,
    pub(super) findings: Vec<String>,
}

/// An item that is done.
pub(super) struct Done {
    pub(super) item: ItemId,
    /// What it was made from.
    pub(super) digests: Option<ContentDigests>,
    /// Digest of the class map of its style, if that has no label.
    pub(super) prior_sha256: Option<String>,
    /// Whether its row speaks of what a segmenter predicted.
    pub(super) has_predictions: bool,
}

/// Which items of a shard are being made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Uncommitted<'a> {
    None,
    All,
    Some(&'a Items),
}

/// Checks a shard.
///
/// # Errors
///
/// If storage does not answer.
pub(super) async fn check_shard<'a>(
    storage: &dyn Storage,
    known: &Known<'a>,
    shard: &'a Shard,
) -> Result<Checked<'a>, LedgerError> {
    let (run, ledger) = (known.run, known.ledger);
    let id = &run.record.run;
    let mut checked = Checked {
        shard,
        counts: Counts::default(),
        done: Vec::new(),
        quarantined: Vec::new(),
        is_open: false,
        rows: None,
        judged: Vec::new(),
        num_unsealed: 0,
        uncommitted: Uncommitted::None,
        findings: Vec::new(),
    };
    let state = ledger.state(shard.id, run.record.limits.max_attempts);
    checked.is_open = state.is_open();
    match state {
        ShardState::Open => {
            let finding = format!("shard {} is not committed: run again to make it", shard.id);
            checked.findings.push(finding);
            checked.uncommitted = Uncommitted::All;
        }
        ShardState::Failed { last } => {
            checked.uncommitted = Uncommitted::All;
            checked.counts.failed = shard.num_items();
            match ledger::failed_attempt(storage, id, shard.id, last).await {
                Ok(failure) => {
                    let reasons = &mut checked.counts.reasons;
                    reasons.insert(failure.error.clone(), shard.num_items());
                    let mut sum = RowSum::default();
                    let failed = FailedShard::new(run, shard, failure);
                    failed.rows().for_each(|row| sum.add(&row));
                    checked.rows = Some(sum);
                }
                Err(error @ LedgerError::Gone(_)) => checked.findings.push(chain(&error)),
                Err(error) => return Err(error),
            }
        }
        ShardState::Committed => check_rows(storage, known, &mut checked).await?,
        ShardState::Revising { revision } => {
            let retried = ledger.decisions.retries.of(shard.id, revision);
            let num_retried = retried.map_or(0, Items::len);
            let retried_items = counted(num_retried, "quarantined item", "quarantined items");
            let (are, them) = match num_retried {
                1 => ("is", "it"),
                _ => ("are", "them"),
            };
            let finding = format!(
                "{retried_items} of shard {} {are} to be tried again: run again, or resume, to make {them}",
                shard.id
            );
            checked.findings.push(finding);
            checked.uncommitted = retried.map_or(Uncommitted::None, Uncommitted::Some);
            check_rows(storage, known, &mut checked).await?;
        }
        ShardState::RevisionFailed { revision, .. } => {
            let retried = ledger.decisions.retries.of(shard.id, revision);
            checked.uncommitted = retried.map_or(Uncommitted::None, Uncommitted::Some);
            check_rows(storage, known, &mut checked).await?;
        }
    }
    Ok(checked)
}

/// Checks the rows of a committed shard and what they speak of.
///
/// # Errors
///
/// If storage does not answer.
async fn check_rows(
    storage: &dyn Storage,
    known: &Known<'_>,
    checked: &mut Checked<'_>,
) -> Result<(), LedgerError> {
    let (shard, ledger) = (checked.shard, known.ledger);
    match ledger
        .shard_parts_with_features(storage, known.run, shard.id)
        .await
    {
        Ok(parts) => {
            checked.num_unsealed += parts.num_unsealed;
            rows::check_revisions(shard.id, &parts, &mut checked.findings);
            let all = parts.revisions.iter().flatten().chain(&parts.committed);
            all.for_each(|row| known.expected.check(shard.id, row, &mut checked.findings));
            let mut rows = parts.effective();
            checked.judged.clone_from(&rows);
            manifest::without_features(&mut rows);
            checked.rows = Some(RowSum::of(&rows));
            checked.counts = Counts::of(&rows);
            check_tally(known, shard, &rows, &mut checked.findings);
            for row in &rows {
                check_image(storage, known.run, row, checked).await?;
            }
        }
        Err(error @ LedgerError::Storage(_)) => return Err(error),
        Err(error) => {
            checked.findings.push(chain(&error));
            checked.uncommitted = Uncommitted::All;
        }
    }
    Ok(())
}

/// What the stored counts say of the shard as it is stored is what its rows say.
fn check_tally(known: &Known<'_>, shard: &Shard, rows: &[ManifestRow], findings: &mut Vec<String>) {
    let (ledger, id) = (known.ledger, shard.id);
    let (revisions, size_bytes) = (ledger.num_revisions(id), ledger.shard_bytes(id));
    let counted = known.tally.shard(id);
    let counted = counted
        .filter(|counted| counted.revisions == revisions && counted.size_bytes == size_bytes);
    let found = ShardTally {
        size_bytes,
        ..ShardTally::of(rows, revisions)
    };
    if counted.is_some_and(|counted| !counted.is_about(&found)) {
        findings.push(format!(
            "tally.json counts shard {id} otherwise than its rows: remove it, and it is counted anew"
        ));
    }
}

async fn check_image(
    storage: &dyn Storage,
    run: &FrozenRun,
    row: &ManifestRow,
    checked: &mut Checked<'_>,
) -> Result<(), StorageError> {
    let findings = &mut checked.findings;
    match (&row.output, row.status) {
        (Some(output), Status::Done) => {
            let key = ArtifactKey::Image(run.record.run.clone(), row.item.clone());
            let found = look(storage, &key).await?;
            pictures::Expected::image(output).compare(&found, findings);
            let predictions = row.quality.as_ref().and_then(|it| it.predictions.as_ref());
            if let Some(predicted) = predictions {
                let (id, item) = (&run.record.run, &row.item);
                let of_output = ArtifactKey::OutputPrediction(id.clone(), item.clone());
                let of_content = ArtifactKey::ContentPrediction(id.clone(), item.clone());
                let size = (output.width, output.height);
                for (key, sha256) in [
                    (of_output, &predicted.output_sha256),
                    (of_content, &predicted.content_sha256),
                ] {
                    findings.extend(pictures::check(storage, &key, (sha256, size)).await?);
                }
            }
            let digests = ContentDigests::of_row(row);
            if digests.is_none() {
                findings.push(format!(
                    "{} is done and has no SHA-256 of its content",
                    row.item
                ));
            }
            checked.done.push(Done {
                item: row.item.clone(),
                digests,
                prior_sha256: row.prior_sha256.clone(),
                has_predictions: predictions.is_some(),
            });
        }
        (None, Status::Done) => findings.push(format!("{} is done and has no output", row.item)),
        (Some(_), Status::Quarantined | Status::Failed) => {
            findings.push(format!("{} has an output and is not done", row.item));
        }
        (None, Status::Quarantined | Status::Failed) => {
            if row.error.is_none() {
                findings.push(format!(
                    "{} is {} without a reason",
                    row.item,
                    row.status.as_str()
                ));
            }
            checked.quarantined.push(row.item.clone());
        }
    }
    Ok(())
}
