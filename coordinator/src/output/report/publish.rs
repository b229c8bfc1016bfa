//! The report and the statistics of a run that has ended, made and stored.

use std::sync::Arc;

use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::digest;
use shared::storage::{Storage, StorageError};

use super::RunReport;
use super::make::Material;
use crate::output::collect::Collected;
use crate::output::quality::reference::{self, ReferenceError};
use crate::run::freeze::FrozenRun;
use crate::run::unreadable;

/// Why a report cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Statistics cannot be written.
    #[error("the statistics of style {style} cannot be written")]
    Statistics {
        /// The style.
        style: String,
        /// Why.
        #[source]
        source: ReferenceError,
    },
}

/// Stores the statistics of each style's features and the report, and returns the report; `is_complete` says whether
/// every planned item has ended and what is done is there. The report tells the digest of the contact sheet, which is stored
/// before if there is to be one.
///
/// # Errors
///
/// [`ReportError`] if storage fails.
pub async fn publish(
    storage: &dyn Storage,
    run: &FrozenRun,
    collected: Collected,
    is_complete: bool,
) -> Result<RunReport, ReportError> {
    let mark = collected.mark;
    let sheet = contact_sheet_sha256(storage, run).await?;
    let evaluators = &run.record.frozen.evaluators;
    let extractor = evaluators.features.clone().unwrap_or_default();
    for (style, fold) in &collected.fold.styles {
        let (fold, extractor) = (Arc::clone(fold), extractor.clone());
        let write = move || {
            let sums = fold.items.features.as_ref()?;
            let statistics = sums.statistics()?;
            Some(reference::write(
                &statistics,
                sums.count(),
                None,
                &extractor,
            ))
        };
        let Some(file) = shared::blocking::run(write).await else {
            continue;
        };
        let file = file.map_err(|source| ReportError::Statistics {
            style: style.clone(),
            source,
        })?;
        let key = ArtifactKey::FeatureStatistics(run.record.run.clone(), style.clone());
        storage.replace(&key, file).await?;
    }
    let material = Material {
        run,
        counts: &collected.counts,
        left: collected.left,
        fold: collected.fold,
        reference: None,
        is_complete,
    };
    let report = RunReport {
        mark: Some(mark),
        contact_sheet_sha256: sheet,
        ..material.report(&SystemClock).await
    };
    report.store(storage).await?;
    Ok(report)
}

/// Has the stored report of a run tell the digest of its contact sheet, which was drawn anew; nothing is told if there is
/// no report of this run.
///
/// # Errors
///
/// If storage fails.
pub async fn tell_contact_sheet(
    storage: &dyn Storage,
    run: &FrozenRun,
) -> Result<(), StorageError> {
    let stored = RunReport::stored(storage, &run.record.run).await?;
    let Some(report) = stored.filter(|report| report.is_of(&run.record.plan_hash)) else {
        return Ok(());
    };
    let report = RunReport {
        contact_sheet_sha256: contact_sheet_sha256(storage, run).await?,
        ..report
    };
    report.store(storage).await
}

async fn contact_sheet_sha256(
    storage: &dyn Storage,
    run: &FrozenRun,
) -> Result<Option<String>, StorageError> {
    let key = ArtifactKey::ContactSheet(run.record.run.clone());
    let sheet = unreadable::read_cache(storage, &key).await?;
    Ok(sheet.map(|bytes| digest::sha256(&bytes)))
}
