//! The report, compared with what the rows give, and what was written with it.

use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::storage::Storage;
use shared::wording::{counted, first_names, first_of};

use super::reading::Place;
use super::statistics::has_statistics;
use super::{MADE_ANEW, Made, ObjectFindings, Truth};
use crate::output::report::RunReport;
use crate::output::report::make::Material;
use crate::run::cost::Workload;
use crate::run::ledger::Mark;

impl ObjectFindings {
    /// Compares the report with the run's plan, and that of a run that has ended with its rows.
    pub(super) async fn report(&mut self, truth: &Truth<'_>) {
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
                 for other reasons, or other doubtful ones; {MADE_ANEW}",
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
            left: Workload::default(),
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
                "report.json was made of {} with {} bytes, and there are {} with {} bytes; {MADE_ANEW}",
                counted(told.commits, "file of shards", "files of shards"),
                told.bytes,
                stored.commits,
                stored.bytes
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
    pub(super) async fn made(&mut self, storage: &dyn Storage, truth: &Truth<'_>, made: &Made) {
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
}
