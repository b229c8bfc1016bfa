//! The report as it is stored, and whether a stored one still holds.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::ids::RunId;
use shared::seal;
use shared::storage::{Storage, StorageError};

use super::{NetworkReport, RunReport, StyleReport};
use crate::run::tally::Counts;
use crate::run::unreadable;

/// The name of a network whose contract is not where the run found it.
pub(super) const UNKNOWN: &str = "unknown: its contract is not where the run found it";

impl NetworkReport {
    fn is_known(&self) -> bool {
        self.name != UNKNOWN
    }
}

impl RunReport {
    /// Returns the report that was stored; none if there is none that this version reads.
    ///
    /// # Errors
    ///
    /// If storage does not answer.
    pub async fn stored(storage: &dyn Storage, run: &RunId) -> Result<Option<Self>, StorageError> {
        let read = Self::read(storage, run).await?;
        Ok(read.and_then(|read| read.inspect_err(|error| tracing::debug!("{error}")).ok()))
    }

    /// Returns the report that was stored, as [`RunReport::stored`] does, and warns of one that is damaged: for who makes it
    /// anew, and not for who looks again and again.
    ///
    /// # Errors
    ///
    /// If storage does not answer.
    pub async fn stored_or_warned(
        storage: &dyn Storage,
        run: &RunId,
    ) -> Result<Option<Self>, StorageError> {
        let read = Self::read(storage, run).await?;
        let warned = |error: &String| tracing::warn!("{error}");
        Ok(read.and_then(|read| read.inspect_err(warned).ok()))
    }

    /// Reads the report that was stored; or says what is wrong with it, which is a finding of an audit until it is made anew.
    async fn read(
        storage: &dyn Storage,
        run: &RunId,
    ) -> Result<Option<Result<Self, String>>, StorageError> {
        let key = ArtifactKey::Report(run.clone());
        let Some(bytes) = unreadable::read_cache(storage, &key).await? else {
            return Ok(None);
        };
        let read = seal::parse(&bytes, &key);
        Ok(Some(read.map_err(|error| {
            format!("{key} counts as none until it is made anew: {error}")
        })))
    }

    /// Returns whether it is of a run with this plan, as far as it says: reports of earlier programs do not.
    #[must_use]
    pub fn is_of(&self, plan_hash: &str) -> bool {
        self.plan_hash.as_deref().is_none_or(|own| own == plan_hash)
    }

    /// Returns whether a figure may be there when the report is made again: a reference or a network that was not where
    /// the run's settings say may be there now.
    #[must_use]
    pub fn lacks_figures(&self) -> bool {
        let of_metrics = self.networks.iter().map(|(_, network)| network);
        let networks = [&self.extractor, &self.segmenter];
        let mut networks = networks.into_iter().chain(of_metrics).flatten();
        let compared = |style: &StyleReport| style.items < 2 || style.reference.is_some();
        !networks.all(NetworkReport::is_known)
            || self.extractor.is_some() && !self.styles.iter().all(compared)
    }

    /// Returns whether this is the last report of a run with these counts: nothing has ended or changed since.
    #[must_use]
    pub fn is_last(&self, counts: &Counts) -> bool {
        let counted = (counts.done, counts.quarantined, counts.failed);
        let agreement = self.label_agreement.as_ref();
        let doubtful = agreement.map_or(0, |agreement| agreement.doubtful);
        self.complete
            && doubtful == counts.doubtful
            && (self.done, self.quarantined, self.failed) == counted
            && self.reasons == counts.reasons
            && self.warnings == counts.warning_kinds
    }

    /// Stores the report.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub async fn store(&self, storage: &dyn Storage) -> Result<(), StorageError> {
        let key = ArtifactKey::Report(self.run.clone());
        let json = Bytes::from(seal::document(self, &key));
        storage.replace(&key, json).await
    }
}
