//! The proof that nothing is lost and nothing was altered: items planned = items accounted for, every digest right, every row
//! that of its run, and nothing below the run's folder that is not known.
//!
//! - `shard`: one shard; `rows`, `pictures`: its rows compared with the run's record, pictures with their rows
//! - `gathered`: what all shards say together, with `row_sum`; compared with it are `labels` (class maps too), `manifest` and
//!   `objects`, and by `predictions` what may be stored of those
//! - `orphans`: what belongs to nothing
//! - [`deep`]: figures of some items computed again

pub mod deep;
mod gathered;
mod labels;
mod manifest;
mod objects;
mod orphans;
mod pictures;
mod predictions;
mod row_sum;
mod rows;
mod shard;

use futures::future::try_join_all;
use shared::decision::DecisionError;
use shared::failure::chain;
use shared::storage::Storage;
use shared::wording::one_line;

use self::gathered::Audit;
use self::rows::Expected;
use self::shard::{Known, check_shard};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError};
use crate::run::stored_items::StoredItems;
use crate::run::tally::{Counts, READS_AT_ONCE};

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
    let (reported, in_report) = objects::stored_report(storage, run).await?;
    let mut styles = reported.iter().flat_map(|reported| &reported.styles);
    let per_class = styles.any(|style| !style.classes.is_empty());
    let known = Known {
        run,
        ledger: &ledger,
        tally: &tally,
        expected: Expected::of(run, &ledger),
    };
    let mut audit = Audit::new(run, stored, per_class);
    for part in run.plan.shards.chunks(READS_AT_ONCE) {
        let checks = part.iter().map(|shard| check_shard(storage, &known, shard));
        let checked = try_join_all(checks).await?;
        for checked in checked {
            audit.take(checked).await;
        }
    }
    audit.check_labels(storage).await?;
    audit.check_priors(storage).await?;
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
