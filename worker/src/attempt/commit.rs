//! The commit of a shard: its rows, stored once.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::manifest::{self, ManifestRow};
use shared::storage::StorageErrorKind;

use super::goal::check_same_images;
use super::{Attempt, AttemptError, ShardOutcome, Stage};

impl Attempt<'_> {
    /// Stores rows under a key, unless another attempt has.
    pub(super) async fn commit(
        &self,
        key: ArtifactKey,
        rows: Vec<ManifestRow>,
    ) -> Result<ShardOutcome, AttemptError> {
        self.progress.begin(Stage::Store);
        let bytes = manifest::write(rows.clone())?;
        match self.storage.create(&key, Bytes::from(bytes)).await {
            Ok(_) => Ok(ShardOutcome::Committed(rows)),
            // Another attempt committed first; its rows differ in times alone, and they are the ones that count.
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                let there = manifest::read(self.storage.read(&key).await?)?;
                check_same_images(&rows, &there)?;
                tracing::info!("another attempt has committed the shard");
                Ok(ShardOutcome::Committed(there))
            }
            Err(error) => Err(error.into()),
        }
    }
}
