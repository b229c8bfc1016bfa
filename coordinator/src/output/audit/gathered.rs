//! What the checked shards say together, which everything else of the run is compared with.

use std::collections::{HashMap, HashSet};

use shared::dataset::DatasetEntry;
use shared::ids::ItemId;
use shared::storage::{Storage, StorageError};
use shared::wording::counted;

use super::AuditReport;
use super::objects::{self, ObjectFindings, Truth};
use super::predictions::ExpectedPredictions;
use super::row_sum::RowSum;
use super::shard::{Checked, Uncommitted};
use crate::output::quality::fold::RunFold;
use crate::output::report::RunReport;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Ledger;
use crate::run::stored_items::StoredItems;

/// An audit under way.
pub(super) struct Audit<'a> {
    pub(super) run: &'a FrozenRun,
    pub(super) report: AuditReport,
    contents: HashMap<&'a str, usize>,
    styles: HashMap<&'a str, usize>,
    /// Digest of each content's label, as the rows say.
    pub(super) labels: Vec<Option<String>>,
    /// Digest of each style's class map, as the rows say.
    pub(super) priors: Vec<Option<String>>,
    /// Digest of each content's image file, as the rows say.
    files: Vec<Option<String>>,
    /// Predictions of a segmenter that may be stored.
    pub(super) predictions: ExpectedPredictions,
    /// Images that no row has accounted for yet.
    pub(super) stored: StoredItems,
    /// Items that are quarantined, as positions of style and content.
    pub(super) quarantined: HashSet<(usize, usize)>,
    /// Whether nothing is left to be made.
    pub(super) has_ended: bool,
    /// All rows of the run; nothing once those of a shard cannot be read.
    pub(super) rows: Option<RowSum>,
    /// What they are like together.
    fold: RunFold,
    /// Files of shards that carry no digest.
    num_unsealed: usize,
}

impl<'a> Audit<'a> {
    /// Returns an audit that has looked at no shard; `per_class` says whether the report has figures of classes.
    pub(super) fn new(run: &'a FrozenRun, stored: StoredItems, per_class: bool) -> Self {
        let positions = |listings: &'a [DatasetEntry]| {
            let names = listings.iter().enumerate();
            names.map(|(i, listing)| (listing.name(), i)).collect()
        };
        Self {
            run,
            report: AuditReport {
                planned: run.plan.num_items(),
                ..AuditReport::default()
            },
            contents: positions(&run.plan.contents),
            styles: positions(&run.plan.styles),
            predictions: ExpectedPredictions::default(),
            labels: vec![None; run.plan.contents.len()],
            priors: vec![None; run.plan.styles.len()],
            files: vec![None; run.plan.contents.len()],
            stored,
            quarantined: HashSet::new(),
            has_ended: true,
            rows: Some(RowSum::default()),
            fold: RunFold::new(per_class),
            num_unsealed: 0,
        }
    }
}

impl Audit<'_> {
    /// Takes in what was found in a shard.
    pub(super) async fn take(&mut self, checked: Checked<'_>) {
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
        let has_predictions = self.run.has_predictions();
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
            if is_made && has_predictions {
                self.predictions.in_making(position);
            }
        }
        let position = |contents: &HashMap<&str, usize>, item: &ItemId| {
            let content = *contents.get(item.content.as_str())?;
            let mut styles = checked.shard.styles.iter().copied();
            let style = styles.find(|&style| plan.styles[style].name() == item.style)?;
            Some((style, content))
        };
        let quarantined = checked.quarantined.iter();
        for item in quarantined.filter_map(|item| position(&self.contents, item)) {
            self.quarantined.insert(item);
            if has_predictions {
                self.predictions.in_row(item, false);
            }
        }
        for done in checked.done {
            let item = done.item;
            let Some((style, content)) = position(&self.contents, &item) else {
                continue;
            };
            self.stored.account_for((style, content));
            self.report.done.push((style, content));
            if has_predictions {
                let position = (style, content);
                self.predictions.in_row(position, done.has_predictions);
            }
            if let Some(prior_sha256) = done.prior_sha256
                && !agrees(&mut self.priors[style], prior_sha256)
            {
                self.report.findings.push(format!(
                    "priors/{}.png: rows disagree about its SHA-256",
                    item.style
                ));
            }
            let Some(digests) = done.digests else {
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

    /// Returns the width and the height of the run's pictures.
    pub(super) fn size(&self) -> (u32, u32) {
        let model = &self.run.record.frozen.model;
        // No picture is larger, so one of such a model never fits.
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        (side(model.width), side(model.height))
    }

    /// Everything else below the run's folder is known and is what it must be.
    pub(super) async fn check_objects(
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
            styles: &self.styles,
            labels: &self.labels,
            priors: &self.priors,
            predictions: &self.predictions,
        };
        objects::check(storage, &truth, found).await
    }

    /// Takes in what was found about the other objects of the run.
    pub(super) fn take_objects(&mut self, found: ObjectFindings) {
        // What is gone since it was listed may have been found before.
        let known: HashSet<String> = self.report.findings.iter().cloned().collect();
        let others = found.findings.into_iter();
        let others = others.filter(|finding| !known.contains(finding));
        self.report.findings.extend(others);
        self.report.notes.extend(found.notes);
        if self.num_unsealed > 0 {
            self.report.notes.push(format!(
                "{} no digest, as those of earlier programs: nobody can tell whether all of their figures are \
                 as they were written",
                counted(self.num_unsealed, "file of shards carries", "files of shards carry")
            ));
        }
    }
}

/// Returns whether a digest is the one that is known, which it is from now on if none was.
fn agrees(known: &mut Option<String>, sha256: String) -> bool {
    *known.get_or_insert_with(|| sha256.clone()) == sha256
}
