//! What was made of which files: noted before an image is stored, and asked before a stored one is kept.
//!
//! An output and its input never come from two versions of a file, whatever its size: a content of which committed rows, or
//! images that earlier attempts stored, speak otherwise is another one now, and its items are quarantined.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::failure::FailureClass;
use shared::making::{ContentDigests, MadeImage, Making};
use shared::storage::{StorageError, StorageErrorKind};

use super::content::InHand;
use super::rows::{RowMaker, item_of};
use super::{Attempt, AttemptError, Goal, Quarantine};

impl Attempt<'_> {
    /// Returns what attempts at the shard have noted before. What cannot be read, or is of a run that was planned otherwise,
    /// is nothing: that costs work and no image.
    pub(super) async fn noted(&self) -> Result<Making, AttemptError> {
        let plan_hash = &self.provenance.plan_hash;
        let key = self.making_key();
        let bytes = match self.storage.read(&key).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind == StorageErrorKind::NotFound => {
                return Ok(Making::nothing(plan_hash));
            }
            Err(error) => return Err(error.into()),
        };
        match Making::parse(&bytes, &key) {
            Ok(noted) if noted.plan_hash == *plan_hash => return Ok(noted),
            Ok(_) => {
                tracing::warn!(%key, "it is of a run that was planned otherwise: its images are made again")
            }
            Err(error) => tracing::warn!(%key, %error, "it is damaged: its images are made again"),
        }
        Ok(Making::nothing(plan_hash))
    }

    /// Notes images of a content, by their styles, before the first of them is stored; those without a digest are none. A
    /// repair goes by its committed rows.
    pub(super) async fn note(
        &self,
        content: &InHand<'_>,
        images: &[(&str, &str)],
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        if matches!(self.goal, Goal::Repair { .. }) {
            return Ok(());
        }
        let mut is_new = false;
        for &(style, sha256) in images.iter().filter(|(_, sha256)| !sha256.is_empty()) {
            let made = MadeImage {
                sha256: sha256.to_owned(),
                content: content.digests.clone(),
                prior_sha256: rows.prior_sha256(style).map(str::to_owned),
            };
            is_new |= rows.noted.add(item_of(content.name(), style), made);
        }
        if is_new {
            let key = self.making_key();
            let json = Bytes::from(rows.noted.to_json(&key));
            self.storage.replace(&key, json).await?;
        }
        Ok(())
    }

    /// Returns whether a stored image is one that attempts at this shard made of the content as it is.
    pub(super) fn is_known(
        &self,
        content: &InHand<'_>,
        style: &DatasetEntry,
        sha256: &str,
        rows: &RowMaker<'_>,
    ) -> bool {
        let noted = rows.noted.of(style.name(), content.name());
        let is_own = |made: &MadeImage| {
            made.sha256 == sha256
                && made.content == content.digests
                && made.prior_sha256.as_deref() == rows.prior_sha256(style.name())
        };
        // What is stored of a committed shard is compared with its rows.
        matches!(self.goal, Goal::Repair { .. }) || noted.is_some_and(is_own)
    }

    /// Returns why the items of a content are quarantined, if something was made of it when its files were others.
    pub(super) async fn other_content(
        &self,
        content: &InHand<'_>,
        rows: &RowMaker<'_>,
    ) -> Result<Option<Quarantine>, AttemptError> {
        if let Some(before) = self.known.get(content.name())
            && *before != content.digests
        {
            // Nothing of it is quarantined where an item that is done is made again.
            let again = match self.goal {
                Goal::Repair { .. } => "run again",
                Goal::Shard | Goal::Revision { .. } => "`synth2real resume RUN --only quarantined`",
            };
            let reason = format!(
                "{} has other bytes than when items of it were done in this run: put the old one back and {again}, or give the \
                 new one another run.name",
                content.other_file(before)
            );
            return Ok(Some(changed(reason)));
        }
        for style in rows.wanted(content.name(), &self.planned.styles) {
            let noted = rows.noted.of(style.name(), content.name());
            let Some(made) = noted.filter(|made| made.content != content.digests) else {
                continue;
            };
            let key = self.image_key(content.name(), style.name());
            match self.storage.read(&key).await {
                Ok(image) if digest::sha256(&image) == made.sha256 => {
                    let reason = format!(
                        "{} has other bytes than when {key} was made of it: put the old one back, or remove what was made of \
                         it ({} and the images and predictions of {}) to have it made of the new one; then `synth2real resume RUN --only \
                         quarantined`",
                        content.other_file(&made.content),
                        self.label_key(content),
                        content.name()
                    );
                    return Ok(Some(changed(reason)));
                }
                // It is gone, or another one by now: nothing of it is kept.
                Ok(_) => {}
                Err(error) if error.kind == StorageErrorKind::NotFound => {}
                Err(error) => {
                    return AttemptError::from(error).of_item().map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Returns why the items of a content are quarantined whose stored label is another one than its file makes. If that file
    /// is known to be the same, what is stored is damaged: that is an error.
    pub(super) fn other_label(
        &self,
        content: &InHand<'_>,
        rows: &RowMaker<'_>,
        conflict: StorageError,
    ) -> Result<Quarantine, AttemptError> {
        let mut noted = rows.noted.of_content(content.name());
        let is_same = |made: &MadeImage| made.content.label_sha256 == content.digests.label_sha256;
        let is_known = self.known.contains_key(content.name());
        if is_known || noted.any(is_same) || matches!(self.goal, Goal::Repair { .. }) {
            return Err(conflict.into());
        }
        Ok(changed(format!(
            "{} of the run was made when {} had other bytes, or is damaged: put the old file back, or remove what was made of \
             it ({0} and the images and predictions of {}) to have it made of the new one; then `synth2real resume RUN --only quarantined`",
            self.label_key(content),
            content.label_file(),
            content.name()
        )))
    }

    fn making_key(&self) -> ArtifactKey {
        ArtifactKey::Making(self.run().clone(), self.task.shard)
    }

    fn label_key(&self, content: &InHand<'_>) -> ArtifactKey {
        ArtifactKey::Label(self.run().clone(), content.name().to_owned())
    }
}

impl InHand<'_> {
    /// Returns the file of the content that is another one than it was.
    fn other_file(&self, before: &ContentDigests) -> String {
        if before.image_sha256 == self.digests.image_sha256 {
            self.label_file()
        } else {
            self.loaded.file.clone()
        }
    }

    fn label_file(&self) -> String {
        match &self.listing.label {
            Some(label) => label.file.path.display().to_string(),
            None => format!("the label of {}", self.name()),
        }
    }
}

fn changed(reason: String) -> Quarantine {
    Quarantine {
        class: FailureClass::Changed,
        reason,
    }
}
