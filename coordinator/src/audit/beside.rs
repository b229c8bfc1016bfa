//! What lies beside the shards and images of a run: records, and what is made from the shards; and what belongs to no run.

use std::collections::HashMap;

use bytes::Bytes;
use futures::TryStreamExt;
use serde::de::DeserializeOwned;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::failure::{FailedAttempt, chain};
use shared::ids::ShardId;
use shared::making::Making;
use shared::seal::{self, Seal};
use shared::storage::{Storage, StorageError, StorageErrorKind};

use super::pictures;
use super::rows::FeatureMeans;
use crate::freeze::FrozenRun;
use crate::gone;
use crate::ledger::{Ledger, LedgerError};
use crate::quality::reference::{self, ReferenceStatistics};
use crate::report::RunReport;
use crate::tally::{Counts, Tally};

/// How far means may be from those of the rows: they are summed in another order.
const TOLERANCE: f64 = 1e-6;
/// What helps where something is damaged that can be made from the shards at any time.
const MADE_ANEW: &str =
    "run again, or remove it where `serve` looks after the run, to make it anew";

/// What was found beside the shards.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) findings: Vec<String>,
    pub(super) notes: Vec<String>,
    num_unsealed: usize,
}

/// What the shards say, for what is made from them.
pub(super) struct Truth<'a> {
    pub(super) run: &'a FrozenRun,
    pub(super) ledger: &'a Ledger,
    pub(super) counts: &'a Counts,
    pub(super) features: &'a FeatureMeans,
    /// Whether nothing is left to be made, and every shard could be read.
    pub(super) has_ended: bool,
    /// Positions of contents, by their names.
    pub(super) contents: &'a HashMap<&'a str, usize>,
    /// Digest of each content's label, where a row tells it.
    pub(super) labels: &'a [Option<String>],
}

/// Looks at everything below the folder of a run that is neither an image nor a shard.
pub(super) async fn check(
    storage: &dyn Storage,
    truth: &Truth<'_>,
) -> Result<Beside, StorageError> {
    let mut beside = Beside::default();
    let id = &truth.run.record.run;
    let prefix = ArtifactPrefix::Run(id.clone());
    let folder = prefix.path();
    let mut pages = storage.list(&prefix);
    let mut is_reported = false;
    while let Some(page) = pages.try_next().await? {
        for object in page {
            let name = object.path.strip_prefix(&folder).unwrap_or(&object.path);
            match Kind::of(name, truth) {
                Kind::Checked => {}
                Kind::Record => {
                    beside
                        .is_sealed(storage, ArtifactKey::RunRecord(id.clone()))
                        .await
                }
                Kind::Decision(number) => {
                    let key = ArtifactKey::Decision(id.clone(), number);
                    beside.is_sealed(storage, key).await;
                }
                Kind::Attempt(shard, number) => beside.attempt(storage, truth, shard, number).await,
                Kind::Making(shard) => beside.making(storage, truth, shard).await,
                Kind::Report => is_reported = beside.report(storage, truth).await,
                Kind::Statistics(style) => beside.statistics(storage, truth, &style).await,
                Kind::Picture(key) => beside.picture(storage, key).await,
                Kind::Page => beside
                    .notes
                    .push(format!("{name} is a page, and no part of the run")),
                Kind::Stray => beside.findings.push(format!(
                    "{name} belongs to no run: nothing that is known is stored there; remove it"
                )),
            }
        }
    }
    if truth.has_ended && !is_reported {
        let what = "report.json is missing or says that the run is not complete: `synth2real report` says what there is";
        beside.notes.push(what.to_owned());
    }
    if beside.num_unsealed > 0 {
        beside.notes.push(format!(
            "{} records carry no digest of themselves, as those of earlier programs: nobody can tell whether all of their \
             fields are as they were written",
            beside.num_unsealed
        ));
    }
    Ok(beside)
}

/// What an object below the folder of a run is by its name.
enum Kind {
    /// Something that is looked at elsewhere.
    Checked,
    Record,
    Decision(u32),
    Attempt(ShardId, u32),
    Making(ShardId),
    Report,
    Statistics(String),
    /// A picture of which no row tells the digest.
    Picture(ArtifactKey),
    /// A page of a report, which people may put there.
    Page,
    Stray,
}

impl Kind {
    fn of(name: &str, truth: &Truth<'_>) -> Self {
        let (run, plan) = (&truth.run.record, &truth.run.plan);
        let own_plan = format!("plan-{}.json", run.frozen.plan_sha256);
        match name.split_once('/') {
            None => match name {
                "run.json" => Self::Record,
                "manifest.parquet" | "tally.json" => Self::Checked,
                "report.json" => Self::Report,
                "contact-sheet.png" => Self::Picture(ArtifactKey::ContactSheet(run.run.clone())),
                name if name == own_plan => Self::Checked,
                name if name.ends_with(".html") => Self::Page,
                _ => Self::Stray,
            },
            Some(("images" | "shards", _)) => Self::Checked,
            Some(("labels", file)) => {
                let content = file.strip_suffix(".png");
                let known = content.and_then(|content| truth.contents.get_key_value(content));
                match known {
                    Some((_, &position)) if truth.labels[position].is_some() => Self::Checked,
                    Some((&content, _)) => {
                        let key = ArtifactKey::Label(run.run.clone(), content.to_owned());
                        Self::Picture(key)
                    }
                    None => Self::Stray,
                }
            }
            Some(("decisions", file)) => {
                let number = file
                    .strip_suffix(".json")
                    .and_then(|text| text.parse().ok());
                let own = |number: &u32| {
                    let known = (1..=truth.ledger.decisions.count).contains(number);
                    known && format!("{number:06}.json") == file
                };
                number.filter(own).map_or(Self::Stray, Self::Decision)
            }
            Some(("attempts", file)) => {
                let parts = file
                    .strip_suffix(".json")
                    .and_then(|parts| parts.split_once('/'));
                let parsed = parts.and_then(|(shard, number)| {
                    let shard: ShardId = shard.parse().ok()?;
                    let number: u32 = number.parse().ok()?;
                    Some((shard, number))
                });
                let own = |&(shard, number): &(ShardId, u32)| {
                    let is_planned = (shard.0 as usize) < plan.shards.len();
                    is_planned && format!("{shard}/{number}.json") == file
                };
                let own = parsed.filter(own);
                own.map_or(Self::Stray, |(shard, number)| Self::Attempt(shard, number))
            }
            Some(("making", file)) => {
                let shard = file.strip_suffix(".json");
                let shard: Option<ShardId> = shard.and_then(|shard| shard.parse().ok());
                let own = |shard: &ShardId| {
                    (shard.0 as usize) < plan.shards.len() && format!("{shard}.json") == file
                };
                shard.filter(own).map_or(Self::Stray, Self::Making)
            }
            Some(("fid", file)) => {
                let style = file.strip_suffix(".npz");
                let is_planned =
                    |style: &&str| plan.styles.iter().any(|listing| listing.name() == *style);
                let style = style.filter(is_planned);
                style.map_or(Self::Stray, |style| Self::Statistics(style.to_owned()))
            }
            Some(_) => Self::Stray,
        }
    }
}

impl Beside {
    /// Reads an object that was listed; what cannot be read is a finding.
    async fn read(&mut self, storage: &dyn Storage, key: &ArtifactKey) -> Option<Bytes> {
        let error = match gone::read_listed::<LedgerError>(storage, key).await {
            Ok(bytes) => return Some(bytes),
            Err(error) => error,
        };
        let is_gone = matches!(error, LedgerError::Gone(_));
        self.findings.push(if is_gone {
            chain(&error)
        } else {
            format!("{key} cannot be read: {}", chain(&error))
        });
        None
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
        let bytes = self.read(storage, key).await?;
        match seal::parse(&bytes, key) {
            Ok(value) => {
                let is_sealed = seal::open(&bytes, key).seal != Seal::Missing;
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
        let attempt: Option<FailedAttempt> = self.document(storage, &key, helps).await;
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

    /// Compares the report of a run that has ended with its rows; returns whether it says that the run is complete.
    async fn report(&mut self, storage: &dyn Storage, truth: &Truth<'_>) -> bool {
        let run = &truth.run.record.run;
        let key = ArtifactKey::Report(run.clone());
        let report: Option<RunReport> = self.document(storage, &key, MADE_ANEW).await;
        let Some(report) = report else {
            return false;
        };
        if report.run != *run {
            self.findings
                .push(format!("{key} is about run {}; {MADE_ANEW}", report.run));
        }
        let counts = truth.counts;
        if truth.has_ended && report.complete && !report.is_last(counts) {
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
        }
        report.complete
    }

    /// Compares the statistics of a style with the features of its rows, once the run has ended.
    async fn statistics(&mut self, storage: &dyn Storage, truth: &Truth<'_>, style: &str) {
        let run = &truth.run.record.run;
        let key = ArtifactKey::FeatureStatistics(run.clone(), style.to_owned());
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        let expected = truth.has_ended.then(|| truth.features.of(style));
        let wrong = shared::blocking::run(move || wrong_statistics(&bytes, expected)).await;
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
        let damage = shared::blocking::run(move || pictures::damage(&bytes)).await;
        self.findings
            .extend(damage.map(|damage| format!("{key} is damaged: {damage}; remove it")));
    }
}

/// Returns what is wrong with a file of statistics: that it cannot be read, that its bytes are not those that its values
/// make, or that they are of other features than the `expected` number and means.
fn wrong_statistics(bytes: &[u8], expected: Option<(usize, Vec<f64>)>) -> Option<String> {
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
    let (num_items, means) = expected?;
    if items != num_items {
        return Some(format!("is of {items} items, expected {num_items}"));
    }
    let is_near = |(found, expected): (&f64, &f64)| {
        (found - expected).abs() <= TOLERANCE * (1.0 + expected.abs())
    };
    let found = &file.statistics.mean;
    let is_same = found.len() == means.len() && found.iter().zip(&means).all(is_near);
    (!is_same).then(|| "has other means than the features of its items".to_owned())
}

/// Reads the stored counts as they are; what is wrong with them is a finding. Counts of another version are none.
pub(super) async fn stored_tally(
    storage: &dyn Storage,
    run: &FrozenRun,
) -> Result<(Tally, Beside), StorageError> {
    let id = &run.record.run;
    let mut beside = Beside::default();
    let key = ArtifactKey::Tally(id.clone());
    // It is not listed before: a run need not have been counted.
    let bytes = match storage.read(&key).await {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind == StorageErrorKind::NotFound => None,
        Err(error) => {
            let finding = format!("{key} cannot be read: {}", chain(&error));
            beside.findings.push(finding);
            None
        }
    };
    if let Some(bytes) = bytes {
        let opened = seal::open(&bytes, &key);
        match opened.seal {
            Seal::Whole => {}
            Seal::Missing => beside.notes.push(
                "tally.json carries no digest of itself, as those of earlier programs".to_owned(),
            ),
            Seal::Broken(error) => beside.findings.push(format!(
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
        beside.findings.extend(
            wrong.map(|wrong| {
                format!("tally.json is damaged: {wrong}; remove it: it is counted anew")
            }),
        );
    }
    let tally = Tally::stored(storage, id).await?;
    if tally.shards().next().is_some() && !tally.is_of(run) {
        let finding =
            "tally.json counts the shards of another plan: remove it, and they are counted anew";
        beside.findings.push(finding.to_owned());
    }
    let strange = tally.contradictions(run);
    beside.findings.extend(strange.into_iter().map(|(shard, why)| {
        format!("tally.json cannot be right about shard {shard}: {why}; remove it, and it is counted anew")
    }));
    Ok((tally, beside))
}
