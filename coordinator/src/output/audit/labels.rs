//! The labels of contents, compared with the digests that rows tell.

use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::storage::{Storage, StorageError};

use super::gathered::Audit;
use super::pictures::{self, look};
use crate::run::tally::READS_AT_ONCE;

impl Audit<'_> {
    /// The label of each content that is done is there, and is that of its rows.
    pub(super) async fn check_labels(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
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
