//! The labels of contents, compared with the digests that rows tell.

use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::storage::{Storage, StorageError};

use super::gathered::Audit;
use super::pictures;
use crate::run::tally::READS_AT_ONCE;

impl Audit<'_> {
    /// The label of each content that is done is there, and is that of its rows.
    pub(super) async fn check_labels(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
        let size = self.size();
        let run = &self.run.record.run;
        let contents = &self.run.plan.contents;
        let named: Vec<_> = contents.iter().zip(&self.labels).collect();
        for part in named.chunks(READS_AT_ONCE) {
            let checks = part.iter().filter_map(|(content, sha256)| {
                let key = ArtifactKey::Label(run.clone(), content.name().to_owned());
                let sha256 = sha256.as_deref()?;
                Some(async move { pictures::check(storage, &key, (sha256, size)).await })
            });
            let found = try_join_all(checks).await?;
            self.report.findings.extend(found.into_iter().flatten());
        }
        Ok(())
    }
}
