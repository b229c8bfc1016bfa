//! The proof that nothing is lost: items planned = items accounted for, every digest right.

use std::collections::{BTreeMap, HashMap};

use futures::future::{join_all, try_join_all};
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::chain;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Status};
use shared::storage::{Storage, StorageErrorKind};

use crate::freeze::FrozenRun;
use crate::ledger::{self, Ledger, LedgerError, ShardState};
use crate::plan::Shard;
use crate::stored_items::StoredItems;
use crate::tally::{Counts, READS_AT_ONCE};

/// What an audit found.
#[derive(Debug, Default)]
pub struct AuditReport {
    /// Counts over the rows found.
    pub counts: Counts,
    /// Items planned.
    pub planned: usize,
    /// Everything that is not as it must be, one line each.
    pub findings: Vec<String>,
}

/// Checks a run from storage alone: shard by shard, with as many rows in memory as are read at once.
///
/// # Errors
///
/// [`LedgerError`] if storage cannot be listed; what can be listed and is wrong is a finding.
pub async fn audit(storage: &dyn Storage, run: &FrozenRun) -> Result<AuditReport, LedgerError> {
    let ledger = Ledger::read(storage, &run.record.run).await?;
    let stored = StoredItems::read(storage, run).await?;
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
        stored,
    };
    for part in run.plan.shards.chunks(READS_AT_ONCE) {
        let checks = part
            .iter()
            .map(|shard| check_shard(storage, run, &ledger, shard));
        let checked = try_join_all(checks).await?;
        checked.into_iter().for_each(|checked| audit.take(checked));
    }
    audit.check_labels(storage).await;
    audit.check_strays();
    for shard in ledger
        .committed
        .iter()
        .filter(|shard| shard.0 as usize >= run.plan.shards.len())
    {
        let finding = format!("shards/{shard}.parquet belongs to no shard that was planned");
        audit.report.findings.push(finding);
    }
    if audit.report.planned != run.record.frozen.num_items {
        let recorded = run.record.frozen.num_items;
        let planned = audit.report.planned;
        let finding = format!("the plan has {planned} items, the run's record says {recorded}");
        audit.report.findings.push(finding);
    }
    Ok(audit.report)
}

/// What was found in one shard.
struct Checked<'a> {
    shard: &'a Shard,
    counts: Counts,
    /// The items that are done, with the digest of their label.
    done: Vec<(ItemId, String)>,
    /// Whether it is not committed, so that images of it may be stored without a row.
    in_the_making: bool,
    findings: Vec<String>,
}

async fn check_shard<'a>(
    storage: &dyn Storage,
    run: &'a FrozenRun,
    ledger: &Ledger,
    shard: &'a Shard,
) -> Result<Checked<'a>, LedgerError> {
    let id = &run.record.run;
    let mut checked = Checked {
        shard,
        counts: Counts::default(),
        done: Vec::new(),
        in_the_making: false,
        findings: Vec::new(),
    };
    match ledger.state(shard.id, run.record.limits.max_attempts) {
        ShardState::Open => {
            let finding = format!("shard {} is not committed: run again to make it", shard.id);
            checked.findings.push(finding);
            checked.in_the_making = true;
        }
        ShardState::Failed { last } => {
            checked.in_the_making = true;
            let failure = ledger::failed_attempt(storage, id, shard.id, last).await?;
            checked.counts.failed = shard.num_items();
            checked
                .counts
                .reasons
                .insert(failure.error, shard.num_items());
        }
        ShardState::Committed => match ledger::shard_rows(storage, id, shard.id).await {
            Ok(rows) => {
                check_items(run, shard, &rows, &mut checked.findings);
                checked.counts = Counts::of(&rows);
                for row in &rows {
                    check_image(storage, row, &mut checked).await;
                }
            }
            Err(error) => {
                checked.findings.push(chain(&error));
                checked.in_the_making = true;
            }
        },
    }
    Ok(checked)
}

/// A shard's rows must be its items, each once.
fn check_items(run: &FrozenRun, shard: &Shard, rows: &[ManifestRow], findings: &mut Vec<String>) {
    let mut planned: BTreeMap<ItemId, usize> =
        shard.items().map(|item| (run.plan.item(item), 0)).collect();
    for row in rows {
        match planned.get_mut(&row.item) {
            Some(count) => *count += 1,
            None => findings.push(format!(
                "{} has a row in shard {} and was not planned there",
                row.item, shard.id
            )),
        }
    }
    for (item, count) in planned {
        match count {
            0 => findings.push(format!("{item} has no row")),
            1 => {}
            _ => findings.push(format!("{item} has more than one row")),
        }
    }
}

async fn check_image(storage: &dyn Storage, row: &ManifestRow, checked: &mut Checked<'_>) {
    let findings = &mut checked.findings;
    match (&row.output, row.status) {
        (Some(output), Status::Done) => {
            let key = ArtifactKey::Image(row.run.clone(), row.item.clone());
            let found = sha256(storage, &key).await;
            compare(
                &output.image_key,
                &output.image_sha256,
                found.as_deref(),
                findings,
            );
            checked
                .done
                .push((row.item.clone(), output.label_sha256.clone()));
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
        }
    }
}

struct Audit<'a> {
    run: &'a FrozenRun,
    report: AuditReport,
    contents: HashMap<&'a str, usize>,
    /// Digest of each content's label, as the rows say.
    labels: Vec<Option<String>>,
    /// Images that no row has accounted for yet.
    stored: StoredItems,
}

impl Audit<'_> {
    fn take(&mut self, checked: Checked<'_>) {
        self.report.counts.add(&checked.counts);
        self.report.findings.extend(checked.findings);
        if checked.in_the_making {
            let items = checked.shard.items();
            items.for_each(|item| self.stored.account_for(item));
        }
        let plan = &self.run.plan;
        for (item, label_sha256) in checked.done {
            let Some(&content) = self.contents.get(item.content.as_str()) else {
                continue;
            };
            let mut styles = checked.shard.styles.iter().copied();
            if let Some(style) = styles.find(|&style| plan.styles[style].name() == item.style) {
                self.stored.account_for((style, content));
            }
            match &self.labels[content] {
                None => self.labels[content] = Some(label_sha256),
                Some(known) if *known != label_sha256 => self.report.findings.push(format!(
                    "labels/{}.png: rows disagree about its SHA-256",
                    item.content
                )),
                Some(_) => {}
            }
        }
    }

    async fn check_labels(&mut self, storage: &dyn Storage) {
        let run = &self.run.record.run;
        let contents = &self.run.plan.contents;
        let named: Vec<_> = contents.iter().zip(&self.labels).collect();
        for part in named.chunks(READS_AT_ONCE) {
            let checks = part.iter().filter_map(|(content, sha256)| {
                let key = ArtifactKey::Label(run.clone(), content.name().to_owned());
                Some(check_label(storage, key, sha256.as_deref()?))
            });
            self.report
                .findings
                .extend(join_all(checks).await.into_iter().flatten());
        }
    }

    /// An image of a committed shard has a row that is done.
    fn check_strays(&mut self) {
        let plan = &self.run.plan;
        let strays = self.stored.images(plan).map(|position| {
            let key = ArtifactKey::Image(self.run.record.run.clone(), plan.item(position));
            key.path()
        });
        let strays = strays.chain(self.stored.strays.iter().cloned());
        let findings = strays.map(|path| format!("{path} belongs to no committed item"));
        self.report.findings.extend(findings);
    }
}

async fn check_label(storage: &dyn Storage, key: ArtifactKey, expected: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let found = sha256(storage, &key).await;
    compare(&key.path(), expected, found.as_deref(), &mut findings);
    findings
}

async fn sha256(storage: &dyn Storage, key: &ArtifactKey) -> Option<String> {
    match storage.read(key).await {
        Ok(bytes) => Some(digest::sha256(&bytes)),
        Err(error) if error.kind == StorageErrorKind::NotFound => None,
        Err(error) => Some(format!("unreadable: {}", chain(&error))),
    }
}

fn compare(path: &str, expected: &str, found: Option<&str>, findings: &mut Vec<String>) {
    match found {
        None => findings.push(format!("{path} is missing")),
        Some(found) if found != expected => findings.push(format!(
            "{path} has SHA-256 {found}, its row says {expected}"
        )),
        Some(_) => {}
    }
}
