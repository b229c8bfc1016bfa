//! The proof that nothing is lost: items planned = items accounted for, every digest right.

use std::collections::{BTreeMap, BTreeSet};

use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::digest;
use shared::ids::{ItemId, RunId, ShardId};
use shared::manifest::{ManifestRow, Status};
use shared::run_record::RunRecord;
use shared::storage::{Storage, StorageErrorKind};

use crate::collect::Summary;
use crate::ledger::{self, Ledger, LedgerError};
use crate::plan::items_sha256;

/// What an audit found.
#[derive(Debug, Default)]
pub struct AuditReport {
    /// Counts over the rows found.
    pub summary: Summary,
    /// Items planned.
    pub planned: usize,
    /// Everything that is not as it must be, one line each.
    pub findings: Vec<String>,
}

/// Checks a run from storage alone.
///
/// # Errors
///
/// [`LedgerError`] if storage cannot be listed; what can be listed and is wrong is a finding.
pub async fn audit(storage: &dyn Storage, record: &RunRecord) -> Result<AuditReport, LedgerError> {
    let run = &record.run;
    let ledger = Ledger::read(storage, run).await?;
    let mut findings = Vec::new();
    let mut rows = Vec::new();
    let mut failed: BTreeMap<ShardId, Vec<ManifestRow>> = BTreeMap::new();
    match ledger::failed_rows(storage, run, &ledger).await {
        Ok(rows) => rows
            .into_iter()
            .for_each(|row| failed.entry(row.shard).or_default().push(row)),
        Err(error) => findings.push(shared::failure::chain(&error)),
    }
    for shard in (0..record.frozen.num_shards as u32).map(ShardId) {
        if ledger.committed.contains(&shard) {
            match ledger::shard_rows(storage, run, shard).await {
                Ok(of_shard) => rows.extend(of_shard),
                Err(error) => findings.push(shared::failure::chain(&error)),
            }
        } else if let Some(of_shard) = failed.get(&shard) {
            rows.extend(of_shard.iter().cloned());
        } else {
            findings.push(format!(
                "shard {shard} is not committed: run again to make it"
            ));
        }
    }
    check_items(record, &rows, &mut findings);
    check_artifacts(storage, run, &rows, &mut findings).await;
    check_strays(storage, run, &rows, &mut findings).await?;
    Ok(AuditReport {
        summary: Summary::of(&rows),
        planned: record.frozen.num_items,
        findings,
    })
}

fn check_items(record: &RunRecord, rows: &[ManifestRow], findings: &mut Vec<String>) {
    let mut seen: BTreeSet<&ItemId> = BTreeSet::new();
    for row in rows {
        if !seen.insert(&row.item) {
            findings.push(format!("{} has more than one row", row.item));
        }
    }
    let found = rows
        .iter()
        .map(|row| (row.shard, row.item.style.clone(), row.item.content.clone()))
        .collect();
    if rows.len() != record.frozen.num_items {
        findings.push(format!(
            "{} items have a row, {} were planned",
            rows.len(),
            record.frozen.num_items
        ));
    } else if items_sha256(found) != record.frozen.shards_sha256 {
        findings.push("the items that have rows are not those that were planned".to_owned());
    }
}

async fn check_artifacts(
    storage: &dyn Storage,
    run: &RunId,
    rows: &[ManifestRow],
    findings: &mut Vec<String>,
) {
    let mut labels: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for row in rows {
        let Some(output) = &row.output else {
            if row.status == Status::Done {
                findings.push(format!("{} is done and has no output", row.item));
            }
            continue;
        };
        let image = sha256(storage, &ArtifactKey::Image(run.clone(), row.item.clone())).await;
        compare(
            &output.image_key,
            &output.image_sha256,
            image.as_deref(),
            findings,
        );
        let content = row.item.content.as_str();
        if !labels.contains_key(content) {
            let label = sha256(
                storage,
                &ArtifactKey::Label(run.clone(), content.to_owned()),
            )
            .await;
            compare(
                &output.label_key,
                &output.label_sha256,
                label.as_deref(),
                findings,
            );
            labels.insert(content, label);
        } else if labels
            .get(content)
            .is_some_and(|label| label.as_deref() != Some(&output.label_sha256))
        {
            findings.push(format!(
                "{}: rows disagree about its SHA-256",
                output.label_key
            ));
        }
    }
}

async fn sha256(storage: &dyn Storage, key: &ArtifactKey) -> Option<String> {
    match storage.read(key).await {
        Ok(bytes) => Some(digest::sha256(&bytes)),
        Err(error) if error.kind == StorageErrorKind::NotFound => None,
        Err(error) => Some(format!("unreadable: {error}")),
    }
}

fn compare(path: &str, expected: &str, found: Option<&str>, findings: &mut Vec<String>) {
    match found {
        None => findings.push(format!("{path} is missing")),
        Some(found) if found != expected => {
            findings.push(format!(
                "{path} has SHA-256 {found}, its row says {expected}"
            ));
        }
        Some(_) => {}
    }
}

/// An image without a row belongs to a shard in the making, or to nothing.
async fn check_strays(
    storage: &dyn Storage,
    run: &RunId,
    rows: &[ManifestRow],
    findings: &mut Vec<String>,
) -> Result<(), LedgerError> {
    let known: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row.output.as_ref())
        .map(|output| output.image_key.as_str())
        .collect();
    for object in storage.list(&ArtifactPrefix::Images(run.clone())).await? {
        if !known.contains(object.path.as_str()) {
            findings.push(format!("{} belongs to no committed item", object.path));
        }
    }
    Ok(())
}
