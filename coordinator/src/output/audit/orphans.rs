//! What is stored among the items, shards and attempts of a run and belongs to none of them, or only leads elsewhere.

use std::collections::BTreeSet;
use std::ops::Bound;

use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::storage::{Storage, StorageError};

use super::gathered::Audit;
use crate::run::ledger::Ledger;

impl Audit<'_> {
    /// An image of a committed shard has a row that is done.
    pub(super) fn check_orphans(&mut self) {
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

    /// What lies among the shards belongs to one that was planned, or to a revision that was decided.
    pub(super) fn check_commits(&mut self, ledger: &Ledger) {
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
    pub(super) fn check_attempts(&mut self, ledger: &Ledger) {
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

    /// What a link below the run's folder leads to lies elsewhere: it can be changed there, and a copy of the run has it not.
    /// The storage root and the folders above it may be links.
    pub(super) async fn check_links(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
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
}
