//! The labels of contents and the class maps of styles without labels, compared with the digests that rows tell.

use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::storage::{Storage, StorageError};

use super::gathered::Audit;
use super::pictures;
use crate::run::tally::READS_AT_ONCE;

impl Audit<'_> {
    /// The label of each content that is done is there, and is that of its rows.
    pub(super) async fn check_labels(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
        let run = &self.run.record.run;
        let key =
            |content: &DatasetEntry| ArtifactKey::Label(run.clone(), content.name().to_owned());
        let named = self.run.plan.contents.iter().map(key).zip(&self.labels);
        let findings = check(storage, self.size(), named).await?;
        self.report.findings.extend(findings);
        Ok(())
    }

    /// The class map of each style of which rows tell one is there, and is that of the rows.
    pub(super) async fn check_priors(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
        let run = &self.run.record.run;
        let key = |style: &DatasetEntry| ArtifactKey::Prior(run.clone(), style.name().to_owned());
        let named = self.run.plan.styles.iter().map(key).zip(&self.priors);
        let findings = check(storage, self.size(), named).await?;
        self.report.findings.extend(findings);
        Ok(())
    }
}

/// Returns what is other about pictures of a size whose digests rows tell.
async fn check<'r>(
    storage: &dyn Storage,
    size: (u32, u32),
    named: impl Iterator<Item = (ArtifactKey, &'r Option<String>)>,
) -> Result<Vec<String>, StorageError> {
    let told = named.filter_map(|(key, sha256)| Some((key, sha256.as_deref()?)));
    let told: Vec<(ArtifactKey, &str)> = told.collect();
    let mut findings = Vec::new();
    for part in told.chunks(READS_AT_ONCE) {
        let checks = part
            .iter()
            .map(|(key, sha256)| pictures::check(storage, key, (*sha256, size)));
        let found = try_join_all(checks).await?;
        findings.extend(found.into_iter().flatten());
    }
    Ok(findings)
}
