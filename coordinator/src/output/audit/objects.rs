//! The stored objects of a run that are neither images nor shards: records, what is made from the shards, and orphans.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use serde::de::DeserializeOwned;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::clock::SystemClock;
use shared::digest;
use shared::failure::{FailedAttempt, chain};
use shared::ids::ShardId;
use shared::making::Making;
use shared::seal::{self, DocumentError, Seal};
use shared::storage::{Storage, StorageError};
use shared::wording::{first_names, first_of};

use super::pictures;
use crate::output::quality::fold::{RunFold, StyleFold};
use crate::output::quality::reference::{self, ReferenceStatistics};
use crate::output::quality::statistics::{Accumulator, FeatureStatistics};
use crate::output::report::RunReport;
use crate::output::report::make::Material;
use crate::run::freeze::FrozenRun;
use crate::run::gone;
use crate::run::ledger::{Ledger, LedgerError, Mark};
use crate::run::tally::{Counts, Tally};
use crate::run::unreadable::{self, ReadError};

/// How far means and covariances may be from those of the rows: they are summed in another order.
const TOLERANCE: f64 = 1e-6;
/// What helps where something is damaged that can be made from the shards at any time.
const MADE_ANEW: &str =
    "run again, or remove it where `serve` looks after the run, to make it anew";

/// What was found about stored objects.
#[derive(Debug, Default)]
pub(super) struct ObjectFindings {
    pub(super) findings: Vec<String>,
    pub(super) notes: Vec<String>,
    num_unsealed: usize,
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
    /// Digest of each content's label, where a row tells it.
    pub(super) labels: &'a [Option<String>],
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
                Kind::Orphan => found.findings.push(format!(
                    "{name} belongs to no run: nothing that is known is stored there; remove it"
                )),
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
    if found.num_unsealed > 0 {
        found.notes.push(format!(
            "{} records carry no digest of themselves, as those of earlier programs: nobody can tell whether all of their \
             fields are as they were written",
            found.num_unsealed
        ));
    }
    Ok(found)
}

/// What an object below the folder of a run is by its name.
enum Kind {
    /// Something that is looked at elsewhere.
    Checked,
    Record,
    Decision(u32),
    Attempt(ShardId, u32),
    Making(ShardId),
    Statistics(String),
    ContactSheet,
    /// A picture of which no row tells the digest.
    Picture(ArtifactKey),
    /// A page of a report, which people may put there.
    Page,
    Orphan,
}

impl Kind {
    /// Returns what is stored at a path, whose part below the folder of the run is `name`.
    fn of(path: &str, name: &str, truth: &Truth<'_>) -> Self {
        let (run, plan) = (&truth.run.record, &truth.run.plan);
        if let Some(("images" | "shards", _)) = name.split_once('/') {
            return Self::Checked;
        }
        let is_planned = |shard: ShardId| plan.shard(shard).is_some();
        match ArtifactKey::parse(path) {
            Some(ArtifactKey::RunRecord(_)) => Self::Record,
            Some(
                ArtifactKey::Manifest(_)
                | ArtifactKey::Tally(_)
                | ArtifactKey::Report(_)
                | ArtifactKey::Image(..)
                | ArtifactKey::Shard(..)
                | ArtifactKey::ShardRevision(..),
            ) => Self::Checked,
            Some(ArtifactKey::ContactSheet(_)) => Self::ContactSheet,
            Some(ArtifactKey::Plan(_, sha256)) if sha256 == run.frozen.plan_sha256 => Self::Checked,
            Some(ArtifactKey::Label(run, content)) => match truth.contents.get(content.as_str()) {
                Some(&position) if truth.labels[position].is_some() => Self::Checked,
                Some(_) => Self::Picture(ArtifactKey::Label(run, content)),
                None => Self::Orphan,
            },
            Some(ArtifactKey::Decision(_, number)) if number <= truth.ledger.decisions.count => {
                Self::Decision(number)
            }
            Some(ArtifactKey::FailedAttempt(_, shard, number)) if is_planned(shard) => {
                Self::Attempt(shard, number)
            }
            Some(ArtifactKey::Making(_, shard)) if is_planned(shard) => Self::Making(shard),
            Some(ArtifactKey::FeatureStatistics(_, style))
                if plan.styles.iter().any(|planned| planned.name() == style) =>
            {
                Self::Statistics(style)
            }
            Some(
                ArtifactKey::Plan(..)
                | ArtifactKey::Decision(..)
                | ArtifactKey::FailedAttempt(..)
                | ArtifactKey::Making(..)
                | ArtifactKey::FeatureStatistics(..),
            ) => Self::Orphan,
            None if name.ends_with(".html") && !name.contains('/') => Self::Page,
            None => Self::Orphan,
        }
    }
}

/// What is in the place of something that is made from the shards.
enum Place {
    Free,
    /// What cannot be read.
    Unreadable,
    Taken(Bytes),
}

impl ObjectFindings {
    /// Reads an object that was listed; what cannot be read is a finding.
    async fn read(&mut self, storage: &dyn Storage, key: &ArtifactKey) -> Option<Bytes> {
        let error = match gone::read_listed(storage, key).await {
            Ok(bytes) => return Some(bytes),
            Err(LedgerError::Storage(error)) => {
                self.outage = Some(error);
                return None;
            }
            Err(error) => error,
        };
        let names_it = matches!(error, LedgerError::Gone(_) | LedgerError::Unreadable(_));
        self.findings.push(if names_it {
            chain(&error)
        } else {
            format!("{key} cannot be read: {}", chain(&error))
        });
        None
    }

    /// Reads an object that need not be there, as it is made from the shards; that it cannot be read is a finding.
    async fn read_made(&mut self, storage: &dyn Storage, key: &ArtifactKey) -> Place {
        let error = match unreadable::read(storage, key).await {
            Ok(bytes) => return Place::Taken(bytes),
            Err(ReadError::Absent) => return Place::Free,
            Err(ReadError::Unreadable(error)) => chain(&error),
            Err(ReadError::Storage(error)) => {
                self.outage = Some(error);
                return Place::Unreadable;
            }
        };
        self.findings.push(format!("{error}; {MADE_ANEW}"));
        Place::Unreadable
    }

    /// Notes whether a record that was read before carries a digest.
    async fn is_sealed(&mut self, storage: &dyn Storage, key: ArtifactKey) {
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        match seal::open(&bytes, &key).seal {
            Seal::Whole => {}
            Seal::Missing => self.num_unsealed += 1,
            Seal::Broken(error) => self.findings.push(format!("{key}: {error}")),
        }
    }

    /// Returns the value of a document; what is wrong with it is a finding, with what helps.
    async fn document<T: DeserializeOwned>(
        &mut self,
        storage: &dyn Storage,
        key: &ArtifactKey,
        helps: &str,
    ) -> Option<T> {
        self.read_as(storage, key, helps, seal::parse).await
    }

    /// Returns what the bytes of a document are by a parser of its kind, as [`Self::document`] does.
    async fn read_as<T>(
        &mut self,
        storage: &dyn Storage,
        key: &ArtifactKey,
        helps: &str,
        parse: impl Fn(&[u8], &ArtifactKey) -> Result<T, DocumentError>,
    ) -> Option<T> {
        let bytes = self.read(storage, key).await?;
        self.parsed(&bytes, key, helps, parse)
    }

    fn parsed<T>(
        &mut self,
        bytes: &[u8],
        key: &ArtifactKey,
        helps: &str,
        parse: impl Fn(&[u8], &ArtifactKey) -> Result<T, DocumentError>,
    ) -> Option<T> {
        match parse(bytes, key) {
            Ok(value) => {
                let is_sealed = seal::open(bytes, key).seal != Seal::Missing;
                self.num_unsealed += usize::from(!is_sealed);
                Some(value)
            }
            Err(error) => {
                self.findings
                    .push(format!("{key} is damaged: {error}; {helps}"));
                None
            }
        }
    }

    async fn attempt(
        &mut self,
        storage: &dyn Storage,
        truth: &Truth<'_>,
        shard: ShardId,
        number: u32,
    ) {
        let key = ArtifactKey::FailedAttempt(truth.run.record.run.clone(), shard, number);
        let helps = "nothing but a copy brings it back";
        let parse = FailedAttempt::parse;
        let attempt = self.read_as(storage, &key, helps, parse).await;
        if let Some(attempt) = attempt.filter(|attempt| attempt.attempt != number) {
            self.findings.push(format!(
                "{key} is about attempt {}, expected {number}",
                attempt.attempt
            ));
        }
    }

    /// Reads what attempts at a shard made on the way.
    async fn making(&mut self, storage: &dyn Storage, truth: &Truth<'_>, shard: ShardId) {
        let record = &truth.run.record;
        let key = ArtifactKey::Making(record.run.clone(), shard);
        let helps = "remove it: images that no commit speaks of are made again";
        let making: Option<Making> = self.document(storage, &key, helps).await;
        if making.is_some_and(|making| making.plan_hash != record.plan_hash) {
            self.findings.push(format!(
                "{key} is of a run that was planned otherwise; {helps}"
            ));
        }
    }

    /// Compares the report with the run's plan, and that of a run that has ended with its rows.
    async fn report(&mut self, truth: &Truth<'_>) {
        let Some(report) = truth.report else {
            return;
        };
        let record = &truth.run.record;
        let key = ArtifactKey::Report(record.run.clone());
        if report.run != record.run {
            self.findings
                .push(format!("{key} is about run {}; {MADE_ANEW}", report.run));
        }
        if !report.is_of(&record.plan_hash) {
            self.findings.push(format!(
                "{key} is about a run of this name with another plan; {MADE_ANEW}"
            ));
            return;
        }
        if report.plan_hash.is_none() {
            self.notes.push(
                "report.json does not say which plan it is about, as those of earlier programs: run again to make it anew"
                    .to_owned(),
            );
        }
        if !truth.has_ended || !report.complete {
            return;
        }
        let counts = truth.counts;
        if !report.is_last(counts) {
            self.findings.push(format!(
                "{key} says {} done, {} quarantined, {} failed, and the rows {} done, {} quarantined, {} failed, or others \
                 for other reasons; {MADE_ANEW}",
                report.done,
                report.quarantined,
                report.failed,
                counts.done,
                counts.quarantined,
                counts.failed
            ));
            return;
        }
        let stored = truth.ledger.mark();
        if report.mark.is_some_and(|told| !self.mark(told, stored)) {
            return;
        }
        let material = Material {
            run: truth.run,
            counts,
            fold: truth.fold.clone(),
            reference: None,
            is_complete: true,
        };
        let compared = report.compare(&material.report(&SystemClock).await);
        if !compared.differences.is_empty() {
            let differences = first_of(&compared.differences, "; ");
            self.findings.push(format!(
                "{key} is not what the rows give: {differences}; {MADE_ANEW}"
            ));
        }
        if !compared.not_compared.is_empty() {
            self.notes.push(format!(
                "FID and KID of {} could not be computed again: what report.json compares with is not there, or not what the \
                 run's record names",
                first_names(&compared.not_compared)
            ));
        }
    }

    /// Compares what was stored when the report was written with what is; returns whether the same rows are.
    fn mark(&mut self, told: Mark, stored: Mark) -> bool {
        if (told.commits, told.bytes) != (stored.commits, stored.bytes) {
            self.findings.push(format!(
                "report.json was made of {} files of shards with {} bytes, and there are {} with {} bytes; {MADE_ANEW}",
                told.commits, told.bytes, stored.commits, stored.bytes
            ));
            return false;
        }
        let (before, now) = (told.failed_attempts, stored.failed_attempts);
        if now < before {
            self.findings.push(format!(
                "records of failed attempts are gone: report.json was made when there were {before}, and {now} are there; \
                 {MADE_ANEW}"
            ));
        } else if now > before {
            self.notes.push(format!(
                "attempts have failed since report.json was made: there were {before} records, and {now} are there"
            ));
        }
        true
    }

    /// Looks for what was written with the report of a run that has ended: what is gone of that is noted, as it can be made
    /// anew.
    async fn made(&mut self, storage: &dyn Storage, truth: &Truth<'_>, made: &Made) {
        let is_last = |report: &&RunReport| truth.has_ended && report.complete;
        let Some(report) = truth.report.filter(is_last) else {
            return;
        };
        let run = &truth.run.record.run;
        let mut expected = Vec::new();
        if report.mark.is_some() {
            for (style, fold) in &truth.fold.styles {
                if has_statistics(fold) && !made.statistics.contains(style) {
                    let key = ArtifactKey::FeatureStatistics(run.clone(), style.clone());
                    expected.push(key);
                }
            }
        }
        if report.contact_sheet_sha256.is_some() && !made.has_contact_sheet {
            expected.push(ArtifactKey::ContactSheet(run.clone()));
        }
        let mut missing = Vec::new();
        for key in expected {
            match self.read_made(storage, &key).await {
                Place::Free => missing.push(key),
                Place::Unreadable | Place::Taken(_) => {}
            }
        }
        if !missing.is_empty() {
            self.notes.push(format!(
                "what was written with the report is not there any more: {}; run again to make it anew",
                first_names(&missing)
            ));
        }
    }

    /// Compares the contact sheet with the digest that the report of a run that has ended tells.
    async fn contact_sheet(&mut self, storage: &dyn Storage, truth: &Truth<'_>) {
        let key = ArtifactKey::ContactSheet(truth.run.record.run.clone());
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        let is_last = |report: &&RunReport| truth.has_ended && report.complete;
        if let Some(report) = truth.report.filter(is_last) {
            match &report.contact_sheet_sha256 {
                Some(told) => {
                    let found = digest::sha256(&bytes);
                    if found != *told {
                        self.findings.push(format!(
                            "{key} has SHA-256 {found}, report.json says {told}: run again to make it anew"
                        ));
                    }
                    return;
                }
                None => self.notes.push(format!(
                    "report.json tells no digest of {key}: nobody can tell whether it is the run's; run again to make both \
                     anew"
                )),
            }
        }
        self.check_picture(bytes, &key).await;
    }

    /// Compares the statistics of a style with the features of its rows, once the run has ended.
    async fn statistics(&mut self, storage: &dyn Storage, truth: &Truth<'_>, style: &str) {
        let run = &truth.run.record.run;
        let key = ArtifactKey::FeatureStatistics(run.clone(), style.to_owned());
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        let evaluators = &truth.run.record.frozen.evaluators;
        let expected = Expected {
            extractor: evaluators.features.clone().unwrap_or_default(),
            fold: truth
                .has_ended
                .then(|| truth.fold.styles.get(style).cloned().unwrap_or_default()),
        };
        let wrong = shared::blocking::run(move || wrong_statistics(&bytes, &expected)).await;
        self.findings
            .extend(wrong.map(|wrong| format!("{key} {wrong}; {MADE_ANEW}")));
    }

    async fn picture(&mut self, storage: &dyn Storage, key: ArtifactKey) {
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        // It counts as none.
        if bytes.is_empty() && key.is_picture() {
            return;
        }
        self.check_picture(bytes, &key).await;
    }

    /// Looks whether a picture of which no digest is known is whole.
    async fn check_picture(&mut self, bytes: Bytes, key: &ArtifactKey) {
        let damage = shared::blocking::run(move || pictures::damage(&bytes)).await;
        self.findings
            .extend(damage.map(|damage| format!("{key} is damaged: {damage}; remove it")));
    }
}

/// What a file of statistics must be of.
struct Expected {
    /// SHA-256 of the network; empty if the run has none.
    extractor: String,
    /// What the style's rows are like together; none before the run has ended.
    fold: Option<Arc<StyleFold>>,
}

/// Returns whether statistics of a style are written: it takes two items.
fn has_statistics(fold: &StyleFold) -> bool {
    let sums = fold.items.features.as_ref();
    sums.is_some_and(|sums| sums.count() >= 2)
}

/// Returns what is wrong with a file of statistics: that it cannot be read, that its bytes are not those that its values
/// make, or that they are of other features than those that are `expected`.
fn wrong_statistics(bytes: &[u8], expected: &Expected) -> Option<String> {
    let file = match ReferenceStatistics::read(bytes) {
        Ok(file) => file,
        Err(error) => return Some(format!("is damaged: {}", chain(&error))),
    };
    let items = file.items.unwrap_or_default();
    let extractor = file.extractor_sha256.clone().unwrap_or_default();
    let again = reference::write(&file.statistics, items, None, &extractor);
    if !again.is_ok_and(|again| again == bytes) {
        return Some("has other bytes than its values make".to_owned());
    }
    if extractor != expected.extractor {
        return Some("was made with another feature network than the run's".to_owned());
    }
    let sums = expected.fold.as_ref()?.items.features.as_ref();
    let num_items = sums.map_or(0, Accumulator::count);
    if items != num_items {
        return Some(format!("is of {items} items, expected {num_items}"));
    }
    other_values(&file.statistics, &sums?.statistics()?)
}

/// Returns which values of statistics are not those that are expected.
fn other_values(found: &FeatureStatistics, expected: &FeatureStatistics) -> Option<String> {
    let is_near =
        |found: f64, expected: f64, size: f64| (found - expected).abs() <= TOLERANCE * size;
    let other = |what: &str| Some(format!("has other {what} than the features of its items"));
    let means = found.mean.iter().zip(&expected.mean);
    let mut means = means.map(|(&found, &expected)| is_near(found, expected, 1.0 + expected.abs()));
    if found.num_features() != expected.num_features() || !means.all(|is_near| is_near) {
        return other("means");
    }
    let range = 0..expected.num_features();
    let variances = range.clone().map(|i| expected.covariance[(i, i)].abs());
    let size = 1.0 + variances.fold(0.0, f64::max);
    let is_row = |i: usize| {
        let mut row = range.clone();
        row.all(|j| is_near(found.covariance[(i, j)], expected.covariance[(i, j)], size))
    };
    let is_same = range.clone().all(is_row);
    if is_same { None } else { other("covariances") }
}

/// Reads the report, if there is one; what is wrong with it is a finding.
pub(super) async fn stored_report(
    storage: &dyn Storage,
    run: &FrozenRun,
) -> (Option<RunReport>, ObjectFindings) {
    let mut found = ObjectFindings::default();
    let key = ArtifactKey::Report(run.record.run.clone());
    let report = match found.read_made(storage, &key).await {
        Place::Taken(bytes) => found.parsed(&bytes, &key, MADE_ANEW, seal::parse),
        Place::Free | Place::Unreadable => None,
    };
    (report, found)
}

/// Reads the stored counts as they are; what is wrong with them is a finding. Counts of another version are none.
pub(super) async fn stored_tally(
    storage: &dyn Storage,
    run: &FrozenRun,
) -> Result<(Tally, ObjectFindings), StorageError> {
    let id = &run.record.run;
    let mut found = ObjectFindings::default();
    let key = ArtifactKey::Tally(id.clone());
    // It is not listed before: a run need not have been counted.
    if let Place::Taken(bytes) = found.read_made(storage, &key).await {
        let opened = seal::open(&bytes, &key);
        match opened.seal {
            Seal::Whole => {}
            Seal::Missing => found.notes.push(
                "tally.json carries no digest of itself, as those of earlier programs".to_owned(),
            ),
            Seal::Broken(error) => found.findings.push(format!(
                "tally.json is damaged: {error}; remove it: it is counted anew"
            )),
        }
        let wrong = match serde_json::from_slice::<serde_json::Value>(&opened.json) {
            Ok(document) => {
                let has_seal = document.get("sha256").is_some();
                has_seal.then(|| "its sha256 is not where it was written".to_owned())
            }
            Err(error) => Some(error.to_string()),
        };
        found.findings.extend(
            wrong.map(|wrong| {
                format!("tally.json is damaged: {wrong}; remove it: it is counted anew")
            }),
        );
    }
    if let Some(error) = found.outage {
        return Err(error);
    }
    let tally = Tally::stored(storage, id).await?;
    if tally.shards().next().is_some() && !tally.is_of(run) {
        let finding =
            "tally.json counts the shards of another plan: remove it, and they are counted anew";
        found.findings.push(finding.to_owned());
    }
    let strange = tally.contradictions(run);
    found.findings.extend(strange.into_iter().map(|(shard, why)| {
        format!("tally.json cannot be right about shard {shard}: {why}; remove it, and it is counted anew")
    }));
    Ok((tally, found))
}
