//! The proof that nothing is lost and nothing was altered: items planned = items accounted for, every digest right, every row
//! that of its run, and nothing below the run's folder that is not known.
//!
//! - `rows`, `pictures`: rows compared with the run's record, pictures with their rows; `objects`: everything else
//! - [`deep`]: figures of some items computed again

pub mod deep;
mod objects;
mod pictures;
mod rows;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use bytes::Bytes;
use futures::future::try_join_all;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::decision::{DecisionError, Items};
use shared::digest;
use shared::failure::chain;
use shared::ids::ItemId;
use shared::making::ContentDigests;
use shared::manifest::{self, ManifestError, ManifestRow, Status};
use shared::storage::{Storage, StorageError};
use shared::wording::one_line;

use self::objects::{ObjectFindings, Truth};
use self::pictures::look;
use self::rows::Expected;
use crate::output::collect::FailedShard;
use crate::output::quality::fold::RunFold;
use crate::output::report::RunReport;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{self, Ledger, LedgerError, ShardState};
use crate::run::plan::Shard;
use crate::run::stored_items::StoredItems;
use crate::run::tally::{Counts, READS_AT_ONCE, ShardTally, Tally};
use crate::run::unreadable::{self, ReadError};

/// What an audit found.
#[derive(Debug, Default)]
pub struct AuditReport {
    /// Counts over the rows found.
    pub counts: Counts,
    /// Items planned.
    pub planned: usize,
    /// Everything that is not as it must be, one line each.
    pub findings: Vec<String>,
    /// What a reader of the findings should know: what cannot be proved, and what is no part of the run.
    pub notes: Vec<String>,
    /// Items that are done, as positions of style and content.
    pub done: Vec<(usize, usize)>,
}

/// Checks a run from storage alone: shard by shard, with as many rows in memory as are read at once, and of every style the
/// sums that a report is made from. Of the report, distances to photographs are compared where those can be read.
///
/// # Errors
///
/// [`LedgerError`] if storage cannot be listed or does not answer, or a decision cannot be read; whatever else is wrong, or
/// cannot be read, is a finding.
pub async fn audit(storage: &dyn Storage, run: &FrozenRun) -> Result<AuditReport, LedgerError> {
    let ledger = match Ledger::read(storage, run).await {
        Ok(ledger) => ledger,
        Err(LedgerError::Decision(error @ DecisionError::Malformed { .. })) => {
            return Ok(AuditReport::of_damaged_decisions(run, &error));
        }
        Err(error) => return Err(error),
    };
    let stored = StoredItems::read(storage, run).await?;
    let (tally, counted) = objects::stored_tally(storage, run).await?;
    let (reported, in_report) = objects::stored_report(storage, run).await;
    let mut styles = reported.iter().flat_map(|reported| &reported.styles);
    let per_class = styles.any(|style| !style.classes.is_empty());
    let known = Known {
        run,
        ledger: &ledger,
        tally: &tally,
        expected: Expected::of(run),
    };
    let mut audit = Audit {
        run,
        report: AuditReport {
            planned: run.plan.num_items(),
            ..AuditReport::default()
        },
        contents: run
            .plan
            .contents
            .iter()
            .enumerate()
            .map(|(i, c)| (c.name(), i))
            .collect(),
        labels: vec![None; run.plan.contents.len()],
        files: vec![None; run.plan.contents.len()],
        stored,
        quarantined: HashSet::new(),
        has_ended: true,
        rows: Some(RowSum::default()),
        fold: RunFold::new(per_class),
        num_unsealed: 0,
    };
    for part in run.plan.shards.chunks(READS_AT_ONCE) {
        let checks = part.iter().map(|shard| check_shard(storage, &known, shard));
        let checked = try_join_all(checks).await?;
        for checked in checked {
            audit.take(checked).await;
        }
    }
    audit.check_labels(storage).await?;
    audit.check_orphans();
    audit.check_commits(&ledger);
    audit.check_attempts(&ledger);
    audit.check_manifest(storage, reported.as_ref()).await?;
    let found = audit.check_objects(storage, &ledger, reported.as_ref(), in_report);
    let found = found.await?;
    audit.take_objects(found);
    audit.report.findings.extend(counted.findings);
    audit.report.notes.extend(counted.notes);
    if audit.report.planned != run.record.frozen.num_items {
        let recorded = run.record.frozen.num_items;
        let planned = audit.report.planned;
        let finding = format!("the plan has {planned} items, the run's record says {recorded}");
        audit.report.findings.push(finding);
    }
    audit.check_links(storage).await?;
    audit.report.show_everything();
    Ok(audit.report)
}

impl AuditReport {
    /// Returns what is found where decisions are damaged: what holds of the shards depends on them.
    fn of_damaged_decisions(run: &FrozenRun, error: &DecisionError) -> Self {
        let what = "nothing else was looked at: what holds of the run depends on what was decided about it";
        Self {
            planned: run.plan.num_items(),
            findings: vec![chain(error)],
            notes: vec![what.to_owned()],
            ..Self::default()
        }
    }

    /// Makes each finding one line, whatever the names in it.
    fn show_everything(&mut self) {
        for line in self.findings.iter_mut().chain(&mut self.notes) {
            let shown = one_line(line).into_owned();
            *line = shown;
        }
    }
}

/// What a shard is compared with.
struct Known<'a> {
    run: &'a FrozenRun,
    ledger: &'a Ledger,
    tally: &'a Tally,
    expected: Expected<'a>,
}

/// What was found in one shard.
struct Checked<'a> {
    shard: &'a Shard,
    counts: Counts,
    /// The items that are done, with what they were made from.
    done: Vec<(ItemId, Option<ContentDigests>)>,
    quarantined: Vec<ItemId>,
    /// Whether something of it is to be made.
    is_open: bool,
    /// Its rows in the manifest; nothing if they cannot be read.
    rows: Option<RowSum>,
    /// Its rows with the features of their outputs.
    judged: Vec<ManifestRow>,
    /// Files of it that carry no digest.
    num_unsealed: usize,
    /// Items that are being made, so that images of them may be stored without a row.
    uncommitted: Uncommitted<'a>,
    findings: Vec<String>,
}

/// Which items of a shard are being made.
#[derive(Debug, Clone, Copy)]
enum Uncommitted<'a> {
    None,
    All,
    Some(&'a Items),
}

async fn check_shard<'a>(
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
            let finding = format!(
                "{} quarantined items of shard {} are to be tried again: run again, or resume, to make them",
                retried.map_or(0, Items::len),
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
            let digests = ContentDigests::of_row(row);
            if digests.is_none() {
                findings.push(format!(
                    "{} is done and has no SHA-256 of its content",
                    row.item
                ));
            }
            checked.done.push((row.item.clone(), digests));
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

struct Audit<'a> {
    run: &'a FrozenRun,
    report: AuditReport,
    contents: HashMap<&'a str, usize>,
    /// Digest of each content's label, as the rows say.
    labels: Vec<Option<String>>,
    /// Digest of each content's image file, as the rows say.
    files: Vec<Option<String>>,
    /// Images that no row has accounted for yet.
    stored: StoredItems,
    /// Items that are quarantined, as positions of style and content.
    quarantined: HashSet<(usize, usize)>,
    /// Whether nothing is left to be made.
    has_ended: bool,
    /// All rows of the run; nothing once those of a shard cannot be read.
    rows: Option<RowSum>,
    /// What they are like together.
    fold: RunFold,
    /// Files of shards that carry no digest.
    num_unsealed: usize,
}

impl Audit<'_> {
    async fn take(&mut self, checked: Checked<'_>) {
        let _ = self.fold.take_in(checked.judged).await;
        self.report.counts.add(&checked.counts);
        self.report.findings.extend(checked.findings);
        self.has_ended &= !checked.is_open;
        self.num_unsealed += checked.num_unsealed;
        self.rows = match (self.rows.take(), checked.rows) {
            (Some(all), Some(rows)) => Some(all.and(&rows)),
            (None, _) | (_, None) => None,
        };
        let plan = &self.run.plan;
        for position in checked.shard.items() {
            let is_made = match checked.uncommitted {
                Uncommitted::None => false,
                Uncommitted::All => true,
                Uncommitted::Some(items) => {
                    let item = plan.item(position);
                    items.has(&item.style, &item.content)
                }
            };
            if is_made {
                self.stored.account_for(position);
            }
        }
        let position = |contents: &HashMap<&str, usize>, item: &ItemId| {
            let content = *contents.get(item.content.as_str())?;
            let mut styles = checked.shard.styles.iter().copied();
            let style = styles.find(|&style| plan.styles[style].name() == item.style)?;
            Some((style, content))
        };
        let quarantined = checked.quarantined.iter();
        let quarantined = quarantined.filter_map(|item| position(&self.contents, item));
        self.quarantined.extend(quarantined);
        for (item, digests) in checked.done {
            let Some((style, content)) = position(&self.contents, &item) else {
                continue;
            };
            self.stored.account_for((style, content));
            self.report.done.push((style, content));
            let Some(digests) = digests else {
                continue;
            };
            if !agrees(&mut self.labels[content], digests.label_sha256) {
                self.report.findings.push(format!(
                    "labels/{}.png: rows disagree about its SHA-256",
                    item.content
                ));
            }
            if !agrees(&mut self.files[content], digests.image_sha256) {
                self.report.findings.push(format!(
                    "content {}: rows disagree about the SHA-256 of its image file: {} and others were made of different \
                     files",
                    item.content, item
                ));
            }
        }
    }

    /// Everything else below the run's folder is known and is what it must be.
    async fn check_objects(
        &self,
        storage: &dyn Storage,
        ledger: &Ledger,
        report: Option<&RunReport>,
        found: ObjectFindings,
    ) -> Result<ObjectFindings, StorageError> {
        let truth = Truth {
            run: self.run,
            ledger,
            counts: &self.report.counts,
            fold: &self.fold,
            report,
            has_ended: self.has_ended && self.rows.is_some(),
            contents: &self.contents,
            labels: &self.labels,
        };
        objects::check(storage, &truth, found).await
    }

    fn take_objects(&mut self, found: ObjectFindings) {
        // What is gone since it was listed may have been found before.
        let known: HashSet<String> = self.report.findings.iter().cloned().collect();
        let others = found.findings.into_iter();
        let others = others.filter(|finding| !known.contains(finding));
        self.report.findings.extend(others);
        self.report.notes.extend(found.notes);
        if self.num_unsealed > 0 {
            self.report.notes.push(format!(
                "{} files of shards carry no digest of themselves, as those of earlier programs: nobody can tell whether \
                 all of their figures are as they were written",
                self.num_unsealed
            ));
        }
    }

    /// What a link below the run's folder leads to lies elsewhere: it can be changed there, and a copy of the run has it not.
    /// The storage root and the folders above it may be links.
    async fn check_links(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
        let run = ArtifactPrefix::Run(self.run.record.run.clone());
        let links = storage.links(&run).await?;
        let links: Vec<String> = {
            let known: BTreeSet<&str> = self.report.findings.iter().map(String::as_str).collect();
            // A link to nothing may be named as what is missing.
            let is_named = |path: &String| {
                let named = format!("{path} ");
                let from = (Bound::Included(named.as_str()), Bound::Unbounded);
                let next = known.range::<str, _>(from).next();
                next.is_some_and(|finding| finding.starts_with(&named))
            };
            links.into_iter().filter(|path| !is_named(path)).collect()
        };
        let findings = links.into_iter().map(|path| {
            format!(
                "{path} is a link; what it leads to is not part of the run: put that itself in its place"
            )
        });
        self.report.findings.extend(findings);
        Ok(())
    }

    async fn check_labels(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
        let model = &self.run.record.frozen.model;
        // No picture is larger, so one of such a model never fits.
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let size = (side(model.width), side(model.height));
        let run = &self.run.record.run;
        let contents = &self.run.plan.contents;
        let named: Vec<_> = contents.iter().zip(&self.labels).collect();
        for part in named.chunks(READS_AT_ONCE) {
            let checks = part.iter().filter_map(|(content, sha256)| {
                let key = ArtifactKey::Label(run.clone(), content.name().to_owned());
                Some(check_label(storage, key, sha256.as_deref()?, size))
            });
            let found = try_join_all(checks).await?;
            self.report.findings.extend(found.into_iter().flatten());
        }
        Ok(())
    }

    /// What lies among the shards belongs to one that was planned, or to a revision that was decided.
    fn check_commits(&mut self, ledger: &Ledger) {
        let orphans = ledger.orphans.iter();
        let orphans = orphans.map(|path| format!("{path} belongs to no shard that was planned"));
        let revisions = ledger.revisions.iter().flat_map(|(&shard, revisions)| {
            let holds = 1..=ledger.num_revisions(shard);
            let orphans = revisions
                .iter()
                .filter(move |number| !holds.contains(number));
            orphans.map(move |number| {
                format!("shards/{shard}.{number}.parquet belongs to no retry that was decided")
            })
        });
        self.report.findings.extend(orphans.chain(revisions));
    }

    /// Attempts are recorded without a gap from the first that counts: a failure that was not recorded before the next one
    /// was made up, or removed.
    fn check_attempts(&mut self, ledger: &Ledger) {
        for (&shard, attempts) in &ledger.failed_attempts {
            let first = ledger.first_attempt(shard);
            let counting = attempts.iter().copied().filter(|&number| number >= first);
            let counting: BTreeSet<u32> = counting.collect();
            let beyond = (first..).zip(&counting).find(|(own, found)| own != *found);
            self.report.findings.extend(beyond.map(|(missing, found)| {
                format!(
                    "attempts/{shard}/{found}.json is there and attempts/{shard}/{missing}.json before it is not: it was \
                     made up, or the other one was removed"
                )
            }));
        }
    }

    /// The manifest of a run that has ended has the rows of its shards. It is written after the last of them, and a report
    /// with a mark of it after it; other reports are made on request.
    async fn check_manifest(
        &mut self,
        storage: &dyn Storage,
        report: Option<&RunReport>,
    ) -> Result<(), StorageError> {
        if !self.has_ended {
            return Ok(());
        }
        let run = &self.run.record.run;
        let key = ArtifactKey::Manifest(run.clone());
        let found = match unreadable::read(storage, &key).await {
            Ok(bytes) => {
                let num_items = self.run.plan.num_items();
                let read = move || RowSum::of_manifest(bytes, num_items);
                let read = shared::blocking::run(read).await;
                match (read, &self.rows) {
                    (Err(error), _) => Some(format!("cannot be read: {}", chain(&error))),
                    (Ok(found), Some(rows)) if found != *rows => {
                        Some("has other rows than the shards".to_owned())
                    }
                    (Ok(_), _) => None,
                }
            }
            Err(ReadError::Absent) => {
                let was_written = report.is_some_and(|report| report.mark.is_some());
                if !was_written {
                    let note = "manifest.parquet was not made yet: run again, or have `serve` look after the run";
                    self.report.notes.push(note.to_owned());
                }
                was_written.then(|| "is missing".to_owned())
            }
            Err(ReadError::Unreadable(error)) => Some(format!("cannot be read: {}", error.why())),
            Err(ReadError::Storage(error)) => return Err(error),
        };
        self.report.findings.extend(found.map(|what| {
            format!(
                "manifest.parquet {what}: run again, or remove it where `serve` looks after the run, to make it anew"
            )
        }));
        Ok(())
    }

    /// An image of a committed shard has a row that is done.
    fn check_orphans(&mut self) {
        let plan = &self.run.plan;
        let path = |position: (usize, usize)| {
            let key = ArtifactKey::Image(self.run.record.run.clone(), plan.item(position));
            key.path()
        };
        let of_none = |path: String| format!("{path} belongs to no committed item");
        let images = self.stored.images().map(|position| {
            let finding = of_none(path(position));
            if self.quarantined.contains(&position) {
                format!(
                    "{finding}: its item is quarantined: `resume --only quarantined` takes it up once its input is back, \
                     or remove the image"
                )
            } else {
                finding
            }
        });
        let empty = self.stored.empty().map(path);
        let empty = empty.map(|path| format!("{path} belongs to no committed item and is empty"));
        let orphans = self.stored.orphans.iter().cloned().map(of_none);
        let findings: Vec<String> = images.chain(empty).chain(orphans).collect();
        self.report.findings.extend(findings);
    }
}

/// Returns whether a digest is the one that is known, which it is from now on if none was.
fn agrees(known: &mut Option<String>, sha256: String) -> bool {
    *known.get_or_insert_with(|| sha256.clone()) == sha256
}

/// Rows, whatever their order: their number, and the sum of their digests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RowSum {
    num_rows: usize,
    digests: u128,
}

impl RowSum {
    fn of(rows: &[ManifestRow]) -> Self {
        let mut sum = Self::default();
        rows.iter().for_each(|row| sum.add(row));
        sum
    }

    fn of_manifest(bytes: Bytes, max_rows: usize) -> Result<Self, ManifestError> {
        let mut sum = Self::default();
        manifest::read_each(bytes, max_rows, |row| sum.add(row))?;
        Ok(sum)
    }

    /// Adds a row, all of its columns: their debug form tells any two values apart.
    fn add(&mut self, row: &ManifestRow) {
        let sha256 = digest::sha256(format!("{row:?}").as_bytes());
        let half = u128::from_str_radix(&sha256[..sha256.len() / 2], 16);
        self.num_rows += 1;
        let half = half.expect("a digest of ours is hexadecimal");
        self.digests = self.digests.wrapping_add(half);
    }

    fn and(self, other: &Self) -> Self {
        Self {
            num_rows: self.num_rows + other.num_rows,
            digests: self.digests.wrapping_add(other.digests),
        }
    }
}

async fn check_label(
    storage: &dyn Storage,
    key: ArtifactKey,
    sha256: &str,
    size: (u32, u32),
) -> Result<Vec<String>, StorageError> {
    let mut findings = Vec::new();
    let found = look(storage, &key).await?;
    let path = key.path();
    let expected = pictures::Expected {
        path: &path,
        sha256,
        size,
    };
    expected.compare(&found, &mut findings);
    Ok(findings)
}
