//! The stored objects of a run that are neither images nor shards: records, what is made from the shards, and orphans.
//!
//! - `kind`: what an object is by its name; `reading`: what cannot be read is a finding
//! - `records`: of attempts at shards
//! - `report`, `statistics`, `tally`, `other_pictures`: what is made from the shards, compared with what they say

mod kind;
mod other_pictures;
mod reading;
mod records;
mod report;
mod statistics;
mod tally;

use std::collections::{BTreeSet, HashMap};

use futures::TryStreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::seal;
use shared::storage::{Storage, StorageError};
use shared::wording::counted;

use self::kind::Kind;
use self::other_pictures::Left;
use self::reading::Place;
use super::predictions::ExpectedPredictions;
use crate::output::quality::fold::RunFold;
use crate::output::report::RunReport;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Ledger;
use crate::run::tally::{Counts, Tally};

/// What helps where something is damaged that can be made from the shards at any time.
const MADE_ANEW: &str =
    "run again, or remove it where `serve` looks after the run, to make it anew";

/// What was found about stored objects.
#[derive(Debug, Default)]
pub(super) struct ObjectFindings {
    pub(super) findings: Vec<String>,
    pub(super) notes: Vec<String>,
    num_unsealed: usize,
    /// Predictions that the rows of their items do not speak of.
    left_predictions: Left,
    /// Why storage did not answer, which says nothing of any object.
    outage: Option<StorageError>,
}

/// What the shards say, for what is made from them.
pub(super) struct Truth<'a> {
    pub(super) run: &'a FrozenRun,
    pub(super) ledger: &'a Ledger,
    pub(super) counts: &'a Counts,
    /// What the rows are like together.
    pub(super) fold: &'a RunFold,
    /// The report that is stored; none if there is none that can be read.
    pub(super) report: Option<&'a RunReport>,
    /// Whether nothing is left to be made, and every shard could be read.
    pub(super) has_ended: bool,
    /// Positions of contents, by their names.
    pub(super) contents: &'a HashMap<&'a str, usize>,
    /// Positions of styles, by their names.
    pub(super) styles: &'a HashMap<&'a str, usize>,
    /// Digest of each content's label, where a row tells it.
    pub(super) labels: &'a [Option<String>],
    /// Digest of each style's class map, where a row tells it.
    pub(super) priors: &'a [Option<String>],
    /// Predictions of a segmenter that may be stored.
    pub(super) predictions: &'a ExpectedPredictions,
}

/// What was made from the shards and is there.
#[derive(Debug, Default)]
struct Made {
    statistics: BTreeSet<String>,
    has_contact_sheet: bool,
}

/// Looks at everything below the folder of a run that is neither an image nor a shard; `found` has what was found in the
/// place of its report.
pub(super) async fn check(
    storage: &dyn Storage,
    truth: &Truth<'_>,
    mut found: ObjectFindings,
) -> Result<ObjectFindings, StorageError> {
    let id = &truth.run.record.run;
    let prefix = ArtifactPrefix::Run(id.clone());
    let folder = prefix.path();
    let mut pages = storage.list(&prefix);
    let mut made = Made::default();
    while let Some(page) = pages.try_next().await? {
        for object in page {
            let name = object.path.strip_prefix(&folder).unwrap_or(&object.path);
            match Kind::of(&object.path, name, truth) {
                Kind::Checked => {}
                Kind::Record => {
                    found
                        .is_sealed(storage, ArtifactKey::RunRecord(id.clone()))
                        .await
                }
                Kind::Decision(number) => {
                    let key = ArtifactKey::Decision(id.clone(), number);
                    found.is_sealed(storage, key).await;
                }
                Kind::Attempt(shard, number) => found.attempt(storage, truth, shard, number).await,
                Kind::Making(shard) => found.making(storage, truth, shard).await,
                Kind::Statistics(style) => {
                    found.statistics(storage, truth, &style).await;
                    made.statistics.insert(style);
                }
                Kind::ContactSheet => {
                    found.contact_sheet(storage, truth).await;
                    made.has_contact_sheet = true;
                }
                Kind::Picture(key) => found.picture(storage, key).await,
                Kind::Page => found
                    .notes
                    .push(format!("{name} is a page, and no part of the run")),
                Kind::LeftPrediction(key) => found.left_prediction(storage, key).await,
                Kind::StrayPrediction => found.findings.push(format!(
                    "{name} is a prediction for no item of the run: remove it"
                )),
                Kind::Orphan => found.findings.push(format!(
                    "{name} belongs to no run: nothing that is known is stored there; remove it"
                )),
            }
            if let Some(error) = found.outage.take() {
                return Err(error);
            }
        }
    }
    found.report(truth).await;
    found.made(storage, truth, &made).await;
    if let Some(error) = found.outage {
        return Err(error);
    }
    let is_reported = truth.report.is_some_and(|report| report.complete);
    if truth.has_ended && !is_reported {
        let what = "report.json is missing or says that the run is not complete: `synth2real report` says what there is";
        found.notes.push(what.to_owned());
    }
    found.notes.extend(found.left_predictions.note());
    if found.num_unsealed > 0 {
        found.notes.push(format!(
            "{} no digest, as those of earlier programs: nobody can tell whether all of their fields are as \
             they were written",
            counted(found.num_unsealed, "record carries", "records carry")
        ));
    }
    Ok(found)
}

/// Reads the report, if there is one; what is wrong with it is a finding.
///
/// # Errors
///
/// If storage does not answer.
pub(super) async fn stored_report(
    storage: &dyn Storage,
    run: &FrozenRun,
) -> Result<(Option<RunReport>, ObjectFindings), StorageError> {
    let mut found = ObjectFindings::default();
    let key = ArtifactKey::Report(run.record.run.clone());
    let report = match found.read_made(storage, &key).await {
        Place::Taken(bytes) => found.parsed(&bytes, &key, MADE_ANEW, seal::parse),
        Place::Free | Place::Unreadable => None,
    };
    match found.outage.take() {
        Some(error) => Err(error),
        None => Ok((report, found)),
    }
}

/// Reads the stored counts as they are; what is wrong with them is a finding. Counts of another version are none.
pub(super) async fn stored_tally(
    storage: &dyn Storage,
    run: &FrozenRun,
) -> Result<(Tally, ObjectFindings), StorageError> {
    let id = &run.record.run;
    let mut found = ObjectFindings::default();
    let key = ArtifactKey::Tally(id.clone());
    found.tally(storage, &key).await;
    if let Some(error) = found.outage {
        return Err(error);
    }
    let tally = Tally::stored(storage, id).await?;
    found.compare_tally(&tally, run);
    Ok((tally, found))
}
